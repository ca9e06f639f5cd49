"""Revision: makes its Deployment and PodAutoscaler, and tells how its pods are. Pure.

ResourcesAvailable and ContainerHealthy make a revision Ready; Active only informs, since a
revision at zero is ready too.
"""

from __future__ import annotations

from dataclasses import dataclass

from hearth.knative.conditions import ConditionSet
from hearth.knative.resources import PODAUTOSCALERS, REVISIONS
from hearth.kube import meta
from hearth.kube.clock import parse_rfc3339
from hearth.kube.conditions import Conditions
from hearth.kube.meta import Object, is_controlled_by, is_deleting, labels, name, uid
from hearth.kube.plan import Action, Create, Event, Plan, Update
from hearth.kube.resources import DEPLOYMENTS
from hearth.kube.views import ContainerStatus, Pod, Workload
from serving.api import keys, views
from serving.api.settings import Settings
from serving.kinds.revision.children import (
    first_replicas,
    initial_replicas,
    is_as_current,
    make_deployment,
    make_podautoscaler,
    reachability_of,
)
from serving.kinds.revision.digests import UNASKED, Digests, kept_images, with_images
from serving.kinds.status import Draft
from serving.routing.surge import Limits

CONDITIONS = ConditionSet(keys.READY, (keys.RESOURCES_AVAILABLE, keys.CONTAINER_HEALTHY))
_DEPLOYING = "Deploying"
_RESOLVING = "ResolvingDigests"
_MISSING = "ContainerMissing"
_DEADLINE = "ProgressDeadlineExceeded"
_FAILED_CREATE = "FailedCreate"
_NOT_OWNED = "NotOwned"
_IS_ANOTHERS = "that we do not own."
_REFUSED_AGAIN_SOON_SECONDS, _REFUSED_AGAIN_SECONDS = 1.0, 60.0


@dataclass(frozen=True, slots=True)
class Observed:
    """What the reconciler sees of one Revision."""

    revision: Object
    deployment: Object | None = None
    podautoscaler: Object | None = None
    pods: tuple[Object, ...] = ()
    service: Object | None = None
    """Knative's, where it belongs to one."""
    replaced: int | None = None
    """The pods of the revision that it replaces, where it asks to begin with as many."""
    limits: Limits | None = None
    """Of a rollout that is bounded in pods."""
    digests: Digests = UNASKED


def reconcile(observed: Observed, *, settings: Settings, now: float) -> Plan:
    """Keep the Deployment and the PodAutoscaler, and tell how the pods are."""
    revision = observed.revision
    if is_deleting(revision):
        return Plan()
    draft = Draft(revision, CONDITIONS, now=now)
    template = settings.observability.revision_url_template
    draft.put("logUrl", template.replace("${REVISION_UID}", uid(revision)))
    _name_images(draft, revision, observed)
    actions: list[Action] = []
    scales: list[Action] = []
    if _deploy(observed, revision, draft=draft, actions=actions, settings=settings):
        _autoscale(observed, revision, draft=draft, actions=scales, settings=settings)
    if draft.became(keys.READY, "True"):
        message = "Revision becomes ready upon all resources being ready"
        actions.append(Event(revision, "Normal", "RevisionReady", message))
    # The Deployment first: pods are what is waited for.
    status = draft.writes(REVISIONS, is_foretold=True)
    return Plan((*actions, *status), then=tuple(scales))


def creation_failed(observed: Observed, error: str, *, now: float) -> Plan:
    """Return what to do after the server refused the Deployment; it may take it later."""
    revision = observed.revision
    draft = Draft(revision, CONDITIONS, now=now)
    reason = _NOT_OWNED if error.endswith(_IS_ANOTHERS) else _FAILED_CREATE
    draft.conditions.mark_false(keys.RESOURCES_AVAILABLE, reason, error)
    writes = draft.writes(REVISIONS)
    event = Event(revision, "Warning", "InternalError", f"failed to create deployment: {error}")
    return Plan((event, *writes) if writes else (), requeue_after=_again_after(revision, now))


