"""Deployment: rolls ReplicaSets over to the newest template and reports on it. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

from hearth.cluster.controllers import rollout, sources
from hearth.cluster.controllers.deployment_status import make_status
from hearth.cluster.controllers.pacing import DELAY_SECONDS, is_without_news
from hearth.cluster.controllers.rollout import Group
from hearth.kube import meta
from hearth.kube.controllerspec import (
    ControllerSpec,
    Lister,
    Watch,
    owner_key,
    without_settings,
)
from hearth.kube.meta import Key, Object
from hearth.kube.names import random_suffix
from hearth.kube.plan import Action, Create, Delete, Event, Patch, Plan, Update, UpdateStatus
from hearth.kube.resources import DEPLOYMENTS, REPLICASETS
from hearth.kube.views import Deployment, Workload

HASH_LABEL = "pod-template-hash"
REVISION = "deployment.kubernetes.io/revision"
DESIRED = "deployment.kubernetes.io/desired-replicas"
MAX_REPLICAS = "deployment.kubernetes.io/max-replicas"
_NOT_COPIED = frozenset(
    {"kubectl.kubernetes.io/last-applied-configuration", REVISION, DESIRED, MAX_REPLICAS}
)


@dataclass(frozen=True, slots=True)
class Observed:
    """What the reconciler sees of one Deployment."""

    deployment: Object
    replica_sets: Sequence[Object]
    """Those whose controller is this Deployment."""


def observe(lister: Lister, key: Key) -> Observed | None:
    """Look the Deployment and its ReplicaSets up."""
    deployment = lister.get(sources.DEPLOYMENTS, *key)
    if deployment is None:
        return None
    uid = meta.uid(deployment)
    return Observed(deployment, lister.by_index(sources.REPLICASETS_BY_CONTROLLER, uid))


def reconcile(observed: Observed, *, now: float) -> Plan:
    """Go on with the rollout, and tell in the status how far it is."""
    deployment = observed.deployment
    new = find_new(deployment, observed.replica_sets)
    old = [rs for rs in observed.replica_sets if rs is not new]
    actions: list[Action] = []
    if not meta.is_deleting(deployment):
        actions += _progress(deployment, new, old)
    status, wake = make_status(deployment, new, old, now=now)
    told = {**_numbered(deployment, new, old), "status": status}
    if told != deployment:
        actions.append(UpdateStatus(DEPLOYMENTS, told))
    return Plan(tuple(actions), requeue_after=wake)


def _progress(deployment: Object, new: Object | None, old: list[Object]) -> list[Action]:
    view = Deployment(deployment)
    if view.is_paused:
        return _resize(deployment, new, old)
    if new is None:
        if view.recreates and any(map(_has_pods, old)):
            return _scale_all(old, {meta.name(rs): 0 for rs in old}, deployment)
        return _create_new(deployment, old)
    actions = _resize(deployment, new, old)
    if not actions:
        actions = _roll(deployment, new, old)
    actions += _renumber(new, old)
    return actions or _clean_up(deployment, new, old)


# -- the ReplicaSet of the current template ----------------------------------------------------


def find_new(deployment: Object, replica_sets: Sequence[Object]) -> Object | None:
    """Return the oldest ReplicaSet with the present template, so that a rollback finds it again."""
    template = _comparable(deployment["spec"]["template"])
    ordered = sorted(replica_sets, key=meta.creation_timestamp)
    return next((rs for rs in ordered if _comparable(rs["spec"]["template"]) == template), None)


def _comparable(template: Object) -> Object:
    metadata = {k: v for k, v in (template.get("metadata") or {}).items() if v}
    labels = {k: v for k, v in (metadata.get("labels") or {}).items() if k != HASH_LABEL}
    return {"labels": labels, "annotations": metadata.get("annotations"), "spec": template["spec"]}


def template_hash(template: Object, collisions: int) -> str:
    """Return what names a ReplicaSet; another ``collisions`` gives another name."""
    text = json.dumps(_comparable(template), sort_keys=True) + str(collisions or "")
    digest = hashlib.sha256(text.encode()).digest()
    return random_suffix(list(digest[:10]))


def _create_new(deployment: Object, old: list[Object]) -> list[Action]:
    spec = deployment["spec"]
    view = Deployment(deployment)
    digest = template_hash(spec["template"], view.collision_count)
    template = meta.copied(spec["template"])
    template.setdefault("metadata", {}).setdefault("labels", {})[HASH_LABEL] = digest
    selector = meta.copied(spec["selector"])
    selector.setdefault("matchLabels", {})[HASH_LABEL] = digest
    revision = str(_highest_revision(old) + 1)
    allowed = rollout.limits(view.strategy, view.replicas)
    total = sum(Workload(rs).replicas for rs in old)
    replicas = min(view.replicas, max(0, view.replicas + allowed.surge - total))
    body: Object = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"{meta.name(deployment)}-{digest}",
            "namespace": meta.namespace(deployment),
            "labels": dict(template["metadata"]["labels"]),
            "annotations": _annotations(deployment, revision, allowed.surge),
            "ownerReferences": [meta.owner_reference(deployment)],
        },
        "spec": {"replicas": replicas, "selector": selector, "template": template},
    }
    if view.min_ready_seconds:
        body["spec"]["minReadySeconds"] = view.min_ready_seconds
    return [Create(REPLICASETS, body)]


def _annotations(deployment: Object, revision: str, surge: int) -> dict[str, str]:
    copied = {k: v for k, v in meta.annotations(deployment).items() if k not in _NOT_COPIED}
    replicas = Workload(deployment).replicas
    return copied | {
        DESIRED: str(replicas),
        MAX_REPLICAS: str(replicas + surge),
        REVISION: revision,
    }


def _highest_revision(replica_sets: Sequence[Object]) -> int:
    return max((_revision(rs) for rs in replica_sets), default=0)


def _revision(replica_set: Object) -> int:
    text = meta.annotations(replica_set).get(REVISION, "0")
    return int(text) if text.isdigit() else 0


def _renumber(new: Object, old: list[Object]) -> list[Action]:
    """Make a template that comes back (a rollback) the newest revision."""
    number = _highest_revision([new, *old])
    if _revision(new) == number and number > _highest_revision(old):
        return []
    patch = {"metadata": {"annotations": {REVISION: str(number + 1)}}}
    return [Patch(REPLICASETS, meta.name(new), meta.namespace(new), patch)]


def _numbered(deployment: Object, new: Object | None, old: list[Object]) -> Object:
    """Return the Deployment with its newest revision, written with the status as upstream does."""
    if new is None or _revision(new) <= _highest_revision(old):
        return deployment
    marks = {**meta.annotations(deployment), REVISION: str(_revision(new))}
    return {**deployment, "metadata": {**meta.metadata(deployment), "annotations": marks}}


# -- sizes -------------------------------------------------------------------------------------


def _has_pods(replica_set: Object) -> bool:
    """Whether it has pods, should have some, or has some that are ending."""
    view = Workload(replica_set)
    return bool(view.replicas or view.current_replicas or view.terminating_replicas)


def _group(replica_set: Object) -> Group:
    return Group(
        name=meta.name(replica_set),
        replicas=Workload(replica_set).replicas,
        available=Workload(replica_set).available_replicas,
        created=meta.creation_timestamp(replica_set),
    )


def _resize(deployment: Object, new: Object | None, old: list[Object]) -> list[Action]:
    """Follow a changed ``spec.replicas``: the only active set takes it whole, several share it."""
    view = Deployment(deployment)
    replicas = view.replicas
    everyone = [rs for rs in (new, *old) if rs is not None]
    active = [rs for rs in everyone if Workload(rs).replicas > 0]
    if len(active) == 1 and (new is None or active[0] is new or view.is_paused):
        return _scale_all(active, {meta.name(active[0]): replicas}, deployment)
    if not active and new is not None:
        return _scale_all([new], {meta.name(new): replicas}, deployment)
    known = (None, str(replicas))
    changed = [rs for rs in active if meta.annotations(rs).get(DESIRED) not in known]
    if not changed or view.recreates:
        return []
    allowed = rollout.limits(view.strategy, replicas)
    sizes = rollout.scale_proportionally(
        [_group(rs) for rs in active], total=replicas + allowed.surge if replicas else 0
    )
    return _scale_all(active, sizes, deployment)


def _roll(deployment: Object, new: Object, old: list[Object]) -> list[Action]:
    view = Deployment(deployment)
    if view.recreates:
        draining = any(map(_has_pods, old))
        sizes = {meta.name(rs): 0 for rs in old}
        sizes[meta.name(new)] = 0 if draining else view.replicas
    else:
        allowed = rollout.limits(view.strategy, view.replicas)
        active = [_group(rs) for rs in old if Workload(rs).replicas > 0]
        sizes = rollout.roll(_group(new), active, replicas=view.replicas, allowed=allowed)
    return _scale_all([new, *old], sizes, deployment)


def _scale_all(
    replica_sets: Sequence[Object], sizes: dict[str, int], deployment: Object
) -> list[Action]:
    view = Deployment(deployment)
    surge = rollout.limits(view.strategy, view.replicas).surge
    marks = {DESIRED: str(view.replicas), MAX_REPLICAS: str(view.replicas + surge)}
    actions: list[Action] = []
    for replica_set in replica_sets:
        size = sizes.get(meta.name(replica_set))
        if size is None:
            continue
        resized = size != Workload(replica_set).replicas
        if resized or (size and not marks.items() <= meta.annotations(replica_set).items()):
            changed = meta.copied(replica_set)
            changed["spec"]["replicas"] = size
            changed["metadata"].setdefault("annotations", {}).update(marks)
            actions.append(Update(REPLICASETS, changed))
        if resized:
            actions.append(_scaled_event(deployment, replica_set, size))
    return actions


def _scaled_event(deployment: Object, replica_set: Object, size: int) -> Event:
    before = Workload(replica_set).replicas
    direction = "up" if size > before else "down"
    text = f"Scaled {direction} replica set {meta.name(replica_set)} from {before} to {size}"
    return Event(deployment, "Normal", "ScalingReplicaSet", text)


def _clean_up(deployment: Object, new: Object, old: list[Object]) -> list[Action]:
    """Old, empty ReplicaSets beyond revisionHistoryLimit go once the rollout is complete."""
    view = Deployment(deployment)
    if Workload(new).available_replicas < view.replicas:
        return []
    idle = [rs for rs in old if not _has_pods(rs) and not meta.is_deleting(rs)]
    surplus = sorted(idle, key=_revision)[: max(0, len(idle) - view.revision_history_limit)]
    return [Delete(REPLICASETS, meta.namespace(rs), meta.name(rs)) for rs in surplus]


CONTROLLER: ControllerSpec[Observed, object] = ControllerSpec(
    "deployment",
    sources.DEPLOYMENTS,
    observe,
    without_settings(reconcile),
    watches=(Watch(sources.REPLICASETS, owner_key(DEPLOYMENTS)),),
    indexes=(sources.REPLICASETS_BY_CONTROLLER,),
    can_wait=is_without_news,
    delay_seconds=DELAY_SECONDS,
    settles=True,
    field_manager="deployment-controller",
)
