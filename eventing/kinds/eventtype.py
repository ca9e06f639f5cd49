"""EventType: whether what it says has the events is there. ``reconcile`` is pure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from eventing.api import keys
from eventing.api.views import spec_of
from eventing.kinds.references import References, Referrer
from eventing.kinds.settings import ControlSettings
from eventing.kinds.statuses import status_updates
from hearth.knative.conditions import ConditionManager, ConditionSet
from hearth.knative.destinations import Reference, Unresolved
from hearth.knative.resources import EVENTTYPES
from hearth.kube import meta
from hearth.kube.controllerspec import ControllerSpec, Lister, Source
from hearth.kube.meta import Key, Object
from hearth.kube.plan import Plan

REFERENCE_EXISTS = "ReferenceExists"
CONDITIONS = ConditionSet(keys.READY, (REFERENCE_EXISTS,))
NAME = "eventtype"
EVENTTYPE_SOURCE = Source(EVENTTYPES)


@dataclass(frozen=True, slots=True)
class Observed:
    """The EventType and what it refers to."""

    event_type: Object
    referred: Object | Unresolved | None
    look_again: float | None = None
    """Seconds after which the kind referred to may be there that was not."""


def observe(references: References, lister: Lister, key: Key) -> Observed | None:
    """Read an EventType and look up what it refers to."""
    lookup = references.lookup(Referrer(NAME, key))
    event_type = lister.get(EVENTTYPE_SOURCE, *key)
    if event_type is None or meta.is_deleting(event_type):
        return None
    given = _reference(event_type)
    if not given:
        return Observed(event_type, None)
    whole = ("apiVersion", "kind", "namespace", "name")
    absent = [field for field in whole if not given.get(field)]
    if absent:
        return Observed(event_type, Unresolved(f"{', '.join(absent)} of the reference not given"))
    referred = lookup.get(Reference(*(given[field] for field in whole)))
    return Observed(event_type, referred, lookup.look_again)


def _reference(event_type: Object) -> dict[str, Any]:
    reference: dict[str, Any] = spec_of(event_type).get("reference") or {}
    return {field: value for field, value in reference.items() if value}


def reconcile(observed: Observed, /, *, settings: ControlSettings, now: float) -> Plan:
    """Tell whether what is referred to is there."""

    def decide(status: dict[str, Any], conditions: ConditionManager) -> None:
        _decide(observed, conditions)

    updates = status_updates(EVENTTYPES, observed.event_type, CONDITIONS, decide, now=now)
    return Plan(updates, requeue_after=observed.look_again)


def _decide(observed: Observed, conditions: ConditionManager) -> None:
    if not _reference(observed.event_type):
        conditions.mark_true(REFERENCE_EXISTS, "ReferenceNotSet", "spec.reference is not set")
        return
    match observed.referred:
        case None:
            conditions.mark_false(
                REFERENCE_EXISTS,
                "ResourceDoesNotExist",
                "Resource in spec.reference does not exist",
            )
        case Unresolved(message=message):
            text = f"Failed to get reference: {message}"
            conditions.mark_unknown(REFERENCE_EXISTS, "ReferenceGetFailed", text)
        case _:
            conditions.mark_true(REFERENCE_EXISTS)


def controller(references: References) -> ControllerSpec[Observed, ControlSettings]:
    """Declare the controller that keeps EventTypes."""
    return ControllerSpec(NAME, EVENTTYPE_SOURCE, partial(observe, references), reconcile)
