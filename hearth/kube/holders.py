"""Whether a pod that holds a Lease is still there, so that nobody waits for what a dead one held.

A Lease that is not released expires, after a minute by default. Where candidates are pods, the API
server knows earlier: a pod that it has no more, or that has ended, holds nothing. A watch says when
to look; what counts is a list made then, for a watch may be late.
"""

from __future__ import annotations

from collections.abc import Callable

from hearth.kube.cache import WatchCache
from hearth.kube.client import KubeClient
from hearth.kube.errors import ApiError
from hearth.kube.meta import Object, labels, name, namespace, resource_version
from hearth.kube.resources import PODS

_ENDED = ("Failed", "Succeeded")


class Holders:
    """The pods of one namespace, told apart by name only.

    ``own`` is this candidate's pod. Where there is no such pod, candidates are no pods of this
    cluster, and nothing is known of any.
    """

    def __init__(self, client: KubeClient, namespace: str, own: str) -> None:
        self._client = client
        self._namespace = namespace
        self._own = own
        self._cache = WatchCache(client, PODS, namespace=namespace, keep=_state)

    def on_end(self, callback: Callable[[str], None]) -> None:
        """Call back with the name of each pod that has ended, or is gone."""

        def changed(old: Object | None, new: Object | None) -> None:
            if old is not None and (new is None or _has_ended(new)):
                callback(name(old))

        self._cache.on_change(changed)

    async def run(self) -> None:
        """Watch until cancelled."""
        await self._cache.run()

    async def is_gone(self, pod: str) -> bool:
        """Whether a pod is surely no more; False where that cannot be found out."""
        try:
            found, _ = await self._client.list(PODS, self._namespace)
        except (ApiError, TimeoutError):
            return False
        left = {name(each) for each in found if not _has_ended(each)}
        return self._own in left and pod not in left


def _has_ended(pod: Object) -> bool:
    return (pod.get("status") or {}).get("phase") in _ENDED


def _state(pod: Object) -> Object:
    """What is worth keeping of a pod."""
    kept = {
        "namespace": namespace(pod),
        "name": name(pod),
        "labels": labels(pod),
        "resourceVersion": resource_version(pod),
    }
    return {"metadata": kept, "status": {"phase": (pod.get("status") or {}).get("phase")}}
