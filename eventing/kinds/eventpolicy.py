"""EventPolicy: the subjects that it lets send. ``reconcile`` is pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from eventing.api import keys
from eventing.api.policyviews import EVENTPOLICY_SOURCE
from eventing.api.views import spec_of, status_of
from eventing.kinds.references import Lookup, References, Referrer
from eventing.kinds.settings import ControlSettings
from eventing.kinds.statuses import going_by, status_updates
from hearth.knative.conditions import ConditionManager, ConditionSet
from hearth.knative.destinations import Reference, Unresolved, not_found
from hearth.knative.resources import EVENTPOLICIES
from hearth.kube import meta
from hearth.kube.controllerspec import ControllerSpec, Lister
from hearth.kube.meta import Key, Object
from hearth.kube.plan import Plan

AUTHENTICATION_ENABLED = "AuthenticationEnabled"
SUBJECTS_RESOLVED = "SubjectsResolved"
CONDITIONS = ConditionSet(keys.READY, (AUTHENTICATION_ENABLED, SUBJECTS_RESOLVED))
NAME = "eventpolicy"
_PREFIX = "could not resolve subjects from reference: could not resolve auth status: "


@dataclass(frozen=True, slots=True)
class Observed:
    """The policy, and those it lets send."""

    policy: Object
    subjects: list[str] | Unresolved
    look_again: float | None = None
    """Seconds after which a kind referred to may be there that was not."""


def observe(references: References, lister: Lister, key: Key) -> Observed | None:
    """Read a policy and look up who its senders send as."""
    lookup = references.lookup(Referrer(NAME, key))
    policy = lister.get(EVENTPOLICY_SOURCE, *key)
    if policy is None or meta.is_deleting(policy):
        return None
    return Observed(policy, _subjects(policy, lookup), lookup.look_again)


def _subjects(policy: Object, lookup: Lookup) -> list[str] | Unresolved:
    subjects: list[str] = []
    for sender in spec_of(policy).get("from") or ():
        if not sender.get("ref"):
            subjects.append(sender.get("sub", ""))
            continue
        found = _subjects_of(sender["ref"], meta.namespace(policy), lookup)
        if isinstance(found, Unresolved):
            return Unresolved(f"{_PREFIX}{found.message}")
        subjects += found
    return subjects


def _subjects_of(ref: Mapping[str, Any], home: str, lookup: Lookup) -> list[str] | Unresolved:
    where, title = ref.get("namespace") or home, ref.get("name", "")
    reference = Reference(ref.get("apiVersion", ""), ref.get("kind", ""), where, title)
    found = lookup.get(reference)
    if found is None or isinstance(found, Unresolved):
        why = not_found(reference) if found is None else found.message
        return Unresolved(
            f"failed to get authenticatable {where}/{title}: "
            f"failed to get object {where}/{title}: {why}"
        )
    auth = status_of(found).get("auth")
    if not auth:
        return Unresolved(f".status.auth is missing in object {where}/{title}")
    accounts = [*(auth.get("serviceAccountNames") or ()), auth.get("serviceAccountName")]
    return [f"system:serviceaccount:{where}:{each}" for each in accounts if each]


def reconcile(observed: Observed, /, *, settings: ControlSettings, now: float) -> Plan:
    """Tell whom the policy lets send, or why that cannot be told."""
    decide = going_by(_decide, observed, settings)
    updates = status_updates(EVENTPOLICIES, observed.policy, CONDITIONS, decide, now=now)
    return Plan(updates, requeue_after=observed.look_again)


def _decide(
    observed: Observed,
    status: dict[str, Any],
    conditions: ConditionManager,
    settings: ControlSettings,
) -> None:
    if not settings.authenticates:
        conditions.mark_false(AUTHENTICATION_ENABLED, "OIDCAuthenticationDisabled")
        return
    conditions.mark_true(AUTHENTICATION_ENABLED)
    match observed.subjects:
        case Unresolved(message=message):
            conditions.mark_false(SUBJECTS_RESOLVED, "SubjectsNotResolved", message)
        case subjects:
            conditions.mark_true(SUBJECTS_RESOLVED)
            status["from"] = subjects


def controller(references: References) -> ControllerSpec[Observed, ControlSettings]:
    """Declare the controller that keeps EventPolicies."""
    return ControllerSpec(NAME, EVENTPOLICY_SOURCE, partial(observe, references), reconcile)
