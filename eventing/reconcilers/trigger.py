"""Trigger: where its events go, and whether they do. ``reconcile`` is pure."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

from eventing.api import keys
from eventing.filters import FilterError, compile_trigger
from eventing.reconcilers.broker import UNRESOLVED_SINK, delivery_status, is_ours
from hearth.knative.conditions import Condition, Conditions, ConditionSet
from hearth.knative.destinations import Resolution, Resolved, Unresolved
from hearth.knative.resources import TRIGGERS
from hearth.kube import meta
from hearth.kube.meta import Object
from hearth.kube.plan import Plan, UpdateStatus

CONDITIONS = ConditionSet(
    keys.READY,
    (
        keys.BROKER_READY,
        keys.SUBSCRIPTION_READY,
        keys.DEPENDENCY_READY,
        keys.SUBSCRIBER_RESOLVED,
        keys.DEAD_LETTER_SINK_RESOLVED,
        keys.OIDC_IDENTITY_CREATED,
    ),
)
UNRESOLVED_SUBSCRIBER = "Unable to get the Subscriber's URI"
_SUBSCRIBER_FIELDS = ("subscriberUri", "subscriberCACerts", "subscriberAudience")
_SINK_FIELDS = ("deadLetterSinkUri", "deadLetterSinkCACerts", "deadLetterSinkAudience")


@dataclass(frozen=True, slots=True)
class Dependency:
    """The object that the dependency annotation names; ``missing`` says that there is none."""

    obj: Object | None
    missing: str = ""


@dataclass(frozen=True, slots=True)
class Observed:
    """The Trigger and all it refers to."""

    trigger: Object
    broker: Object | None
    subscriber: Resolution
    dead_letter_sink: Resolution | None
    """The Trigger's own; None when it has none."""
    dependency: Dependency | None


def broker_name(trigger: Object) -> str:
    return str((trigger.get("spec") or {}).get("broker", ""))


def reconcile(observed: Observed, *, now: float) -> Plan:
    """The status the Trigger should have; nothing to do when it has it.

    Triggers of Brokers of another class are left to whoever serves that class.
    """
    trigger = observed.trigger
    if observed.broker is not None and not is_ours(observed.broker):
        return Plan()
    old: dict[str, Any] = trigger.get("status") or {}
    status = copy.deepcopy(old)
    conditions = CONDITIONS.manage(status.get("conditions"), now=now)
    conditions.initialize()
    _decide(observed, status, conditions)
    status["conditions"] = conditions.list()
    status["observedGeneration"] = meta.generation(trigger)
    if status == old:
        return Plan()
    return Plan((UpdateStatus(TRIGGERS, {**trigger, "status": status}),))


def _decide(observed: Observed, status: dict[str, Any], conditions: Conditions) -> None:
    """In Knative's order; what comes after a failure stays as it is."""
    if not _mark_broker(observed, conditions):
        return
    if not _mark_subscriber(observed.subscriber, status, conditions):
        return
    if not _mark_dead_letter_sink(observed, status, conditions):
        return
    conditions.mark_true(keys.OIDC_IDENTITY_CREATED, "authentication-oidc feature disabled")
    _mark_subscription(observed.trigger, conditions)
    _mark_dependency(observed.dependency, conditions)


def _mark_broker(observed: Observed, conditions: Conditions) -> bool:
    broker = observed.broker
    if broker is None:
        conditions.mark_false(
            keys.BROKER_READY,
            "BrokerDoesNotExist",
            f'Broker "{broker_name(observed.trigger)}" does not exist',
        )
        return False
    ready = _ready_condition(broker)
    if ready is None:
        conditions.mark_unknown(
            keys.BROKER_READY, "BrokerNotConfigured", "Broker has not yet been reconciled."
        )
        return False
    conditions.propagate(keys.BROKER_READY, ready)
    observed_generation = (broker.get("status") or {}).get("observedGeneration")
    return ready["status"] == "True" and observed_generation == meta.generation(broker)


def _ready_condition(obj: Object) -> Condition | None:
    for condition in (obj.get("status") or {}).get("conditions") or ():
        if condition["type"] == keys.READY:
            return dict(condition)
    return None


