"""ReplicaSet: keeps as many pods of a template as asked for. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from hearth.cluster import readynames
from hearth.cluster.controllers import pods, sources
from hearth.cluster.controllers.pacing import DELAY_SECONDS, is_without_news
from hearth.cluster.podtemplates import from_template
from hearth.kube import meta
from hearth.kube.clock import rfc3339
from hearth.kube.conditions import Conditions
from hearth.kube.controllerspec import (
    ControllerSpec,
    Lister,
    Watch,
    owner_key,
    without_settings,
)
from hearth.kube.meta import Key, Object
from hearth.kube.plan import Action, Create, Delete, Event, Patch, Plan, UpdateStatus
from hearth.kube.resources import PODS, REPLICASETS
from hearth.kube.views import Pod, Workload

REPLICA_FAILURE = "ReplicaFailure"
BURST = 500
"""Most pods created or deleted in one reconcile (kube-controller-manager's burstReplicas)."""


@dataclass(frozen=True, slots=True)
class Observed:
    """What the reconciler sees of one ReplicaSet."""

    replica_set: Object
    pods: Sequence[Object]
    """Those whose controller is this ReplicaSet."""
    ready_name: str = ""
    """What the node would call the next pod, as it has a container ready for it."""


def observe(lister: Lister, key: Key) -> Observed | None:
    """Look the ReplicaSet and its pods up."""
    replica_set = lister.get(sources.REPLICASETS, *key)
    if replica_set is None:
        return None
    uid = meta.uid(replica_set)
    owned = lister.by_index(sources.PODS_BY_CONTROLLER, uid)
    return Observed(replica_set, owned, readynames.offered(uid))


def reconcile(observed: Observed, *, now: float) -> Plan:
    """Create or delete pods, and count them in the status."""
    replica_set = observed.replica_set
    actions: list[Action] = []
    if not meta.is_deleting(replica_set):
        actions += _scale(observed, [p for p in observed.pods if pods.is_active(p)])
    status, wake = _status(observed, now=now)
    if status != replica_set.get("status"):
        actions.append(UpdateStatus(REPLICASETS, {**replica_set, "status": status}))
    return Plan(tuple(actions), requeue_after=wake)


def failed_create(observed: Observed, message: str, *, now: float) -> Plan | None:
    """Plan to tell why no pod can be created, and to try again; None when that is told already."""
    replica_set = observed.replica_set
    conditions = Conditions.of(replica_set)
    known = conditions.get(REPLICA_FAILURE)
    if known is not None and _of_any_pod(known["message"]) == _of_any_pod(message):
        return None
    condition = {
        "type": REPLICA_FAILURE,
        "status": "True",
        "lastTransitionTime": known["lastTransitionTime"] if known else rfc3339(now),
        "reason": "FailedCreate",
        "message": message,
    }
    others = [c for c in conditions if c is not known]
    patch = Patch(
        REPLICASETS,
        meta.name(replica_set),
        meta.namespace(replica_set),
        {"status": {"conditions": [*others, condition]}},
        subresource="status",
    )
    event = Event(replica_set, "Warning", "FailedCreate", f"Error creating: {message}")
    return Plan((patch, event), retry=True)


def _of_any_pod(message: str) -> str:
    """The message without the name of the pod, which is another one at each try."""
    return re.sub(r'^pods "[^"]*"', "pods", message)


def _scale(observed: Observed, active: list[Object]) -> list[Action]:
    replica_set = observed.replica_set
    view = Workload(replica_set)
    missing = view.replicas - len(active)
    if missing > 0:
        stem = f"{meta.name(replica_set)}-"
        pod = from_template(replica_set, view.template, generate_name=stem)
        made = [Create(PODS, pod) for _ in range(min(missing, BURST))]
        if _is_free(observed):
            made[0] = Create(PODS, _named(pod, observed.ready_name))
        return list(made)
    surplus = sorted(active, key=pods.deletion_rank)[: min(-missing, BURST)]
    return [Delete(PODS, meta.namespace(p), meta.name(p), uid=meta.uid(p)) for p in surplus]


def _is_free(observed: Observed) -> bool:
    taken = {meta.name(pod) for pod in observed.pods}
    return bool(observed.ready_name) and observed.ready_name not in taken


def _named(pod: Object, name: str) -> Object:
    return {**pod, "metadata": {**meta.metadata(pod), "name": name}}


def _status(observed: Observed, *, now: float) -> tuple[dict[str, Any], float | None]:
    view = Workload(observed.replica_set)
    active = [p for p in observed.pods if pods.is_active(p)]
    template_labels = meta.labels(view.template)
    waits = [pods.available_in(p, view.min_ready_seconds, now=now) for p in active]
    labeled = sum(meta.labels(p).items() >= template_labels.items() for p in active)
    terminating = sum(meta.is_deleting(p) and not Pod(p).is_finished for p in observed.pods)
    status: dict[str, Any] = {"replicas": len(active), "terminatingReplicas": terminating}
    counts = {
        "fullyLabeledReplicas": labeled,
        "readyReplicas": sum(Pod(p).is_ready for p in active),
        "availableReplicas": sum(wait == 0 for wait in waits),
    }
    status |= {name: count for name, count in counts.items() if count}
    status["observedGeneration"] = meta.generation(observed.replica_set)
    # While pods are missing, a failure to create them may still hold.
    missing = view.replicas > len(active)
    conditions = [c for c in view.conditions if missing or c["type"] != REPLICA_FAILURE]
    if conditions:
        status["conditions"] = conditions
    return status, min((wait for wait in waits if wait), default=None)


def _short_of_pods(lister: Lister, quota: Object) -> Iterator[Key]:
    """Map a ResourceQuota that has changed to the ReplicaSets of its namespace that lack pods."""
    for replica_set in lister.list(sources.REPLICASETS, meta.namespace(quota)):
        if Conditions.of(replica_set).is_true(REPLICA_FAILURE):
            yield meta.key(replica_set)


CONTROLLER: ControllerSpec[Observed, object] = ControllerSpec(
    "replicaset",
    sources.REPLICASETS,
    observe,
    without_settings(reconcile),
    watches=(
        Watch(sources.PODS, owner_key(REPLICASETS), when=pods.counts_otherwise),
        Watch(sources.QUOTAS, _short_of_pods),
    ),
    indexes=(sources.PODS_BY_CONTROLLER,),
    refused=failed_create,
    can_wait=is_without_news,
    delay_seconds=DELAY_SECONDS,
    settles=True,
    field_manager="replicaset-controller",
)
