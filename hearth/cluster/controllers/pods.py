"""What the controllers ask of pods. Pure."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from hearth.kube import meta
from hearth.kube.clock import parse_rfc3339
from hearth.kube.meta import Object

DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"


def condition(obj: Object, kind: str) -> dict[str, Any] | None:
    """A condition of any object's status, by type."""
    for found in (obj.get("status") or {}).get("conditions") or ():
        if found["type"] == kind:
            return dict(found)
    return None


def is_ready(pod: Object) -> bool:
    found = condition(pod, "Ready")
    return found is not None and found["status"] == "True"


def available_in(pod: Object, min_ready_seconds: int, *, now: float) -> float | None:
    """Seconds until a ready pod counts as available: 0 when it does, None when not ready."""
    found = condition(pod, "Ready")
    if found is None or found["status"] != "True":
        return None
    if min_ready_seconds == 0:
        return 0.0
    since = parse_rfc3339(found["lastTransitionTime"]) if found.get("lastTransitionTime") else now
    return max(0.0, since + min_ready_seconds - now)


def phase(pod: Object) -> str:
    return str((pod.get("status") or {}).get("phase", "Pending"))


def is_finished(pod: Object) -> bool:
    return phase(pod) in ("Succeeded", "Failed")


def is_active(pod: Object) -> bool:
    """Counts towards the wanted number: neither finished nor on its way out."""
    return not is_finished(pod) and not meta.is_deleting(pod)


def from_template(owner: Object, template: Object, *, generate_name: str) -> Object:
    """A pod of a template, owned by a controller."""
    described = deepcopy(template.get("metadata") or {})
    metadata: dict[str, Any] = {
        "generateName": generate_name,
        "namespace": meta.namespace(owner),
        "ownerReferences": [meta.owner_reference(owner)],
    }
    for field in ("labels", "annotations", "finalizers"):
        if described.get(field):
            metadata[field] = described[field]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": deepcopy(template.get("spec") or {}),
    }


_PHASE_ORDER = {"Pending": 0, "Unknown": 1, "Running": 2}


def deletion_rank(pod: Object) -> tuple[Any, ...]:
    """Sorts pods so that those to give up first come first (ReplicaSet's order).

    Unassigned before assigned, pending before running, not ready before ready, a lower deletion
    cost before a higher one, more restarts before fewer, younger before older.
    """
    status = pod.get("status") or {}
    restarts = sum(s.get("restartCount", 0) for s in status.get("containerStatuses") or ())
    return (
        bool((pod.get("spec") or {}).get("nodeName")),
        _PHASE_ORDER.get(phase(pod), 1),
        is_ready(pod),
        _cost(pod),
        -restarts,
        _reversed(str(meta.metadata(pod).get("creationTimestamp", ""))),
        meta.name(pod),
    )


def _cost(pod: Object) -> int:
    try:
        return int(meta.annotations(pod).get(DELETION_COST, "0"))
    except ValueError:
        return 0


def _reversed(text: str) -> tuple[int, ...]:
    return tuple(-ord(character) for character in text)
