"""EventTransform: its expressions, its sink and its address. ``reconcile`` is pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from eventing.api import keys
from eventing.api.policyviews import account_name
from eventing.api.sinkviews import EVENTTRANSFORM_SOURCE
from eventing.api.views import spec_of
from eventing.kinds.identity import account_of, accounts_watch, ensured_account
from eventing.kinds.policies import policies_of, policies_watch
from eventing.kinds.references import References, Referrer
from eventing.kinds.settings import ControlSettings
from eventing.kinds.statuses import going_by, mark_policies, mark_served, status_updates
from eventing.transforms.jsonata import problem_of
from hearth.knative.conditions import ConditionManager, ConditionSet
from hearth.knative.destinations import Resolution, Resolved, Unresolved
from hearth.knative.resources import EVENTTRANSFORMS
from hearth.kube import meta
from hearth.kube.controllerspec import ControllerSpec, Lister
from hearth.kube.meta import Key, Object, name
from hearth.kube.plan import Plan

TRANSFORMATION_READY = "TransformationReady"
CONDITIONS = ConditionSet(
    keys.READY, (TRANSFORMATION_READY, keys.ADDRESSABLE, keys.EVENT_POLICIES_READY)
)
NAME = "eventtransform"
_SINK = ("sinkUri", "sinkCACerts", "sinkAudience")


@dataclass(frozen=True, slots=True)
class Observed:
    """The EventTransform, and what it refers to."""

    transform: Object
    sink: Resolution | None
    """None where results are the answer."""
    problem: str = ""
    """What is wrong with its expressions."""
    account: Object | None = None
    """The service account that it sends as."""
    policies: Sequence[Object] = ()
    """The EventPolicies about it."""
    look_again: float | None = None
    """Seconds after which something may be there that was not."""


def observe(references: References, lister: Lister, key: Key) -> Observed | None:
    """Read an EventTransform, try its expressions, resolve its sink."""
    lookup = references.lookup(Referrer(NAME, key))
    transform = lister.get(EVENTTRANSFORM_SOURCE, *key)
    if transform is None or meta.is_deleting(transform):
        return None
    spec = spec_of(transform)
    return Observed(
        transform,
        lookup.resolve(spec["sink"], key[0]) if spec.get("sink") else None,
        problem=_problem(spec),
        account=account_of(lister, EVENTTRANSFORMS, transform),
        policies=policies_of(lister, EVENTTRANSFORMS, transform),
        look_again=lookup.look_again,
    )


def _problem(spec: dict[str, Any]) -> str:
    for path, part in (("jsonata", spec), ("reply.jsonata", spec.get("reply") or {})):
        if part.get("jsonata"):
            problem = problem_of(part["jsonata"].get("expression", ""))
            if problem:
                return f"spec.{path}.expression: {problem}"
    return ""


def reconcile(observed: Observed, /, *, settings: ControlSettings, now: float) -> Plan:
    """Tell where events are sent to, or what keeps them from being transformed."""
    transform = observed.transform

    decide = going_by(_decide, observed, settings)
    updates = status_updates(EVENTTRANSFORMS, transform, CONDITIONS, decide, now=now)
    made = ensured_account(EVENTTRANSFORMS, transform, observed.account, settings)
    return Plan((*made, *updates), requeue_after=observed.look_again)


def _decide(
    observed: Observed,
    status: dict[str, Any],
    conditions: ConditionManager,
    settings: ControlSettings,
) -> None:
    transform, sink = observed.transform, observed.sink
    status.pop("auth", None)
    if settings.authenticates:
        title = account_name(EVENTTRANSFORMS, name(transform))
        status["auth"] = {"serviceAccountName": title}
    for field in _SINK:
        status.pop(field, None)
    if isinstance(sink, Resolved):
        values = (sink.url, sink.ca_certs, sink.audience)
        status |= {field: v for field, v in zip(_SINK, values, strict=True) if v}
    mark_policies(observed.policies, status, conditions, settings)
    if observed.problem:
        conditions.mark_false(TRANSFORMATION_READY, "JsonataExpressionInvalid", observed.problem)
        return
    if isinstance(sink, Unresolved):
        conditions.mark_false(TRANSFORMATION_READY, "SinkNotResolved", sink.message)
        return
    conditions.mark_true(TRANSFORMATION_READY)
    mark_served(EVENTTRANSFORMS, transform, status, conditions, settings)


def controller(references: References) -> ControllerSpec[Observed, ControlSettings]:
    """Declare the controller that keeps the status of EventTransforms."""
    return ControllerSpec(
        NAME,
        EVENTTRANSFORM_SOURCE,
        partial(observe, references),
        reconcile,
        watches=(policies_watch(EVENTTRANSFORM_SOURCE), accounts_watch(EVENTTRANSFORMS)),
    )