def _mark_subscriber(
    subscriber: Resolution, status: dict[str, Any], conditions: Conditions
) -> bool:
    for field in _SUBSCRIBER_FIELDS:
        status.pop(field, None)
    if isinstance(subscriber, Unresolved):
        conditions.mark_false(keys.SUBSCRIBER_RESOLVED, UNRESOLVED_SUBSCRIBER, subscriber.message)
        return False
    values = (subscriber.url, subscriber.ca_certs, subscriber.audience)
    status |= {f: v for f, v in zip(_SUBSCRIBER_FIELDS, values, strict=True) if v}
    conditions.mark_true(keys.SUBSCRIBER_RESOLVED)
    return True


def _mark_dead_letter_sink(
    observed: Observed, status: dict[str, Any], conditions: Conditions
) -> bool:
    """The Trigger's own sink first, else the Broker's."""
    for field in _SINK_FIELDS:
        status.pop(field, None)
    match observed.dead_letter_sink:
        case Resolved() as sink:
            status |= delivery_status(sink)
            conditions.mark_true(keys.DEAD_LETTER_SINK_RESOLVED)
            return True
        case Unresolved(message=message):
            conditions.mark_false(keys.DEAD_LETTER_SINK_RESOLVED, UNRESOLVED_SINK, message)
            return False
    return _inherit_dead_letter_sink(observed.broker or {}, status, conditions)


def _inherit_dead_letter_sink(
    broker: Object, status: dict[str, Any], conditions: Conditions
) -> bool:
    if not ((broker.get("spec") or {}).get("delivery") or {}).get("deadLetterSink"):
        conditions.mark_true(
            keys.DEAD_LETTER_SINK_RESOLVED,
            "DeadLetterSinkNotConfigured",
            "No dead letter sink is configured.",
        )
        return True
    inherited = {f: v for f, v in (broker.get("status") or {}).items() if f in _SINK_FIELDS}
    if not inherited:
        conditions.mark_false(
            keys.DEAD_LETTER_SINK_RESOLVED,
            f"Broker {meta.name(broker)} didn't set status.deadLetterSinkURI",
        )
        return False
    status |= inherited
    conditions.mark_true(keys.DEAD_LETTER_SINK_RESOLVED)
    return True


def _mark_subscription(trigger: Object, conditions: Conditions) -> None:
    """The filter must be one we can serve, and the broker process must be serving it."""
    try:
        compile_trigger(trigger.get("spec") or {})
    except FilterError as error:
        conditions.mark_false(keys.SUBSCRIPTION_READY, "FilterNotSupported", str(error))
        return
    marks = (trigger.get("status") or {}).get("annotations") or {}
    if marks.get(keys.SUBSCRIBED_ANNOTATION) == str(meta.generation(trigger)):
        conditions.mark_true(keys.SUBSCRIPTION_READY)
    else:
        conditions.mark_unknown(
            keys.SUBSCRIPTION_READY,
            "SubscriptionNotConfigured",
            "Subscription has not yet been reconciled.",
        )


def _mark_dependency(dependency: Dependency | None, conditions: Conditions) -> None:
    if dependency is None:
        conditions.mark_true(keys.DEPENDENCY_READY)
        return
    found = dependency.obj
    if found is None:
        conditions.mark_false(
            keys.DEPENDENCY_READY,
            "DependencyDoesNotExist",
            f"Dependency does not exist: {dependency.missing}",
        )
        return
    generation, seen = meta.generation(found), (found.get("status") or {}).get("observedGeneration")
    if generation != seen:
        conditions.mark_unknown(
            keys.DEPENDENCY_READY,
            "GenerationNotEqual",
            f"The dependency's metadata.generation, {generation}, is not equal to its "
            f"status.observedGeneration, {seen or 0}.",
        )
        return
    ready = _ready_condition(found)
    if ready is None:
        conditions.mark_unknown(
            keys.DEPENDENCY_READY,
            "DependencyNotConfigured",
            "Dependency has not yet been reconciled.",
        )
    elif ready["status"] == "True":
        conditions.mark_true(keys.DEPENDENCY_READY)
    else:
        conditions.propagate(keys.DEPENDENCY_READY, ready)
