"""Sequence: events go through one step after the other, each step's reply to the next."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from eventing.api.channel import check_template
from eventing.api.checks import default_destination, validate_delivery, validate_destination
from eventing.api.definitions import ADDRESSABLE, AGE, FLOWS, READY, URL, Look, define
from eventing.api.deliveryoptions import check_options
from eventing.api.flows import (
    ChannelReady,
    FlowStatus,
    SubscriptionReady,
    default_template,
    pointer,
    shown,
)
from eventing.api.settings import Features, Settings
from eventing.api.shapes import ChannelTemplate
from hearth.knative.admission.kinds import Change
from hearth.knative.duck import DeliverySpec, Destination
from hearth.knative.fielderrors import Errors, invalid, missing, via
from hearth.knative.resources import SEQUENCES
from hearth.kube.models import Kept, Model


class SequenceStep(Destination):
    """One step: who gets the events, and how hard to try."""

    go_type: ClassVar[str] = "v1.SequenceStep"

    delivery: DeliverySpec | None = None
    """How events are delivered to this step."""


class SequenceSpec(Model):
    """The steps, and where the reply of the last one goes."""

    go_type: ClassVar[str] = "v1.SequenceSpec"

    steps: Kept[list[SequenceStep]] = Field(default_factory=list)
    """The steps, in order."""
    channel_template: ChannelTemplate | None = None
    """The kind of channel before each step."""
    reply: Destination | None = None
    """Who gets the reply of the last step."""


class SequenceStatus(FlowStatus):
    """What has become of a Sequence."""

    channel_statuses: list[ChannelReady] = Field(default_factory=list)
    """The channels, by step."""
    subscription_statuses: list[SubscriptionReady] = Field(default_factory=list)
    """The Subscriptions, by step."""


def _default(change: Change[SequenceSpec, Settings]) -> None:
    default_template(change)
    new, spec = change.new, change.new.spec
    new.spec = spec.model_copy(
        update={
            "steps": [default_destination(step, new.namespace) for step in spec.steps],
            "reply": spec.reply and default_destination(spec.reply, new.namespace),
        }
    )


def _validate(change: Change[SequenceSpec, Settings]) -> Errors:
    spec, features = change.new.spec, change.settings.features
    errors: Errors = [] if spec.steps else [missing("steps")]
    for number, step in enumerate(spec.steps):
        if _check_step(step, features):
            value = f"{{{shown(step)} {pointer(step.delivery)}}}"
            errors.append(invalid(value, f"steps[{number}]"))
    errors += check_template(spec.channel_template)
    if spec.reply is not None:
        errors += via(validate_destination(spec.reply, features), "reply")
    return via(errors, "spec") + check_options(change.new.annotations)


def _check_step(step: SequenceStep, features: Features) -> Errors:
    return validate_destination(step, features) + validate_delivery(step.delivery, features)


DEFINITION = define(
    SEQUENCES,
    SequenceSpec,
    SequenceStatus,
    Look(
        "Events go through one step after the other.",
        columns=(URL, AGE, *READY),
        labels=ADDRESSABLE,
        categories=FLOWS,
    ),
    default=_default,
    validate=_validate,
)
