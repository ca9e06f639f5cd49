"""Trigger: which events of a Broker go to which subscriber."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field

from hearth.knative.duck import (
    STRING_MAP,
    DeliverySpec,
    DeliveryStatus,
    Destination,
    KReference,
    Status,
)
from hearth.kube.models import PRESERVE, Kept, Model, Schema


class TriggerFilter(Model):
    """The older form of a filter, by equal attributes."""

    go_type: ClassVar[str] = "v1.TriggerFilter"

    attributes: Annotated[STRING_MAP, Schema(PRESERVE)] = Field(default_factory=dict)
    """Attributes an event must have with these values; an empty value matches any."""


_ANY_FILTERS = Schema({"type": "array", "items": PRESERVE}, whole=True)


class SubscriptionsAPIFilter(Model):
    """One filter of the CloudEvents Subscriptions API: at most one dialect is set."""

    go_type: ClassVar[str] = "v1.SubscriptionsAPIFilter"

    all: Annotated[list[SubscriptionsAPIFilter], _ANY_FILTERS] = Field(default_factory=list)
    """Matches when each of these filters does."""
    any: Annotated[list[SubscriptionsAPIFilter], _ANY_FILTERS] = Field(default_factory=list)
    """Matches when one of these filters does."""
    not_: Annotated[
        SubscriptionsAPIFilter | None, Field(alias="not"), Schema(PRESERVE, whole=True)
    ] = None
    """Matches when this filter does not."""
    exact: Annotated[STRING_MAP, Schema(PRESERVE, whole=True)] = Field(default_factory=dict)
    """Attributes that equal these values."""
    prefix: Annotated[STRING_MAP, Schema(PRESERVE, whole=True)] = Field(default_factory=dict)
    """Attributes that start with these values."""
    suffix: Annotated[STRING_MAP, Schema(PRESERVE, whole=True)] = Field(default_factory=dict)
    """Attributes that end with these values."""
    cesql: str = ""
    """A CloudEvents SQL expression."""


class TriggerSpec(Model):
    """Which events go to whom."""

    go_type: ClassVar[str] = "v1.TriggerSpec"
    schema_extra: ClassVar[dict[str, Any]] = {"x-kubernetes-preserve-unknown-fields": True}

    broker: str = ""
    """The Broker to take events from; cannot be changed."""
    broker_ref: KReference | None = None
    """The Broker to take events from, in another namespace; needs a feature flag."""
    filter: TriggerFilter | None = None
    """Which events to deliver, by equal attributes; all when left out."""
    filters: list[SubscriptionsAPIFilter] = Field(default_factory=list)
    """Which events to deliver: those that match all of these. Counts instead of filter."""
    subscriber: Kept[Destination] = Field(default_factory=Destination)
    """Who gets the events."""
    delivery: DeliverySpec | None = None
    """How events are delivered; counts instead of the Broker's."""


class Auth(Model):
    """The service accounts that deliveries are made as."""

    service_account_name: str | None = None
    service_account_names: list[str] = Field(default_factory=list)


class TriggerStatus(Status, DeliveryStatus):
    """What has become of a Trigger."""

    subscriber_uri: str | None = None
    """Where the events go, resolved."""
    subscriber_ca_certs: Annotated[str | None, Field(alias="subscriberCACerts")] = None
    """Certificates (PEM) to trust when sending there."""
    subscriber_audience: str | None = None
    """OIDC audience of the subscriber."""
    auth: Auth | None = None
    """Identity used for sending."""
