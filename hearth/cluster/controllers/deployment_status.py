"""A Deployment's status: counts and the conditions Progressing and Available. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hearth.cluster.controllers import rollout
from hearth.cluster.controllers.replicaset import REPLICA_FAILURE
from hearth.kube import meta
from hearth.kube.clock import parse_rfc3339, rfc3339
from hearth.kube.meta import Object

Condition = dict[str, Any]


def make_status(
    deployment: Object, new: Object | None, old: Sequence[Object], *, now: float
) -> tuple[dict[str, Any], float | None]:
    """The status, and the seconds until the progress deadline must be looked at again."""
    counts = _counts(deployment, new, old)
    status: dict[str, Any] = {"observedGeneration": meta.generation(deployment)}
    status |= {name: n for name, n in counts.items() if n}
    status["terminatingReplicas"] = counts["terminatingReplicas"]
    before = deployment.get("status") or {}
    if before.get("collisionCount"):
        status["collisionCount"] = before["collisionCount"]
    conditions = {c["type"]: c for c in before.get("conditions") or ()}
    _set(conditions, _available(deployment, counts), now)
    progressing = _progressing(deployment, new, counts, conditions.get("Progressing"), now=now)
    if progressing is not None:
        moved = counts != {name: before.get(name, 0) for name in counts}
        _set(conditions, progressing, now, touch=moved and _is_updating(progressing))
    failure = _failure(new, old)
    if failure is not None:
        _set(conditions, failure, now)
    else:
        conditions.pop(REPLICA_FAILURE, None)
    status["conditions"] = list(conditions.values())
    return status, _deadline_in(deployment, conditions.get("Progressing"), now=now)


def _failure(new: Object | None, old: Sequence[Object]) -> Condition | None:
    """Why no pod can be created, as the first ReplicaSet says that has a reason."""
    found = [
        condition
        for replica_set in (new, *old)
        for condition in ((replica_set or {}).get("status") or {}).get("conditions") or ()
        if condition["type"] == REPLICA_FAILURE and condition["status"] == "True"
    ]
    return found[0] if found else None


def _counts(deployment: Object, new: Object | None, old: Sequence[Object]) -> dict[str, int]:
    everyone = [rs for rs in (new, *old) if rs is not None]

    def total(field: str) -> int:
        return sum((rs.get("status") or {}).get(field, 0) for rs in everyone)

    available = total("availableReplicas")
    wanted = sum(rs["spec"].get("replicas", 1) for rs in everyone)
    return {
        "replicas": total("replicas"),
        "updatedReplicas": ((new or {}).get("status") or {}).get("replicas", 0),
        "readyReplicas": total("readyReplicas"),
        "availableReplicas": available,
        "unavailableReplicas": max(0, wanted - available),
        "terminatingReplicas": total("terminatingReplicas"),
    }


def _available(deployment: Object, counts: dict[str, int]) -> Condition:
    replicas = deployment["spec"]["replicas"]
    allowed = rollout.limits(deployment["spec"].get("strategy") or {}, replicas)
    if counts["availableReplicas"] >= replicas - allowed.unavailable:
        return {
            "type": "Available",
            "status": "True",
            "reason": "MinimumReplicasAvailable",
            "message": "Deployment has minimum availability.",
        }
    return {
        "type": "Available",
        "status": "False",
        "reason": "MinimumReplicasUnavailable",
        "message": "Deployment does not have minimum availability.",
    }


def _is_complete(deployment: Object, counts: dict[str, int]) -> bool:
    replicas = deployment["spec"]["replicas"]
    complete = ("updatedReplicas", "replicas", "availableReplicas")
    return all(counts[name] == replicas for name in complete)


def _progressing(
    deployment: Object,
    new: Object | None,
    counts: dict[str, int],
    current: Condition | None,
    *,
    now: float,
) -> Condition | None:
    if deployment["spec"].get("progressDeadlineSeconds") is None:
        return None
    if deployment["spec"].get("paused"):
        return _progress("Unknown", "DeploymentPaused", "Deployment is paused")
    if new is None:
        return current
    named = f'ReplicaSet "{meta.name(new)}"'
    if _is_complete(deployment, counts):
        text = f"{named} has successfully progressed."
        return _progress("True", "NewReplicaSetAvailable", text)
    if current is None:
        text = f'Created new replica set "{meta.name(new)}"'
        return _progress("True", "NewReplicaSetCreated", text)
    if _was_complete(current) and _same_replica_set(current, named):
        return current  # a resize or a lost pod, not a rollout
    if not _was_complete(current) and _deadline_passed(deployment, current, now=now):
        text = f"{named} has timed out progressing."
        return _progress("False", "ProgressDeadlineExceeded", text)
    return _progress("True", "ReplicaSetUpdated", f"{named} is progressing.")


def _progress(status: str, reason: str, message: str) -> Condition:
    return {"type": "Progressing", "status": status, "reason": reason, "message": message}


def _was_complete(condition: Condition) -> bool:
    return condition.get("reason") == "NewReplicaSetAvailable"


def _is_updating(condition: Condition) -> bool:
    return condition.get("reason") == "ReplicaSetUpdated"


def _same_replica_set(condition: Condition, named: str) -> bool:
    return str(condition.get("message", "")).startswith(named)


def _deadline_passed(deployment: Object, condition: Condition, *, now: float) -> bool:
    if condition["status"] == "False":
        return True
    since = parse_rfc3339(condition["lastUpdateTime"])
    return now - since >= float(deployment["spec"]["progressDeadlineSeconds"])


def _deadline_in(deployment: Object, condition: Condition | None, *, now: float) -> float | None:
    if condition is None or condition["status"] != "True" or _was_complete(condition):
        return None
    since = parse_rfc3339(condition["lastUpdateTime"])
    return max(0.0, since + float(deployment["spec"]["progressDeadlineSeconds"]) - now) + 0.5


def _set(
    conditions: dict[str, Condition], new: Condition, now: float, *, touch: bool = False
) -> None:
    """lastUpdateTime moves with any change (or real progress), lastTransitionTime with status."""
    old = conditions.get(new["type"])
    moment = rfc3339(now)
    same = old is not None and all(
        old.get(field) == new.get(field) for field in ("status", "reason", "message")
    )
    if same and not touch:
        return
    kept = old["lastTransitionTime"] if old and old["status"] == new["status"] else moment
    conditions[new["type"]] = {
        "type": new["type"],
        "status": new["status"],
        "lastUpdateTime": moment,
        "lastTransitionTime": kept,
        "reason": new["reason"],
        "message": new["message"],
    }
