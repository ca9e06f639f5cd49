"""Parts of statuses that several kinds have. Pure."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from eventing.api import keys
from eventing.api.sinkviews import path_of
from eventing.api.views import status_annotation, status_of
from eventing.kinds.settings import ControlSettings
from hearth.knative.conditions import ConditionManager, ConditionSet
from hearth.knative.destinations import Resolution, Resolved, Unresolved
from hearth.knative.resources import EVENTPOLICIES
from hearth.kube import meta
from hearth.kube.conditions import Conditions
from hearth.kube.gotext import quote
from hearth.kube.meta import Object
from hearth.kube.plan import Action, UpdateStatus
from hearth.kube.resources import Resource

SINK_FIELDS = ("deadLetterSinkUri", "deadLetterSinkCACerts", "deadLetterSinkAudience")
OIDC_DISABLED = "authentication-oidc feature disabled"

Seen = TypeVar("Seen")
Decide = Callable[[dict[str, Any], ConditionManager], None]
"""Completes a status and its conditions."""


def going_by(
    decide: Callable[[Seen, dict[str, Any], ConditionManager, ControlSettings], None],
    observed: Seen,
    settings: ControlSettings,
) -> Decide:
    """Return a decision that goes by what was observed, and by settings."""
    return lambda status, conditions: decide(observed, status, conditions, settings)


def status_updates(
    resource: Resource, obj: Object, kinds: ConditionSet, decide: Decide, *, now: float
) -> tuple[Action, ...]:
    """Return the write of the status that an object should have; nothing when it has it."""
    old = status_of(obj)
    status = copy.deepcopy(old)
    conditions = kinds.manage(status.get("conditions"), now=now)
    conditions.initialize()
    decide(status, conditions)
    status["conditions"] = conditions.list()
    status["observedGeneration"] = meta.generation(obj)
    return () if status == old else (UpdateStatus(resource, {**obj, "status": status}),)


def mark_dead_letter_sink(
    sink: Resolution | None, status: dict[str, Any], conditions: ConditionManager, *, reason: str
) -> None:
    """Tell where dead letters go; ``reason`` is given where that cannot be found out."""
    for field in SINK_FIELDS:
        status.pop(field, None)
    match sink:
        case None:
            conditions.mark_true(
                keys.DEAD_LETTER_SINK_RESOLVED,
                "DeadLetterSinkNotConfigured",
                "No dead letter sink is configured.",
            )
        case Resolved():
            status |= delivery_status(sink)
            conditions.mark_true(keys.DEAD_LETTER_SINK_RESOLVED)
        case Unresolved(message=message):
            conditions.mark_false(keys.DEAD_LETTER_SINK_RESOLVED, reason, message)


def delivery_status(sink: Resolved) -> dict[str, str]:
    """Return the status fields of a resolved dead letter sink."""
    values = (sink.url, sink.ca_certs, sink.audience)
    return {field: value for field, value in zip(SINK_FIELDS, values, strict=True) if value}


def mark_policies(
    policies: Sequence[Object],
    status: dict[str, Any],
    conditions: ConditionManager,
    settings: ControlSettings,
) -> None:
    """Tell who may send: by the policies that apply, or by what holds without any."""
    ready = [each for each in policies if Conditions.of(each).is_true(keys.READY)]
    status.pop("policies", None)
    if ready:
        status["policies"] = [
            {"apiVersion": EVENTPOLICIES.api_version, "name": meta.name(each)} for each in ready
        ]
    if len(ready) < len(policies):
        others = ", ".join(meta.name(each) for each in policies if each not in ready)
        text = f"event policies {others} are not ready"
        conditions.mark_false(keys.EVENT_POLICIES_READY, "EventPoliciesNotReady", text)
    elif policies:
        conditions.mark_true(keys.EVENT_POLICIES_READY)
    elif settings.authenticates:
        mode = settings.features.flags[keys.AUTHORIZATION_FLAG]
        text = f"Default authz mode is {quote(mode)}"
        conditions.mark_true(keys.EVENT_POLICIES_READY, "DefaultAuthorizationMode", text)
    else:
        text = f'Feature "{keys.OIDC_FLAG}" must be enabled to support Authorization'
        conditions.mark_true(keys.EVENT_POLICIES_READY, "OIDCDisabled", text)


def mark_address(
    resource: Resource,
    obj: Object,
    status: dict[str, Any],
    conditions: ConditionManager,
    settings: ControlSettings,
    *,
    path: str,
    url: str | None = None,
) -> None:
    """Tell where events are sent to: a path of the ingress, unless ``url`` says otherwise."""
    plain = f"{settings.ingress_url}{path}" if url is None else url
    found = settings.addresses(resource, obj, plain, path)
    for field in ("address", "addresses"):
        status.pop(field, None)
    if not found:
        text = "transport-encryption is on, and the broker process does not serve TLS yet."
        conditions.mark_unknown(keys.ADDRESSABLE, "NotEncrypted", text)
        return
    # In between both are told, and who knows one address only has the plain one, as with Knative.
    status["address"] = found[-1]
    if found[0]["name"] == "https":
        status["addresses"] = found
    conditions.mark_true(keys.ADDRESSABLE)


def mark_served(
    resource: Resource,
    obj: Object,
    status: dict[str, Any],
    conditions: ConditionManager,
    settings: ControlSettings,
) -> None:
    """Tell the address of what the broker process serves without a log, once it says it does."""
    if status_annotation({"status": status}, keys.OPENED_ANNOTATION) != "true":
        text = "The broker process does not take events for it yet."
        conditions.mark_unknown(keys.ADDRESSABLE, "NotServed", text)
        return
    path = path_of(resource, obj)
    mark_address(resource, obj, status, conditions, settings, path=path)


_SOURCE_SINK = ("sinkUri", "sinkCACerts", "sinkAudience")
SOURCE_FIELDS = (*_SOURCE_SINK, "ceAttributes", "auth")
"""What every source's status has, besides conditions."""


def mark_sink(
    sink: Resolution,
    status: dict[str, Any],
    conditions: ConditionManager,
    *,
    reason: str,
    prefix: str | None = "",
) -> None:
    """Tell where a source sends; else why not, after ``prefix``, or without a word where None."""
    for field in _SOURCE_SINK:
        status.pop(field, None)
    match sink:
        case Resolved():
            values = (sink.url, sink.ca_certs, sink.audience)
            found = zip(_SOURCE_SINK, values, strict=True)
            status |= {field: value for field, value in found if value}
            conditions.mark_true(keys.SINK_PROVIDED)
        case Unresolved(message=message):
            text = "" if prefix is None else f"{prefix}{message}"
            conditions.mark_false(keys.SINK_PROVIDED, reason, text)
