"""Counting a revision's pods. Pure."""

from __future__ import annotations

from hearth.kube.controllerspec import Lister
from hearth.kube.meta import Key, Object, is_deleting, key_text
from serving.autoscaler.metrics import PodCounts
from serving.kinds import sources
from serving.routing.targets import condition_status


def is_ready(pod: Object) -> bool:
    """Whether a pod's condition Ready is True."""
    return condition_status(pod, "Ready") == "True"


def count_ready(lister: Lister, key: Key) -> int:
    """Return how many pods of a revision are ready and not ending."""
    pods = lister.by_index(sources.PODS_BY_REVISION, key_text(key))
    return sum(1 for pod in pods if not is_deleting(pod) and is_ready(pod))


def count(lister: Lister, key: Key) -> PodCounts:
    """Return how many pods of a revision are in which state."""
    pods = lister.by_index(sources.PODS_BY_REVISION, key_text(key))
    alive = [pod for pod in pods if not is_deleting(pod)]
    ready = sum(1 for pod in alive if is_ready(pod))
    pending = sum(1 for pod in alive if (pod.get("status") or {}).get("phase") != "Running")
    return PodCounts(
        ready=ready,
        not_ready=max(0, len(alive) - ready - pending),
        pending=pending,
        terminating=len(pods) - len(alive),
    )
