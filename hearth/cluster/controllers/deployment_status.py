"""A Deployment's status: counts and the conditions Progressing and Available. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hearth.cluster.controllers import rollout
from hearth.cluster.controllers.replicaset import REPLICA_FAILURE
from hearth.kube import meta
from hearth.kube.clock import parse_rfc3339, rfc3339
from hearth.kube.conditions import Condition, Conditions
from hearth.kube.meta import Object
from hearth.kube.views import Deployment, Workload


def make_status(
    deployment: Object, new: Object | None, old: Sequence[Object], *, now: float
) -> tuple[dict[str, Any], float | None]:
    """Return the status, and the seconds until the progress deadline must be looked at again."""
    counts = _counts(deployment, new, old)
    status: dict[str, Any] = {"observedGeneration": meta.generation(deployment)}
    status |= {name: n for name, n in counts.items() if n}
    status["terminatingReplicas"] = counts["terminatingReplicas"]
    view = Deployment(deployment)
    if view.collision_count:
        status["collisionCount"] = view.collision_count
    conditions = view.conditions.by_type()
    _set(conditions, _available(deployment, counts), now)
    progressing = _progressing(deployment, new, counts, conditions.get("Progressing"), now=now)
    if progressing is not None:
        moved = counts != {name: view.status.get(name, 0) for name in counts}
        _set(conditions, progressing, now, touch=moved and _is_updating(progressing))
    failure = _failure(new, old)
    if failure is not None:
        _set(conditions, failure, now)
    else:
        conditions.pop(REPLICA_FAILURE, None)
    status["conditions"] = list(conditions.values())
    return status, _deadline_in(deployment, conditions.get("Progressing"), now=now)


def _failure(new: Object | None, old: Sequence[Object]) -> Condition | None:
    """Return why no pod can be created, as the first ReplicaSet says that has a reason."""
    for replica_set in (new, *old):
        conditions = Conditions.of(replica_set)
        if conditions.is_true(REPLICA_FAILURE):
            return conditions.get(REPLICA_FAILURE)
    return None


def _counts(deployment: Object, new: Object | None, old: Sequence[Object]) -> dict[str, int]:
    everyone = [Workload(rs) for rs in (new, *old) if rs is not None]
    available = sum(rs.available_replicas for rs in everyone)
    return {
        "replicas": sum(rs.current_replicas for rs in everyone),
        "updatedReplicas": Workload(new).current_replicas,
        "readyReplicas": sum(rs.ready_replicas for rs in everyone),
        "availableReplicas": available,
        "unavailableReplicas": max(0, sum(rs.replicas for rs in everyone) - available),
        "terminatingReplicas": sum(rs.terminating_replicas for rs in everyone),
    }


def _available(deployment: Object, counts: dict[str, int]) -> Condition:
    view = Deployment(deployment)
    allowed = rollout.limits(view.strategy, view.replicas)
    if counts["availableReplicas"] >= view.replicas - allowed.unavailable:
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
    replicas = Workload(deployment).replicas
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
    view = Deployment(deployment)
    if view.progress_deadline is None:
        return None
    if view.is_paused:
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
    if not _was_complete(current) and _deadline_passed(view.progress_deadline, current, now=now):
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


def _deadline_passed(deadline: float, condition: Condition, *, now: float) -> bool:
    if condition["status"] == "False":
        return True
    since = parse_rfc3339(condition["lastUpdateTime"])
    return now - since >= deadline


def _deadline_in(deployment: Object, condition: Condition | None, *, now: float) -> float | None:
    deadline = Deployment(deployment).progress_deadline
    if condition is None or condition["status"] != "True" or _was_complete(condition):
        return None
    since = parse_rfc3339(condition["lastUpdateTime"])
    return None if deadline is None else max(0.0, since + deadline - now) + 0.5


def _set(
    conditions: dict[str, Condition], new: Condition, now: float, *, touch: bool = False
) -> None:
    """Set a condition: lastUpdateTime moves with any change, lastTransitionTime with status.

    ``touch`` moves lastUpdateTime without a change: there was progress.
    """
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
