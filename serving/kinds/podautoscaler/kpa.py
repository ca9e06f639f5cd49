"""PodAutoscaler of the KPA class: Services, the scale target's replicas, and the status. Pure.

The number of pods comes in as a decision of the autoscaler; here it meets its bounds. The Services
take the place of Knative's ServerlessService, so the condition keeps that name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from hearth.knative.conditions import ConditionSet
from hearth.knative.resources import PODAUTOSCALERS
from hearth.kube import meta
from hearth.kube.clock import parse_rfc3339
from hearth.kube.conditions import Conditions
from hearth.kube.meta import Object, is_controlled_by, is_deleting, name, namespace
from hearth.kube.plan import Action, Create, Patch, Plan, Update
from hearth.kube.resources import DEPLOYMENTS, SERVICES
from hearth.kube.views import Workload
from serving.api import keys, views
from serving.api.serverless import MODE_SERVE
from serving.api.settings import Settings
from serving.autoscaler.scale import (
    TIMED_OUT,
    UNKNOWN,
    Active,
    Bounds,
    Phase,
    Scale,
    active_condition,
    active_threshold,
    limited,
    settle,
)
from serving.autoscaler.spec import bounds_of, scheduled_of
from serving.kinds.drift import merged_drift
from serving.kinds.podautoscaler.burst import (
    activators_text,
    averaged_text,
    endpoint_actions,
    mode_of,
)
from serving.kinds.podautoscaler.deletioncost import cost_patches
from serving.kinds.podautoscaler.services import make_revision_services, private_name
from serving.kinds.status import Draft
from serving.routing.surge import GONE, SURGE_SECONDS, Limits

CONDITIONS = ConditionSet(keys.READY, (keys.ACTIVE, keys.SCALE_TARGET_INITIALIZED, keys.SKS_READY))


@dataclass(frozen=True, slots=True)
class Observed:
    """What the reconciler sees of one PodAutoscaler."""

    podautoscaler: Object
    public: Object | None = None
    private: Object | None = None
    """The two Services, by name."""
    deployment: Object | None = None
    """The scale target."""
    service: Object | None = None
    """Knative's, where it belongs to one."""
    hpa: Object | None = None
    """Who scales it, where the class asks for a HorizontalPodAutoscaler."""
    ready_pods: int = 0
    desired: int = UNKNOWN
    """What the autoscaler asks for; -1 before it knows."""
    pods: tuple[Object, ...] = ()
    busy: Mapping[str, int] = field(default_factory=dict)
    """Requests in flight by pod, as far as they are known."""
    excess: int = -1
    """Requests that could come at once beyond the target burst capacity; below 0 it is missing."""
    activators: tuple[Object, ...] = ()
    """EndpointSlices of the activators."""
    shown: Object | None = None
    """The EndpointSlice that shows them as those of the public Service."""
    limits: Limits | None = None
    """Of a rollout that is bounded in pods."""


def reconcile(observed: Observed, *, settings: Settings, now: float) -> Plan:
    """Keep the Services, set the target's replicas as decided, and tell how it stands."""
    podautoscaler = observed.podautoscaler
    if is_deleting(podautoscaler):
        return Plan()
    draft = Draft(podautoscaler, CONDITIONS, now=now)
    actions: list[Action] = []
    bounds = bounds_now(observed, settings, now)
    scale = wanted_scale(observed, bounds, now=now)
    mode = mode_of(podautoscaler, desired=scale.desired, excess=observed.excess)
    if not serve(observed, podautoscaler, draft=draft, actions=actions, mode=mode):
        return Plan((*actions, *draft.writes(PODAUTOSCALERS)), requeue_after=10.0)
    text = activators_text(podautoscaler, mode, observed.ready_pods, settings.autoscaler)
    retry = meta.annotations(podautoscaler).get(keys.RETRY)
    averaged = averaged_text(podautoscaler, settings.autoscaler)
    told = {keys.ACTIVATORS: text, keys.AVERAGED: averaged, keys.RETRY: retry}
    draft.put("annotations", {name: each for name, each in told.items() if each} or None)
    patch = scale_patch(observed, scale)
    costs = _costs(observed, scale) if patch is not None else ()
    _tell(draft, observed, bounds=bounds, scale=scale)
    writes = (*actions, *draft.writes(PODAUTOSCALERS, is_foretold=True))
    scaling = () if patch is None else (patch,)
    if costs:  # known before the step that goes by them
        return Plan((*costs, *writes), then=scaling, requeue_after=scale.look_again_after)
    return Plan((*scaling, *writes), requeue_after=scale.look_again_after)


def _costs(observed: Observed, scale: Scale) -> tuple[Patch, ...]:
    """Return what says which pods go when some do and some stay."""
    if not 0 < scale.desired < Workload(observed.deployment).replicas:
        return ()
    return cost_patches(observed.pods, observed.busy, keep=scale.desired)


