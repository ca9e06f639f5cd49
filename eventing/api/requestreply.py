"""RequestReply: an event is sent through a Broker, and its reply is waited for."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from eventing.api import keys
from eventing.api.checks import validate_delivery, validate_reference
from eventing.api.definitions import READY, URL, Look, define
from eventing.api.settings import Settings
from eventing.api.shapes import AddressStatus
from hearth.knative.admission.kinds import Change
from hearth.knative.duck import DeliverySpec, KReference
from hearth.knative.fielderrors import Errors, disallowed, invalid, missing, via
from hearth.knative.resources import REQUESTREPLIES
from hearth.kube.durations import parse_iso8601_duration
from hearth.kube.models import Int32, Kept, Model

_CORE = ("", "id", "course", "specversion", "type")
"""Knative means the source, but spells it so."""


class RequestReplySpec(Model):
    """Which Broker, and how requests and replies are told from others."""

    go_type: ClassVar[str] = "v1alpha1.RequestReplySpec"

    broker_ref: Kept[KReference] = Field(default_factory=KReference)
    """The Broker that requests go through."""
    correlation_attribute: Kept[str] = ""
    """The attribute that requests are given."""
    reply_attribute: Kept[str] = ""
    """The attribute of a reply that says which request it answers."""
    timeout: str | None = None
    """How long a reply is waited for (ISO 8601)."""
    delivery: DeliverySpec | None = None
    """How replies are delivered."""


class RequestReplyStatus(AddressStatus):
    """What has become of a RequestReply."""

    desired_replicas: Int32 | None = None
    ready_replicas: Int32 | None = None


def _default(change: Change[RequestReplySpec, Settings]) -> None:
    new, spec = change.new, change.new.spec
    new.spec = spec.model_copy(
        update={
            "timeout": spec.timeout or change.settings.features.flags[_TIMEOUT],
            "correlation_attribute": spec.correlation_attribute or "correlationid",
            "reply_attribute": spec.reply_attribute or "replyid",
        }
    )
    new.put("labels", {**new.labels, keys.BROKER_LABEL: spec.broker_ref.name})


_TIMEOUT = "requestreply-default-timeout"


def _validate(change: Change[RequestReplySpec, Settings]) -> Errors:
    new, spec, features = change.new, change.new.spec, change.settings.features
    reference = spec.broker_ref
    problems = validate_reference(reference, features, parent=new.namespace)
    if reference.kind.lower() != "broker":
        problems.append(invalid(reference.kind, "kind", "brokerRef kind must be Broker"))
    if reference.namespace:
        problems.append(disallowed("namespace"))
    errors = via(problems, "brokerRef")
    delivery = validate_delivery(spec.delivery, features, parent=new.namespace)
    errors += via(delivery, "delivery") + _check_timeout(spec.timeout)
    errors += _check_attribute("correlationattribute", spec.correlation_attribute)
    return via(errors + _check_attribute("replyattribute", spec.reply_attribute), "spec")


def _check_timeout(timeout: str | None) -> Errors:
    if timeout is None:
        return [missing("timeout")]
    try:
        seconds = parse_iso8601_duration(timeout)
    except ValueError as error:
        return [invalid(timeout, "timeout", str(error))]
    if seconds <= 0:
        return [invalid(timeout, "timeout", "timeout must be a positive duration")]
    return []


def _check_attribute(field: str, name: str) -> Errors:
    if name not in _CORE:
        return []
    hint = (
        f"{field} must be non-empty and cannot be a core cloudevent attribute "
        "(id, type, specversion, source)"
    )
    return [invalid(name, field, hint)]


DEFINITION = define(
    REQUESTREPLIES,
    RequestReplySpec,
    RequestReplyStatus,
    Look(
        "Sends an event through a Broker and waits for its reply.",
        columns=(URL, *READY),
        short_names=("rr",),
    ),
    default=_default,
    validate=_validate,
)