def _again_after(revision: Object, now: float) -> float:
    """Try after as long again as it has been refused, within bounds: causes often go soon."""
    since = Conditions.of(revision).transition_time(keys.RESOURCES_AVAILABLE)
    age = now - parse_rfc3339(since) if since and _was_refused(revision) else 0.0
    return min(max(age, _REFUSED_AGAIN_SOON_SECONDS), _REFUSED_AGAIN_SECONDS)


def _deploy(
    observed: Observed,
    revision: Object,
    *,
    draft: Draft,
    actions: list[Action],
    settings: Settings,
) -> bool:
    """Brings the Deployment about and takes over its state; whether to go on."""
    existing, digests = observed.deployment, observed.digests
    if existing is None and not _knows_images(draft, digests):
        return False
    images = digests.images if existing is None else kept_images(revision, existing)
    desired = make_deployment(with_images(revision, images), settings)
    # The status may be written first when the Deployment is there already.
    is_silent = Conditions.of(revision).get(keys.CONTAINER_HEALTHY) is None
    if (existing is None or is_silent) and not _was_refused(revision):
        draft.conditions.mark_unknown(keys.RESOURCES_AVAILABLE, _DEPLOYING)
        draft.conditions.mark_unknown(keys.CONTAINER_HEALTHY, _DEPLOYING)
    if existing is None:
        if (initial := _initial(observed, settings)) is not None:
            desired["spec"]["replicas"] = initial
        if observed.limits is not None:
            desired["spec"]["replicas"] = min(desired["spec"]["replicas"], observed.limits.most)
        _tell_unresolved(draft, digests)
        actions.append(Create(DEPLOYMENTS, desired))
        return True
    if not is_controlled_by(existing, revision):
        _mark_not_owned(draft, "Deployment", name(existing))
        return False
    if not is_same_deployment(desired, existing):
        actions.append(Update(DEPLOYMENTS, _updated_deployment(desired, existing)))
    _take_over_deployment(draft, existing)
    _tell_unresolved(draft, digests)
    view = Workload(existing)
    if view.replicas > 0 and not view.available_replicas:
        _diagnose(draft, existing, observed.pods, settings=settings)
    if view.ready_replicas:
        draft.conditions.mark_true(keys.CONTAINER_HEALTHY)
    return True


def _initial(observed: Observed, settings: Settings) -> int | None:
    """Return the pods that it began with or begins with, where its template gives no number."""
    revision, service = observed.revision, observed.service
    if not is_as_current(revision):
        return None
    if observed.podautoscaler is not None:
        return initial_replicas(observed.podautoscaler, settings)
    if observed.deployment is not None:
        return Workload(observed.deployment).replicas
    return first_replicas(revision, settings, service=service, replaced=observed.replaced)


def _knows_images(draft: Draft, digests: Digests) -> bool:
    """Whether the Deployment can be made; an image that is not there is told as Knative does."""
    if digests.is_pending:
        draft.conditions.mark_unknown(keys.RESOURCES_AVAILABLE, _RESOLVING)
    elif digests.is_missing:
        draft.conditions.mark_false(keys.CONTAINER_HEALTHY, _MISSING, digests.problem)
    return not (digests.is_pending or digests.is_missing)


def _tell_unresolved(draft: Draft, digests: Digests) -> None:
    """Nobody knows whether an image is there: who pulls it will see."""
    if digests.problem and not draft.conditions.is_true(keys.CONTAINER_HEALTHY):
        draft.conditions.mark_unknown(keys.CONTAINER_HEALTHY, _RESOLVING, digests.problem)


def _was_refused(revision: Object) -> bool:
    """Whether the server refused the Deployment the last time.

    The condition says so until one is created: else the status would flap at every try.
    """
    conditions = Conditions.of(revision)
    return conditions.reason(keys.RESOURCES_AVAILABLE) in (_FAILED_CREATE, _NOT_OWNED)


def _mark_not_owned(draft: Draft, kind: str, child: str) -> None:
    message = f'There is an existing {kind} "{child}" {_IS_ANOTHERS}'
    draft.conditions.mark_false(keys.RESOURCES_AVAILABLE, _NOT_OWNED, message)


