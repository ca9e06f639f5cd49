"""Nodes, played: what a Deployment asks for is there a little later, one change after the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from hearth.kube import meta
from hearth.kube import resources as kinds
from hearth.kube.clock import rfc3339
from hearth.kube.meta import (
    Object,
    generation,
    is_deleting,
    key,
    metadata,
    name,
    namespace,
    owner_reference,
)
from hearth.kube.resources import Resource
from tests.memoryapi import MemoryApi

BROKEN = "broken"
"""An image that does not start."""
_PLAYED = "played"
_LATE = {"status": "False", "reason": "ProgressDeadlineExceeded", "message": "late"}
_GOING = {"status": "True", "reason": "NewReplicaSetAvailable"}


class Soon(Protocol):
    """Calls something with its arguments once, after these seconds or a little later."""

    def __call__(
        self, work: Callable[..., None], *about: str, seconds: float | None = None
    ) -> None: ...


class Nodes:
    """``clock`` is in Unix seconds."""

    def __init__(self, api: MemoryApi, soon: Soon, clock: Callable[[], float]) -> None:
        self.is_broken = True
        """Whether broken images do not start; one day they are mended."""
        self._api = api
        self._soon = soon
        self._clock = clock
        self._short_since: dict[str, float] = {}
        api.looks.append(self._changed)

    def mend(self) -> None:
        """From now on every image starts."""
        self.is_broken = False
        for deployment in self._api.all(kinds.DEPLOYMENTS):
            self._soon(self._run, name(deployment))

    def ready(self, deployment: str, where: str) -> int:
        """Return how many pods are ready."""
        found = self._api.get(kinds.DEPLOYMENTS, where, deployment) or {}
        ready: int = (found.get("status") or {}).get("readyReplicas", 0)
        return ready

    def _changed(self, resource: Resource, old: Object | None, new: Object | None) -> None:
        about = new or old or {}
        if resource == kinds.DEPLOYMENTS:
            self._soon(self._run, name(about))
        elif resource == kinds.PODS:
            self._soon(self._run, name(about).rpartition("-pod-")[0])

    def _run(self, title: str) -> None:
        pods = [p for p in self._api.all(kinds.PODS) if name(p).startswith(f"{title}-pod-")]
        for pod in filter(is_deleting, pods):
            self._api.patch(kinds.PODS, key(pod), {"metadata": {"finalizers": None}}, _PLAYED)
        found = [each for each in self._api.all(kinds.DEPLOYMENTS) if name(each) == title]
        for deployment in found:
            owner = owner_reference(deployment)
            alive = [p for p in pods if metadata(p)["ownerReferences"] == [owner]]
            self._scale(deployment, [p for p in alive if not is_deleting(p)])
            self._tell(self._api.the(kinds.DEPLOYMENTS, *key(deployment)), owner)

    def _scale(self, deployment: Object, pods: list[Object]) -> None:
        """Make pods, end them, replace one that is of an older template, start the others."""
        wanted, template = deployment["spec"]["replicas"], deployment["spec"]["template"]
        old = [p for p in pods[:wanted] if meta.annotations(p) != meta.annotations(template)]
        for pod in (*pods[wanted:], *old[:1]):
            self._api.delete(kinds.PODS, key(pod), _PLAYED)
        for number in range(wanted - len(pods)):
            about = {
                **template["metadata"],
                "name": f"{name(deployment)}-pod-{self._api.version}-{number}",
                "namespace": namespace(deployment),
                "finalizers": ["node"],
                "ownerReferences": [owner_reference(deployment)],
            }
            pod = {"metadata": about, "spec": template["spec"]}
            self._api.create(kinds.PODS, pod, _PLAYED)
        for pod in pods[:wanted]:
            self._start(self._api.get(kinds.PODS, *key(pod)))

    def _start(self, pod: Object | None) -> None:
        if pod is None or is_deleting(pod):
            return
        if self.is_broken and any(c["image"] == BROKEN for c in pod["spec"]["containers"]):
            waiting = {"reason": "CrashLoopBackOff", "message": "it does not start"}
            states = [{"name": "user-container", "state": {"waiting": waiting}}]
            status: Object = {"phase": "Pending", "containerStatuses": states}
        else:
            ready = {"type": "Ready", "status": "True", "lastTransitionTime": rfc3339(0.0)}
            status = {"phase": "Running", "podIP": "10.0.0.1", "conditions": [ready]}
        self._api.update(kinds.PODS, {**pod, "status": status}, _PLAYED, "status")

    def _tell(self, deployment: Object, owner: Object) -> None:
        pods = [p for p in self._api.all(kinds.PODS) if metadata(p)["ownerReferences"] == [owner]]
        pods = [pod for pod in pods if not is_deleting(pod)]
        ready = sum(bool((pod.get("status") or {}).get("conditions")) for pod in pods)
        going = _LATE if self._is_late(deployment, ready) else _GOING
        status = {
            "observedGeneration": generation(deployment),
            "replicas": len(pods),
            "readyReplicas": ready,
            "availableReplicas": ready,
            "conditions": [{"type": "Progressing", **going}],
        }
        self._api.update(kinds.DEPLOYMENTS, {**deployment, "status": status}, _PLAYED, "status")

    def _is_late(self, deployment: Object, ready: int) -> bool:
        """Whether pods have been missing for longer than they may."""
        own, spec = owner_reference(deployment)["uid"], deployment["spec"]
        if ready >= spec["replicas"]:
            self._short_since.pop(own, None)
            return False
        since = self._short_since.setdefault(own, self._clock())
        left = since + spec["progressDeadlineSeconds"] - self._clock()
        if left > 0:
            self._soon(self._run, name(deployment), seconds=left)
        return bool(left <= 0)
