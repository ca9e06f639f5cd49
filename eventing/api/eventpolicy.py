"""EventPolicy: who may send events where."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from eventing.api.definitions import READY, Look, define
from eventing.api.filters import validate_filters
from eventing.api.settings import Settings
from eventing.api.shapes import SubscriptionsAPIFilter
from hearth.knative.admission.kinds import Change
from hearth.knative.duck import LabelSelector, Status
from hearth.knative.fielderrors import (
    Errors,
    FieldError,
    invalid,
    missing,
    missing_one_of,
    multiple_one_of,
    via,
)
from hearth.knative.resources import EVENTPOLICIES
from hearth.kube.models import Kept, Model


class ToReference(Model):
    """An object that events are sent to."""

    go_type: ClassVar[str] = "v1alpha1.EventPolicyToReference"

    api_version: str = ""
    kind: Kept[str] = ""
    name: Kept[str] = ""


class FromReference(ToReference):
    """An object that sends events."""

    go_type: ClassVar[str] = "v1alpha1.EventPolicyFromReference"

    namespace: str = ""


class ToSelector(LabelSelector):
    """Objects of a kind by their labels."""

    go_type: ClassVar[str] = "v1alpha1.EventPolicySelector"

    api_version: str = ""
    kind: str = ""


class PolicyTo(Model):
    """Where events may be sent to."""

    go_type: ClassVar[str] = "v1alpha1.EventPolicySpecTo"

    ref: ToReference | None = None
    """One object."""
    selector: ToSelector | None = None
    """Objects by their labels."""


class PolicyFrom(Model):
    """Who may send."""

    go_type: ClassVar[str] = "v1alpha1.EventPolicySpecFrom"

    ref: FromReference | None = None
    """A source."""
    sub: str | None = None
    """An OIDC subject; an asterisk at its end stands for any ending."""


class EventPolicySpec(Model):
    """Who may send which events where."""

    go_type: ClassVar[str] = "v1alpha1.EventPolicySpec"

    to: list[PolicyTo] = Field(default_factory=list)
    """Where to; anywhere in the namespace when left out."""
    from_: Annotated[list[PolicyFrom], Field(alias="from")] = Field(default_factory=list)
    """Who."""
    filters: list[SubscriptionsAPIFilter] = Field(default_factory=list)
    """Which events: those that match all of these."""


class EventPolicyStatus(Status):
    """What has become of an EventPolicy."""

    from_: Annotated[list[str], Field(alias="from")] = Field(default_factory=list)
    """The subjects that may send."""


def _default(change: Change[EventPolicySpec, Settings]) -> None:
    new = change.new
    senders = [
        each.model_copy(update={"ref": each.ref.model_copy(update={"namespace": new.namespace})})
        if each.ref is not None and not each.ref.namespace
        else each
        for each in new.spec.from_
    ]
    new.spec = new.spec.model_copy(update={"from_": senders})


def _validate(change: Change[EventPolicySpec, Settings]) -> Errors:
    spec = change.new.spec
    if change.creating and not change.settings.features.is_enabled("authentication-oidc"):
        return [FieldError("oidc-authentication feature not enabled")]
    errors: Errors = []
    for number, sender in enumerate(spec.from_):
        errors += via(_check_from(sender), f"from[{number}]")
    for number, target in enumerate(spec.to):
        errors += via(_check_to(target), f"to[{number}]")
    return via(errors + via(validate_filters(spec.filters), "filters"), "spec")


def _check_from(sender: PolicyFrom) -> Errors:
    errors: Errors = []
    if sender.ref is None and not sender.sub:
        errors.append(missing_one_of("ref", "sub"))
    if sender.ref is not None and sender.sub is not None:
        errors.append(multiple_one_of("ref", "sub"))
    if sender.ref is not None:
        errors += via(_check_reference(sender.ref), "ref")
    if sender.sub is not None and "*" in sender.sub[:-1]:
        errors.append(invalid(sender.sub, "sub", "'*' is only allowed as suffix"))
    return errors


def _check_to(target: PolicyTo) -> Errors:
    errors: Errors = []
    if target.ref is None and target.selector is None:
        errors.append(missing_one_of("ref", "selector"))
    if target.ref is not None and target.selector is not None:
        errors.append(multiple_one_of("ref", "selector"))
    if target.ref is not None:
        errors += via(_check_reference(target.ref), "ref")
    return errors


def _check_reference(reference: ToReference) -> Errors:
    given = {"kind": reference.kind, "apiVersion": reference.api_version, "name": reference.name}
    return [missing(field) for field, value in given.items() if not value]


DEFINITION = define(
    EVENTPOLICIES,
    EventPolicySpec,
    EventPolicyStatus,
    Look("Says who may send events where.", columns=READY),
    default=_default,
    validate=_validate,
)