def is_same_deployment(desired: Object, existing: Object) -> bool:
    """By the hash of what was asked for, since the server fills in defaults."""
    digest = labels(desired)[keys.DEPLOYMENT_HASH]
    return labels(existing).get(keys.DEPLOYMENT_HASH) == digest


def _updated_deployment(desired: Object, existing: Object) -> Object:
    """Keep the replicas, which the autoscaler owns, and the selector, which can never change."""
    metadata = {
        **meta.metadata(existing),
        "labels": {**labels(existing), **labels(desired)},
        "annotations": {**meta.annotations(existing), **meta.annotations(desired)},
    }
    spec = {
        **desired["spec"],
        "replicas": Workload(existing).replicas,
        "selector": Workload(existing).spec["selector"],
    }
    return {**existing, "metadata": metadata, "spec": spec}


def _take_over_deployment(draft: Draft, deployment: Object) -> None:
    """Progress decides; a failure to make pods outweighs it."""
    conditions = Conditions.of(deployment)
    if conditions.is_true("ReplicaFailure"):
        reason, message = conditions.reason("ReplicaFailure"), conditions.message("ReplicaFailure")
        draft.conditions.mark_false(keys.RESOURCES_AVAILABLE, reason, message)
        return
    progressing = conditions.get("Progressing")
    if progressing is None:
        draft.conditions.mark_unknown(keys.RESOURCES_AVAILABLE, _DEPLOYING)
    elif progressing["status"] == "True":
        draft.conditions.mark_true(keys.RESOURCES_AVAILABLE)
    else:
        draft.conditions.propagate(keys.RESOURCES_AVAILABLE, progressing)


def _diagnose(
    draft: Draft, deployment: Object, pods: tuple[Object, ...], *, settings: Settings
) -> None:
    """No pod is available though some should be: what the first one says about it."""
    if not pods:
        return
    pod = Pod(min(pods, key=lambda p: (meta.creation_timestamp(p), name(p))))
    conditions = pod.conditions
    is_refused = conditions.is_false("PodScheduled")
    if is_refused and not settings.deployment.pod_is_always_schedulable:
        reason, message = conditions.reason("PodScheduled"), conditions.message("PodScheduled")
        draft.conditions.mark_false(keys.RESOURCES_AVAILABLE, reason, message)
    timed_out = Conditions.of(deployment).reason("Progressing") == _DEADLINE
    for container in pod.container_statuses:
        if _diagnose_container(draft, container, timed_out=timed_out):
            return


_NO_IMAGE = frozenset({"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"})
"""Told at once: Knative learns it at once too, by asking the registry for the image's digest."""


def _diagnose_container(draft: Draft, container: ContainerStatus, *, timed_out: bool) -> bool:
    ended = container.last_terminated
    if ended is not None:
        code, said = ended.get("exitCode", 0), ended.get("message", "")
        if code == 0 and not said:
            said = "container exited with no error"
        message = f"Container failed with: {said}"
        draft.conditions.mark_false(keys.CONTAINER_HEALTHY, f"ExitCode{code}", message)
        return True
    waiting = container.waiting
    if waiting is not None and (timed_out or waiting.get("reason") in _NO_IMAGE):
        reason, message = waiting.get("reason", ""), waiting.get("message", "")
        draft.conditions.mark_false(keys.RESOURCES_AVAILABLE, reason, message)
        return True
    return False


def _autoscale(
    observed: Observed,
    revision: Object,
    *,
    draft: Draft,
    actions: list[Action],
    settings: Settings,
) -> None:
    existing = observed.podautoscaler
    if existing is not None and not is_controlled_by(existing, revision):
        _mark_not_owned(draft, "PodAutoscaler", name(existing))
        return
    _take_over_podautoscaler(draft, existing)
    reachability = _reachability(draft, revision, observed.deployment)
    desired = make_podautoscaler(
        revision,
        settings,
        reachability=reachability,
        service=observed.service,
        initial=_initial(observed, settings),
    )
    if existing is None:
        actions.append(Create(PODAUTOSCALERS, desired))
    else:
        updated = _podautoscaler_drift(desired, existing)
        if updated is not None:
            actions.append(Update(PODAUTOSCALERS, updated))


