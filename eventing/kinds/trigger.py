"""Trigger: where its events go, and whether they do. ``reconcile`` is pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from typing import Any

from eventing.api import keys
from eventing.api.views import (
    BROKER_SOURCE,
    TRIGGER_SOURCE,
    TRIGGERS_BY_BROKER,
    broker_key,
    spec_of,
    status_annotation,
    status_of,
    subscribed_mark,
    triggers_of,
)
from eventing.filters import FilterError, compile_trigger
from eventing.kinds.broker import UNRESOLVED_SINK
from eventing.kinds.identity import account_of, accounts_watch, ensured_account, mark_identity
from eventing.kinds.references import Lookup, References, Referrer
from eventing.kinds.settings import ControlSettings
from eventing.kinds.statuses import SINK_FIELDS, delivery_status, going_by, status_updates
from hearth.knative.conditions import ConditionManager, ConditionSet
from hearth.knative.destinations import (
    Reference,
    Resolution,
    Resolved,
    Unresolved,
    not_found,
)
from hearth.knative.resources import TRIGGERS
from hearth.kube import meta
from hearth.kube.conditions import Conditions
from hearth.kube.controllerspec import ControllerSpec, Lister, Watch
from hearth.kube.meta import Key, Object
from hearth.kube.plan import Plan

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
NAME = "trigger"
UNRESOLVED_SUBSCRIBER = "Unable to get the Subscriber's URI"
_SUBSCRIBER_FIELDS = ("subscriberUri", "subscriberCACerts", "subscriberAudience")


@dataclass(frozen=True, slots=True)
class Dependency:
    """The object that the dependency annotation names."""

    obj: Object | None
    missing: str = ""
    """What is said where there is none."""


@dataclass(frozen=True, slots=True)
class Observed:
    """The Trigger and all it refers to."""

    trigger: Object
    broker: Object | None
    subscriber: Resolution
    dead_letter_sink: Resolution | None
    """The Trigger's own; None when it has none."""
    dependency: Dependency | None
    account: Object | None = None
    """The service account that it sends as."""
    look_again: float | None = None
    """Seconds after which something may be there that was not."""


def observe(references: References, lister: Lister, key: Key) -> Observed | None:
    """Read a Trigger and its Broker, and follow what it refers to."""
    lookup = references.lookup(Referrer(NAME, key))
    trigger = lister.get(TRIGGER_SOURCE, *key)
    if trigger is None or meta.is_deleting(trigger):
        return None
    spec = spec_of(trigger)
    sink = (spec.get("delivery") or {}).get("deadLetterSink")
    return Observed(
        trigger=trigger,
        broker=lister.get(BROKER_SOURCE, *broker_key(trigger)),
        subscriber=lookup.resolve(spec.get("subscriber") or {}, key[0]),
        dead_letter_sink=lookup.resolve(sink, key[0]) if sink else None,
        dependency=_dependency(trigger, lookup),
        account=account_of(lister, TRIGGERS, trigger),
        look_again=lookup.look_again,
    )


def _dependency(trigger: Object, lookup: Lookup) -> Dependency | None:
    """Admission has seen to it that the annotation is a reference."""
    text = meta.annotations(trigger).get(keys.DEPENDENCY_ANNOTATION)
    if text is None:
        return None
    given = json.loads(text)
    reference = Reference(
        given.get("apiVersion", ""),
        given.get("kind", ""),
        meta.namespace(trigger),
        given.get("name", ""),
    )
    obj = lookup.get(reference)
    if obj is None or isinstance(obj, Unresolved):
        return Dependency(None, not_found(reference))
    return Dependency(obj)


def reconcile(observed: Observed, /, *, settings: ControlSettings, now: float) -> Plan:
    """Return the status the Trigger should have; nothing to do when it has it.

    Triggers of Brokers of another class are left to whoever serves that class.
    """
    trigger = observed.trigger
    if observed.broker is not None and not settings.serves(observed.broker):
        return Plan()

    decide = going_by(_decide, observed, settings)
    updates = status_updates(TRIGGERS, trigger, CONDITIONS, decide, now=now)
    made = ensured_account(TRIGGERS, trigger, observed.account, settings)
    return Plan((*made, *updates), requeue_after=observed.look_again)


