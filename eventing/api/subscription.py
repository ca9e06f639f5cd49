"""Subscription: events of a channel go to a subscriber, its replies to somebody else."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from eventing.api.checks import (
    IMMUTABLE,
    check_namespace,
    default_delivery,
    default_destination,
    right_to_subscribe,
    validate_delivery,
    validate_destination,
    validate_reference,
)
from eventing.api.definitions import MESSAGING, Look, define
from eventing.api.deliveryoptions import check_options, check_start
from eventing.api.settings import Features, Settings
from eventing.api.shapes import Auth
from hearth.knative.admission.kinds import Change
from hearth.knative.duck import DeliverySpec, DeliveryStatus, Destination, KReference, Status
from hearth.knative.fielderrors import Errors, FieldError, missing, via
from hearth.knative.resources import SUBSCRIPTIONS
from hearth.knative.structdiff import short_diff
from hearth.kube.models import Kept, Model, Schema

_UNSET = Destination()


class SubscriptionSpec(Model):
    """Which channel's events go to whom."""

    go_type: ClassVar[str] = "v1.SubscriptionSpec"

    channel: Annotated[Kept[KReference], Schema({"x-kubernetes-preserve-unknown-fields": True})] = (
        Field(default_factory=KReference)
    )
    """The channel to take events from; cannot be changed."""
    subscriber: Destination | None = None
    """Who gets the events."""
    reply: Destination | None = None
    """Who gets the subscriber's replies."""
    delivery: DeliverySpec | None = None
    """How events are delivered; counts instead of the channel's."""


class PhysicalSubscription(DeliveryStatus):
    """A Subscription with all addresses resolved."""

    subscriber_uri: str | None = None
    """Where the events go."""
    subscriber_ca_certs: Annotated[str | None, Field(alias="subscriberCACerts")] = None
    """Certificates (PEM) to trust when sending there."""
    subscriber_audience: str | None = None
    """OIDC audience of the subscriber."""
    reply_uri: str | None = None
    """Where the subscriber's replies go."""
    reply_ca_certs: Annotated[str | None, Field(alias="replyCACerts")] = None
    """Certificates (PEM) to trust when sending there."""
    reply_audience: str | None = None
    """OIDC audience of who gets the replies."""


class SubscriptionStatus(Status):
    """What has become of a Subscription."""

    physical_subscription: PhysicalSubscription | None = None
    """The addresses, resolved."""
    auth: Auth | None = None
    """Identity used for sending."""


def _default(change: Change[SubscriptionSpec, Settings]) -> None:
    new, spec = change.new, change.new.spec
    new.spec = spec.model_copy(
        update={
            "subscriber": spec.subscriber and default_destination(spec.subscriber, new.namespace),
            "reply": spec.reply and default_destination(spec.reply, new.namespace),
            "delivery": default_delivery(spec.delivery, new.namespace),
        }
    )


def _validate(change: Change[SubscriptionSpec, Settings]) -> Errors:
    errors = via(_check(change.new.spec, change.settings.features), "spec")
    errors += check_options(change.new.annotations)
    errors += check_start(change.new.annotations, "Subscription")
    return errors if change.old is None else errors + _changes(change.old.spec, change.new.spec)


def _check(spec: SubscriptionSpec, features: Features) -> Errors:
    if spec.channel == KReference():
        return [_required("channel")]
    errors = validate_reference(spec.channel, features, parent=None)
    errors = via(errors + check_namespace(spec.channel, features), "channel")
    if spec.subscriber is None or spec.subscriber == _UNSET:
        errors.append(_required("subscriber"))
    else:
        errors += via(validate_destination(spec.subscriber, features), "subscriber")
    if spec.reply is not None and spec.reply != _UNSET:
        errors += via(validate_destination(spec.reply, features), "reply")
    return errors + via(validate_delivery(spec.delivery, features), "delivery")


def _required(field: str) -> FieldError:
    return FieldError(missing().message, (field,), f"the Subscription must reference a {field}")


def _changes(old: SubscriptionSpec, new: SubscriptionSpec) -> Errors:
    others = {"subscriber": None, "reply": None, "delivery": None}
    before, after = old.model_copy(update=others), new.model_copy(update=others)
    diff = short_diff(before, after, "v1.SubscriptionSpec")
    return [FieldError(IMMUTABLE, ("spec",), diff)] if diff else []


DEFINITION = define(
    SUBSCRIPTIONS,
    SubscriptionSpec,
    SubscriptionStatus,
    Look("Has events of a channel delivered.", categories=MESSAGING, short_names=("sub",)),
    default=_default,
    validate=_validate,
    right=lambda change: right_to_subscribe(
        change.new.spec.channel, change.new.namespace, change.settings.features
    ),
)
