"""PodAutoscaler of the HPA class: hands the scaling to a HorizontalPodAutoscaler. Pure."""

from __future__ import annotations

from hearth.knative.resources import PODAUTOSCALERS
from hearth.kube.meta import Object, is_controlled_by, is_deleting, name
from hearth.kube.plan import Action, Create, Plan, Update
from hearth.kube.resources import HPAS
from hearth.kube.views import View
from serving.api import keys
from serving.api.schedule import Scheduled
from serving.api.settings import Settings
from serving.autoscaler.scale import active_threshold
from serving.autoscaler.spec import bounds_of, scheduled_of
from serving.kinds.drift import merged_drift
from serving.kinds.podautoscaler.hpa_children import make_hpa
from serving.kinds.podautoscaler.kpa import CONDITIONS, Observed, serve
from serving.kinds.status import Draft


def reconcile(observed: Observed, *, settings: Settings, now: float) -> Plan:
    """Keep a HorizontalPodAutoscaler, and tell what it tells."""
    podautoscaler = observed.podautoscaler
    if is_deleting(podautoscaler):
        return Plan()
    draft = Draft(podautoscaler, CONDITIONS, now=now)
    actions: list[Action] = []
    existing = observed.hpa
    if existing is not None and not is_controlled_by(existing, podautoscaler):
        message = (
            f'There is an existing HorizontalPodAutoscaler "{name(existing)}" that we do not own.'
        )
        draft.conditions.mark_false(keys.ACTIVE, "NotOwned", message)
        return Plan(draft.writes(PODAUTOSCALERS), requeue_after=10.0)
    scheduled = scheduled_of(podautoscaler, observed.service, now)
    actions += _bring_about(podautoscaler, existing, settings, scheduled=scheduled)
    if serve(observed, podautoscaler, draft=draft, actions=actions):
        _tell(draft, observed, existing, settings=settings)
    writes = draft.writes(PODAUTOSCALERS, is_foretold=True)
    changes_at = scheduled.changes_at
    return Plan((*actions, *writes), requeue_after=None if changes_at is None else changes_at - now)


def _bring_about(
    podautoscaler: Object, existing: Object | None, settings: Settings, *, scheduled: Scheduled
) -> tuple[Action, ...]:
    desired = make_hpa(podautoscaler, settings.autoscaler, scheduled)
    if existing is None:
        return (Create(HPAS, desired),)
    updated = merged_drift(desired, existing)
    return () if updated is None else (Update(HPAS, updated),)


def _tell(draft: Draft, observed: Observed, hpa: Object | None, *, settings: Settings) -> None:
    conditions = draft.conditions
    status = View(hpa).status
    current = int(status.get("currentReplicas") or 0)
    if observed.ready_pods > 0:
        conditions.mark_true(keys.SKS_READY)
        bounds = bounds_of(observed.podautoscaler, settings)
        if max(current, observed.ready_pods) >= active_threshold(bounds, initialized=False):
            conditions.mark_true(keys.SCALE_TARGET_INITIALIZED)
    else:
        conditions.mark_unknown(keys.SKS_READY, "NotReady", "SKS Services are not ready yet")
    # A HorizontalPodAutoscaler never goes to zero.
    conditions.mark_true(keys.ACTIVE)
    draft.fields["desiredScale"] = int(status.get("desiredReplicas") or 0)
    draft.fields["actualScale"] = max(current, observed.ready_pods)
