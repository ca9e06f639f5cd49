"""What the controllers ask of pods. Pure."""

from __future__ import annotations

from typing import Any

from hearth.kube import meta
from hearth.kube.clock import parse_rfc3339
from hearth.kube.conditions import Conditions
from hearth.kube.meta import Object
from hearth.kube.views import Pod


def available_in(pod: Object, min_ready_seconds: int, *, now: float) -> float | None:
    """Return the seconds until a pod counts as available: 0 when it does, None when not ready."""
    conditions = Conditions.of(pod)
    if not conditions.is_true("Ready"):
        return None
    if min_ready_seconds == 0:
        return 0.0
    transition = conditions.transition_time("Ready")
    since = parse_rfc3339(transition) if transition else now
    return max(0.0, since + min_ready_seconds - now)


def is_active(pod: Object) -> bool:
    """Whether the pod counts as one of its owner's replicas: neither finished nor ending."""
    return not Pod(pod).is_finished and not meta.is_deleting(pod)


def counts_otherwise(old: Object, new: Object) -> bool:
    """Whether a ReplicaSet's counts may be others, or which pods it gives up first."""
    return _counted(old) != _counted(new)


def _counted(pod: Object) -> tuple[object, ...]:
    view, metadata = Pod(pod), meta.metadata(pod)
    return (
        view.phase,
        view.conditions.get("Ready"),
        meta.labels(pod),
        metadata.get("deletionTimestamp"),
        metadata.get("ownerReferences"),
    )


_PHASE_ORDER = {"Pending": 0, "Unknown": 1, "Running": 2}


def deletion_rank(pod: Object) -> tuple[Any, ...]:
    """Return a sort key by which the pods to give up come first (ReplicaSet's order).

    Unassigned before assigned, pending before running, not ready before ready, a lower deletion
    cost before a higher one, more restarts before fewer, younger before older.
    """
    view = Pod(pod)
    return (
        bool(view.node_name),
        _PHASE_ORDER.get(view.phase, 1),
        view.is_ready,
        view.deletion_cost,
        -sum(container.restart_count for container in view.container_statuses),
        _reversed(meta.creation_timestamp(pod)),
        meta.name(pod),
    )


def _reversed(text: str) -> tuple[int, ...]:
    return tuple(-ord(character) for character in text)