def _decide(
    observed: Observed,
    status: dict[str, Any],
    conditions: ConditionManager,
    settings: ControlSettings,
) -> None:
    """In Knative's order; what comes after a failure stays as it is."""
    if not _mark_broker(observed, conditions):
        return
    if not _mark_subscriber(observed.subscriber, status, conditions):
        return
    if not _mark_dead_letter_sink(observed, status, conditions):
        return
    trigger = observed.trigger
    if not mark_identity(TRIGGERS, trigger, observed.account, status, conditions, settings):
        return
    _mark_subscription(observed.trigger, conditions)
    _mark_dependency(observed.dependency, conditions)


def _mark_broker(observed: Observed, conditions: ConditionManager) -> bool:
    broker = observed.broker
    if broker is None:
        conditions.mark_false(
            keys.BROKER_READY,
            "BrokerDoesNotExist",
            f'Broker "{broker_key(observed.trigger)[1]}" does not exist',
        )
        return False
    ready = Conditions.of(broker).get(keys.READY)
    if ready is None:
        conditions.mark_unknown(
            keys.BROKER_READY, "BrokerNotConfigured", "Broker has not yet been reconciled."
        )
        return False
    conditions.propagate(keys.BROKER_READY, ready)
    observed_generation = status_of(broker).get("observedGeneration")
    return ready["status"] == "True" and observed_generation == meta.generation(broker)


def _mark_subscriber(
    subscriber: Resolution, status: dict[str, Any], conditions: ConditionManager
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
    observed: Observed, status: dict[str, Any], conditions: ConditionManager
) -> bool:
    """The Trigger's own sink first, else the Broker's."""
    for field in SINK_FIELDS:
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
    broker: Object, status: dict[str, Any], conditions: ConditionManager
) -> bool:
    if not (spec_of(broker).get("delivery") or {}).get("deadLetterSink"):
        conditions.mark_true(
            keys.DEAD_LETTER_SINK_RESOLVED,
            "DeadLetterSinkNotConfigured",
            "No dead letter sink is configured.",
        )
        return True
    inherited = {f: v for f, v in status_of(broker).items() if f in SINK_FIELDS}
    if not inherited:
        conditions.mark_false(
            keys.DEAD_LETTER_SINK_RESOLVED,
            f"Broker {meta.name(broker)} didn't set status.deadLetterSinkURI",
        )
        return False
    status |= inherited
    conditions.mark_true(keys.DEAD_LETTER_SINK_RESOLVED)
    return True


def _mark_subscription(trigger: Object, conditions: ConditionManager) -> None:
    """The filter must be one we can serve, and the broker process must be serving it."""
    try:
        compile_trigger(spec_of(trigger))
    except FilterError as error:
        conditions.mark_false(keys.SUBSCRIPTION_READY, "FilterNotSupported", str(error))
        return
    if status_annotation(trigger, keys.SUBSCRIBED_ANNOTATION) == subscribed_mark(trigger):
        conditions.mark_true(keys.SUBSCRIPTION_READY)
    else:
        conditions.mark_unknown(
            keys.SUBSCRIPTION_READY,
            "SubscriptionNotConfigured",
            "Subscription has not yet been reconciled.",
        )


def _mark_dependency(dependency: Dependency | None, conditions: ConditionManager) -> None:
    if dependency is None:
        conditions.mark_true(keys.DEPENDENCY_READY)
        return
    obj = dependency.obj
    if obj is None:
        conditions.mark_false(
            keys.DEPENDENCY_READY,
            "DependencyDoesNotExist",
            f"Dependency does not exist: {dependency.missing}",
        )
        return
    generation, seen = meta.generation(obj), status_of(obj).get("observedGeneration")
    if generation != seen:
        conditions.mark_unknown(
            keys.DEPENDENCY_READY,
            "GenerationNotEqual",
            f"The dependency's metadata.generation, {generation}, is not equal to its "
            f"status.observedGeneration, {seen or 0}.",
        )
        return
    ready = Conditions.of(obj).get(keys.READY)
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


def controller(references: References) -> ControllerSpec[Observed, ControlSettings]:
    """Declare the controller that keeps the status of Triggers."""
    return ControllerSpec(
        NAME,
        TRIGGER_SOURCE,
        partial(observe, references),
        reconcile,
        watches=(Watch(BROKER_SOURCE, triggers_of), accounts_watch(TRIGGERS)),
        indexes=(TRIGGERS_BY_BROKER,),
    )
