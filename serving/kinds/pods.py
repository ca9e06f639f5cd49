"""Counting a revision's pods. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from hearth.kube.controllerspec import Index, Lister
from hearth.kube.meta import Key, Object, is_deleting, key_text
from hearth.kube.views import Pod
from serving.autoscaler.metrics import PodCounts
from serving.kinds import sources


def _revision_served(pod: Object) -> Iterator[str]:
    if not is_deleting(pod) and Pod(pod).is_ready:
        yield from sources.PODS_BY_REVISION.function(pod)


READY_BY_REVISION = Index(sources.PODS, _revision_served)
"""Asked for on each tick: counted by it, pods may stay folded."""


def count_ready(lister: Lister, key: Key) -> int:
    """Return how many pods of a revision are ready and not ending."""
    return lister.count(READY_BY_REVISION, key_text(key))


def counts_otherwise(old: Object, new: Object) -> bool:
    """Whether a pod became ready or ceased to be, ends, or is to be given up before others."""
    return _weight(old) != _weight(new)


def _weight(pod: Object) -> tuple[bool, bool, int]:
    return Pod(pod).is_ready, is_deleting(pod), Pod(pod).deletion_cost


def count(lister: Lister, key: Key) -> PodCounts:
    """Return how many pods of a revision are in which state."""
    pods = lister.by_index(sources.PODS_BY_REVISION, key_text(key))
    alive = [Pod(pod) for pod in pods if not is_deleting(pod)]
    ready = sum(1 for pod in alive if pod.is_ready)
    pending = sum(1 for pod in alive if pod.phase != "Running")
    return PodCounts(
        ready=ready,
        not_ready=max(0, len(alive) - ready - pending),
        pending=pending,
        terminating=len(pods) - len(alive),
    )
