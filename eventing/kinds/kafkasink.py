"""KafkaSink: its address, and whether its topic is there. ``reconcile`` is pure.

The broker process takes its events and knows its topic; it says so in the status. The conditions
are upstream's; there is no ConfigMap between control and broker here, so those about it are True.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from eventing.api import keys
from eventing.api.kafkasinkviews import FINALIZER, TOPIC_OWNER, owner_of, problem_of
from eventing.api.sinkviews import KAFKASINK_SOURCE
from eventing.api.views import spec_of, status_annotation
from eventing.kinds.children import with_finalizer, without_finalizer
from eventing.kinds.policies import policies_of, policies_watch
from eventing.kinds.references import References
from eventing.kinds.settings import ControlSettings
from eventing.kinds.statuses import going_by, mark_policies, mark_served, status_updates
from hearth.knative.conditions import ConditionManager, ConditionSet
from hearth.knative.resources import KAFKASINKS
from hearth.kube import meta
from hearth.kube.controllerspec import ControllerSpec, Lister
from hearth.kube.meta import Key, Object, finalizers
from hearth.kube.plan import Plan

DATA_PLANE_AVAILABLE, PROBE_SUCCEEDED = "DataPlaneAvailable", "ProbeSucceeded"
_TRUE = ("ConfigMapUpdated", "ConfigParsed")
CONDITIONS = ConditionSet(
    keys.READY,
    (
        keys.ADDRESSABLE,
        DATA_PLANE_AVAILABLE,
        keys.TOPIC_READY,
        *_TRUE,
        PROBE_SUCCEEDED,
        keys.EVENT_POLICIES_READY,
    ),
)
NAME = "kafkasink"


@dataclass(frozen=True, slots=True)
class Observed:
    """The KafkaSink, and the EventPolicies about it."""

    sink: Object
    policies: Sequence[Object] = ()


def observe(lister: Lister, key: Key) -> Observed | None:
    """Read a KafkaSink."""
    sink = lister.get(KAFKASINK_SOURCE, *key)
    return Observed(sink, policies_of(lister, KAFKASINKS, sink)) if sink is not None else None


def reconcile(observed: Observed, /, *, settings: ControlSettings, now: float) -> Plan:
    """Tell where events are sent to; what is to go waits for its topic."""
    sink = observed.sink
    if meta.is_deleting(sink):
        is_done = status_annotation(sink, keys.CLOSED_ANNOTATION) == "true"
        if FINALIZER not in finalizers(sink) or not is_done:
            return Plan()
        return Plan((without_finalizer(KAFKASINKS, sink, FINALIZER),))
    if FINALIZER not in finalizers(sink):
        return Plan((with_finalizer(KAFKASINKS, sink, FINALIZER),))
    decide = going_by(_decide, observed, settings)
    return Plan((), then=status_updates(KAFKASINKS, sink, CONDITIONS, decide, now=now))


def _decide(
    observed: Observed,
    status: dict[str, Any],
    conditions: ConditionManager,
    settings: ControlSettings,
) -> None:
    sink, owner = observed.sink, owner_of(observed.sink)
    status.setdefault("annotations", {})[TOPIC_OWNER] = owner
    for kind in _TRUE:
        conditions.mark_true(kind)
    opened = status_annotation({"status": status}, keys.OPENED_ANNOTATION) == "true"
    problem = problem_of(status)
    mark_policies(observed.policies, status, conditions, settings)
    mark_served(KAFKASINKS, sink, status, conditions, settings)
    if opened or problem:
        conditions.mark_true(DATA_PLANE_AVAILABLE)
    else:
        text = "The broker process has not said yet that it takes events."
        conditions.mark_unknown(DATA_PLANE_AVAILABLE, "Data plane not available", text)
    if opened:
        topic = spec_of(sink).get("topic")
        conditions.mark_true(keys.TOPIC_READY, f"Topic {topic} (owner {owner})")
        conditions.mark_true(PROBE_SUCCEEDED)
    else:
        conditions.mark_unknown(PROBE_SUCCEEDED, "ProbeStatus", "status: NotReady")
        conditions.mark_unknown(keys.TOPIC_READY)
    if problem and not opened:
        conditions.mark_false(keys.TOPIC_READY, *problem)


def controller(references: References) -> ControllerSpec[Observed, ControlSettings]:
    """Declare the controller that keeps KafkaSinks."""
    return ControllerSpec(
        NAME,
        KAFKASINK_SOURCE,
        observe,
        reconcile,
        watches=(policies_watch(KAFKASINK_SOURCE),),
    )
