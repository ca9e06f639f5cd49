"""Events about pods, in the words of kubelet and scheduler."""

from __future__ import annotations

from hearth.kube.events import EventRecorder
from hearth.kube.meta import Object
from hearth.kube.plan import Event


class PodEvents(EventRecorder):
    """Takes Events about pods, which need not say what kind they are."""

    def tell(
        self,
        pod: Object,
        kind: str,
        reason: str,
        *,
        message: str,
        container: str = "",
        component: str = "kubelet",
    ) -> None:
        """Note an Event; ``kind`` is Normal or Warning."""
        event = Event({**pod, "apiVersion": "v1", "kind": "Pod"}, kind, reason, message)
        self.record(event, component, container=container)
