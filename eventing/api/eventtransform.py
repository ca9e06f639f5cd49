"""EventTransform: events are made into others by an expression."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from eventing.api.checks import validate_destination
from eventing.api.definitions import ADDRESSABLE, AGE, READY, SINK, URL, Look, define
from eventing.api.settings import Features, Settings
from eventing.api.shapes import AppliedPolicy, Auth
from hearth.knative.admission.kinds import Change
from hearth.knative.duck import Addressable, Destination, Status
from hearth.knative.fielderrors import Errors, FieldError, missing_one_of, multiple_one_of, via
from hearth.knative.resources import EVENTTRANSFORMS
from hearth.kube.models import Model

_NO_CERTIFICATES = (
    "CACerts for the sink is not supported for JSONata transformations, to propagate CA trust "
    "bundles use labeled ConfigMaps: https://knative.dev/docs/eventing/features/"
    "transport-encryption/#configure-additional-ca-trust-bundles"
)
_ADVICE = (
    "Suggestion: create a new transformation, migrate services to the new one, and delete this "
    "transformation."
)


class Jsonata(Model):
    """An expression in JSONata."""

    go_type: ClassVar[str] = "v1alpha1.JsonataEventTransformationSpec"

    expression: str = ""


class Transformations(Model):
    """How an event is made into another."""

    go_type: ClassVar[str] = "v1alpha1.EventTransformations"

    jsonata: Jsonata | None = None
    """By JSONata."""


class ReplySpec(Transformations):
    """What becomes of the sink's reply."""

    go_type: ClassVar[str] = "v1alpha1.ReplySpec"

    discard: bool | None = None
    """Whether replies are dropped."""


class EventTransformSpec(Transformations):
    """What is made of events, and where the result goes."""

    go_type: ClassVar[str] = "v1alpha1.EventTransformSpec"

    sink: Destination | None = None
    """Where the result goes; back to the sender when left out."""
    reply: ReplySpec | None = None
    """What becomes of the sink's reply."""


class EventTransformStatus(Status):
    """What has become of an EventTransform."""

    address: Addressable | None = None
    """Where events are sent to."""
    addresses: list[Addressable] = Field(default_factory=list)
    """All addresses events can be sent to."""
    sink_uri: str | None = None
    """Where the result goes, resolved."""
    sink_ca_certs: Annotated[str | None, Field(alias="sinkCACerts")] = None
    """Certificates (PEM) to trust when sending there."""
    sink_audience: str | None = None
    """OIDC audience of the sink."""
    auth: Auth | None = None
    """Identity used for sending."""
    policies: list[AppliedPolicy] = Field(default_factory=list)
    """The EventPolicies that apply."""


def _default(change: Change[EventTransformSpec, Settings]) -> None:
    """There is nothing to fill in."""


def _validate(change: Change[EventTransformSpec, Settings]) -> Errors:
    new, old = change.new, change.old
    errors = _check(new.spec, change.settings.features, parent=new.namespace)
    if old is not None:
        errors += _changes(old.spec, new.spec)
    return via(errors, "spec")


def _check(spec: EventTransformSpec, features: Features, *, parent: str) -> Errors:
    errors: Errors = [] if spec.jsonata is not None else [missing_one_of("jsonata")]
    if spec.sink is not None:
        problems = validate_destination(spec.sink, features, parent=parent)
        if spec.sink.ca_certs is not None and spec.jsonata is not None:
            problems = [*problems, FieldError(_NO_CERTIFICATES, ("CACerts",))]
        errors += via(problems, "sink")
    if spec.reply is None:
        return errors
    if spec.sink is None:
        return [*errors, *via([FieldError("reply is set without spec.sink", ("",))], "reply")]
    if spec.reply.jsonata is not None and spec.reply.discard:
        errors += via([multiple_one_of("jsonata", "discard")], "reply")
    return errors


def _changes(old: EventTransformSpec, new: EventTransformSpec) -> Errors:
    if (old.jsonata is None) == (new.jsonata is None):
        return []
    what = (
        "jsonata transformation cannot be changed to a different transformation type. "
        if old.jsonata is None
        else "transformation type cannot be changed to a jsonata transformation. "
    )
    text = f"Transformations types are immutable, {what}{_ADVICE}"
    return via([FieldError(text)], "jsonata")


DEFINITION = define(
    EVENTTRANSFORMS,
    EventTransformSpec,
    EventTransformStatus,
    Look(
        "Makes events into others.",
        columns=(URL, SINK, *READY, AGE),
        labels=ADDRESSABLE,
    ),
    default=_default,
    validate=_validate,
)