def _reachability(draft: Draft, revision: Object, deployment: Object | None) -> str:
    failed = draft.conditions.is_false(keys.RESOURCES_AVAILABLE) or draft.conditions.is_false(
        keys.CONTAINER_HEALTHY
    )
    if failed and deployment is not None:
        view = Workload(deployment)
        if view.replicas > 0 and not view.ready_replicas:
            return keys.UNREACHABLE  # pods that cannot run are not worth keeping
    return reachability_of(revision)


def _podautoscaler_drift(desired: Object, existing: Object) -> Object | None:
    """Autoscaling annotations follow the revision, removed ones included."""
    defaulted = {*keys.CLASS.spellings, *keys.METRIC.spellings}
    own = meta.annotations(desired)
    kept = {
        key: value
        for key, value in meta.annotations(existing).items()
        if key in own or key in defaulted or not key.startswith(keys.AUTOSCALING_GROUP)
    }
    merged = {**kept, **own}
    if desired["spec"] == existing.get("spec") and merged == meta.annotations(existing):
        return None
    metadata = {**meta.metadata(existing), "annotations": merged}
    return {**existing, "metadata": metadata, "spec": desired["spec"]}


def _take_over_podautoscaler(draft: Draft, podautoscaler: Object | None) -> None:
    view = views.PodAutoscaler(podautoscaler)
    for field, scale in (
        ("actualReplicas", view.actual_scale),
        ("desiredReplicas", view.desired_scale),
    ):
        draft.put(field, scale if scale is not None and scale >= 0 else None)
    conditions = draft.conditions
    ready = view.ready
    failed = conditions.is_false(keys.RESOURCES_AVAILABLE) or conditions.is_false(
        keys.CONTAINER_HEALTHY
    )
    if ready is None:
        conditions.mark_unknown(keys.ACTIVE, _DEPLOYING)
        if not failed:
            conditions.mark_unknown(keys.RESOURCES_AVAILABLE, _DEPLOYING)
        return
    initialized = view.conditions.is_true(keys.SCALE_TARGET_INITIALIZED)
    served = bool(view.service_name)
    if initialized and not failed:
        # Initialized means that as many pods as asked for have been ready.
        conditions.mark_true(keys.RESOURCES_AVAILABLE)
        conditions.mark_true(keys.CONTAINER_HEALTHY)
    if conditions.is_true(keys.RESOURCES_AVAILABLE) and not (served and initialized):
        conditions.mark_unknown(keys.RESOURCES_AVAILABLE, _DEPLOYING)
    if ready["status"] == "False" and not initialized and not failed and served:
        message = "Initial scale was never achieved"
        conditions.mark_false(keys.RESOURCES_AVAILABLE, _DEADLINE, message)
    if ready["status"] == "True":
        conditions.mark_true(keys.ACTIVE)
    else:
        conditions.propagate(keys.ACTIVE, ready)


def _name_images(draft: Draft, revision: Object, observed: Observed) -> None:
    """Containers with the digest of their image, where a registry or a pod has told it."""
    made = kept_images(revision, observed.deployment)
    digests = {**_digests(observed.pods), **observed.digests.images, **made}
    view = views.Revision(revision)
    for field, containers in (
        ("containerStatuses", view.containers),
        ("initContainerStatuses", view.init_containers),
    ):
        known = {c["name"]: c.get("imageDigest") for c in draft.fields.get(field) or ()}
        entries = []
        for container in containers:
            own = str(container.get("name", ""))
            digest = known.get(own) or digests.get(own)
            entries.append({"name": own, **({"imageDigest": digest} if digest else {})})
        draft.put(field, entries)


def _digests(pods: tuple[Object, ...]) -> dict[str, str]:
    """By container; of ready pods alone, so that the status is not written for this only."""
    digests: dict[str, str] = {}
    for pod in map(Pod, pods):
        if not pod.is_ready:
            continue
        for container in pod.all_container_statuses:
            image = container.image_id.split("://", 1)[-1]
            if "@sha256:" in image:
                digests.setdefault(container.name, image)
    return digests