def serve(
    observed: Observed,
    podautoscaler: Object,
    *,
    draft: Draft,
    actions: list[Action],
    mode: str = MODE_SERVE,
) -> bool:
    """Brings the two Services about, and what they lead to; whether their names are ours.

    The status names them in any case: its schema asks for both.
    """
    draft.put("serviceName", name(podautoscaler))
    draft.put("metricsServiceName", private_name(podautoscaler))
    in_path = endpoint_actions(
        podautoscaler, mode, activators=observed.activators, shown=observed.shown
    )
    to_pods = mode == MODE_SERVE or not observed.activators
    desired = make_revision_services(podautoscaler, to_pods=to_pods)
    for service, existing in zip(desired, (observed.public, observed.private), strict=True):
        if existing is None:
            actions.append(Create(SERVICES, service))
        elif not is_controlled_by(existing, podautoscaler):
            message = f'There is an existing Service "{name(service)}" that we do not own.'
            draft.conditions.mark_false(keys.ACTIVE, "NotOwned", message)
            return False
        else:
            updated = merged_drift(service, existing)
            if updated is not None:
                actions.append(Update(SERVICES, updated))
    actions += in_path
    return True


def bounds_now(observed: Observed, settings: Settings, now: float) -> Bounds:
    """Return the limits of this moment."""
    podautoscaler = observed.podautoscaler
    scheduled = scheduled_of(podautoscaler, observed.service, now)
    return limited(bounds_of(podautoscaler, settings, scheduled), observed.limits)


def wanted_scale(observed: Observed, bounds: Bounds, *, now: float) -> Scale:
    """Return the decision within its bounds."""
    limits = observed.limits
    if limits == GONE:
        return Scale(0, apply=True)
    phase = phase_of(observed.podautoscaler, now)
    if observed.desired < 0 and not bounds.min_scale and _went_to_sleep(observed, phase):
        return Scale(0, apply=True)
    scale = settle(observed.desired, phase, bounds=bounds, now=now)
    if limits is None:
        return scale
    return replace(
        scale, look_again_after=min(scale.look_again_after or SURGE_SECONDS, SURGE_SECONDS)
    )


def _went_to_sleep(observed: Observed, phase: Phase) -> bool:
    """Whether its pods were given up by one who could not say so any more.

    The autoscaler that has begun since knows nothing; without this it would be said to wake up, and
    after minutes that it could not.
    """
    is_active, deployment = phase.active is Active.TRUE, observed.deployment
    return is_active and deployment is not None and not Workload(deployment).replicas


def urgent_patch(observed: Observed, *, settings: Settings, now: float) -> Patch | None:
    """Return the write that wakes the target up, when that cannot wait for a reconcile."""
    bounds = bounds_now(observed, settings, now)
    return scale_patch(observed, wanted_scale(observed, bounds, now=now))


def scale_patch(observed: Observed, scale: Scale) -> Patch | None:
    """Return the write that sets the Deployment's replicas; None when there is nothing to change.

    Goes to the Deployment itself, not to its scale: the answer is the Deployment as it is now, so
    the next decision is not made on an old one.
    """
    deployment = observed.deployment
    if deployment is None or not scale.apply:
        return None
    if Workload(deployment).replicas == scale.desired:
        return None
    patch = {"spec": {"replicas": scale.desired}}
    return Patch(DEPLOYMENTS, name(deployment), namespace(deployment), patch)


def phase_of(podautoscaler: Object, now: float) -> Phase:
    """Return where the PodAutoscaler stands, as its own status tells."""
    conditions = Conditions.of(podautoscaler)
    since = conditions.transition_time(keys.ACTIVE) or meta.creation_timestamp(podautoscaler)
    reached = conditions.transition_time(keys.SCALE_TARGET_INITIALIZED)
    is_initialized = conditions.is_true(keys.SCALE_TARGET_INITIALIZED)
    at, created = parse_rfc3339(since) if since else now, meta.creation_timestamp(podautoscaler)
    gave_up = conditions.reason(keys.ACTIVE) == TIMED_OUT[0]
    return Phase(
        active=Active(conditions.status(keys.ACTIVE)),
        since=at,
        initialized_at=(parse_rfc3339(reached) if reached else now) if is_initialized else None,
        gave_up_at_age=at - (parse_rfc3339(created) if created else at) if gave_up else None,
        is_retried=meta.annotations(podautoscaler).get(keys.RETRY) != _retried(podautoscaler),
    )


def _retried(podautoscaler: Object) -> str | None:
    """Return the retry that was asked for last and has begun."""
    told = views.PodAutoscaler(podautoscaler).status.get("annotations") or {}
    value: str | None = told.get(keys.RETRY)
    return value


def _tell(draft: Draft, observed: Observed, *, bounds: Bounds, scale: Scale) -> None:
    conditions = draft.conditions
    if observed.ready_pods > 0:
        conditions.mark_true(keys.SKS_READY)
    else:
        conditions.mark_unknown(keys.SKS_READY, "NotReady", "K8s Service is not ready")
    draft.fields["actualScale"] = observed.ready_pods
    if scale.desired >= 0 or draft.fields.get("desiredScale", UNKNOWN) < 0:
        draft.fields["desiredScale"] = scale.desired
    was = Active(conditions.status(keys.ACTIVE))
    initialized = conditions.is_true(keys.SCALE_TARGET_INITIALIZED)
    min_ready = active_threshold(bounds, initialized=initialized)
    if observed.ready_pods >= min_ready:
        conditions.mark_true(keys.SCALE_TARGET_INITIALIZED)
    becomes = active_condition(scale.desired, observed.ready_pods, min_ready=min_ready, was=was)
    if becomes is None:
        return
    active, reason, message = becomes
    match active:
        case Active.TRUE:
            conditions.mark_true(keys.ACTIVE)
        case Active.FALSE:
            conditions.mark_false(keys.ACTIVE, reason, message)
        case Active.UNKNOWN:
            conditions.mark_unknown(keys.ACTIVE, reason, message)
