"""Shapes that several kinds of eventing have: filters, channels, sources. Pure."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from hearth.knative.duck import (
    STRING_MAP,
    Addressable,
    DeliverySpec,
    DeliveryStatus,
    Destination,
    Status,
)
from hearth.kube.models import PRESERVE, Int64, Kept, Model, Opaque, Schema, Url

AnyMap = Annotated[STRING_MAP, Schema(PRESERVE, whole=True)]
"""A map of texts that the API server takes as it comes: the webhook looks at it."""
UrlText = Annotated[Url | None, Schema({"type": "string"}, whole=True)]


class AppliedPolicy(Model):
    """An EventPolicy that applies."""

    api_version: str = ""
    name: str = ""


class Auth(Model):
    """The service accounts that deliveries are made as."""

    service_account_name: str | None = None
    service_account_names: list[str] = Field(default_factory=list)


# -- filters -----------------------------------------------------------------------------------

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
    exact: AnyMap = Field(default_factory=dict)
    """Attributes that equal these values."""
    prefix: AnyMap = Field(default_factory=dict)
    """Attributes that start with these values."""
    suffix: AnyMap = Field(default_factory=dict)
    """Attributes that end with these values."""
    cesql: str = ""
    """A CloudEvents SQL expression."""


# -- channels ----------------------------------------------------------------------------------


class ChannelTemplate(Model):
    """The kind of channel to make, and its spec."""

    go_type: ClassVar[str] = "v1.ChannelTemplateSpec"

    api_version: str = ""
    """API version of the channel."""
    kind: str = ""
    """Kind of the channel."""
    spec: Opaque | None = None
    """Spec of the channel, passed on as it is."""


class SubscriberSpec(Model):
    """One subscriber of a channel, resolved."""

    go_type: ClassVar[str] = "v1.SubscriberSpec"

    name: str | None = None
    """Name of the Subscription."""
    uid: str = ""
    """UID of the Subscription: which subscriber this is."""
    generation: Int64 = 0
    """Generation of the Subscription."""
    subscriber_uri: UrlText = None
    """Who gets the events."""
    subscriber_ca_certs: Annotated[str | None, Field(alias="subscriberCACerts")] = None
    """Certificates (PEM) to trust when sending there."""
    subscriber_audience: str | None = None
    """OIDC audience of the subscriber."""
    reply_uri: UrlText = None
    """Who gets the subscriber's replies."""
    reply_ca_certs: Annotated[str | None, Field(alias="replyCACerts")] = None
    """Certificates (PEM) to trust when sending there."""
    reply_audience: str | None = None
    """OIDC audience of who gets the replies."""
    delivery: DeliverySpec | None = None
    """How events are delivered to this subscriber."""
    auth: Auth | None = None
    """Identity used for sending."""


class SubscribableSpec(Model):
    """What subscribers are written to."""

    subscribers: list[SubscriberSpec] = Field(default_factory=list)
    """The subscribers of the channel; written by its Subscriptions."""


class ChannelableSpec(SubscribableSpec):
    """What all channels have."""

    delivery: DeliverySpec | None = None
    """How events are delivered where a Subscription says nothing else."""


class SubscriberStatus(Model):
    """What has become of a subscriber of a channel."""

    uid: str = ""
    """UID of the Subscription."""
    observed_generation: Int64 = 0
    """Generation of the Subscription that is served."""
    ready: str = ""
    """Whether it gets events: True, False or Unknown."""
    message: str = ""
    """Why it gets none."""
    auth: Auth | None = None
    """Identity used for sending."""


class ChannelableStatus(Status, DeliveryStatus):
    """What all channels tell of themselves."""

    address: Addressable | None = None
    """Where events are sent to."""
    addresses: list[Addressable] = Field(default_factory=list)
    """All addresses events can be sent to."""
    subscribers: list[SubscriberStatus] = Field(default_factory=list)
    """What has become of each subscriber."""
    policies: list[AppliedPolicy] = Field(default_factory=list)
    """The EventPolicies that apply."""


# -- sources -----------------------------------------------------------------------------------


class CloudEventOverrides(Model):
    """What is set on each event that a source sends."""

    extensions: AnyMap = Field(default_factory=dict)
    """Extension attributes to add or replace."""


class SourceSpec(Model):
    """What all sources have."""

    sink: Kept[Destination] = Field(default_factory=Destination)
    """Where the events go."""
    ce_overrides: CloudEventOverrides | None = None
    """What is set on each event."""


class CloudEventAttributes(Model):
    """A type of events that a source sends, and their source."""

    type: str = ""
    source: str = ""


class SourceStatus(Status):
    """What all sources tell of themselves."""

    sink_uri: str | None = None
    """Where the events go, resolved."""
    sink_ca_certs: Annotated[str | None, Field(alias="sinkCACerts")] = None
    """Certificates (PEM) to trust when sending there."""
    sink_audience: str | None = None
    """OIDC audience of the sink."""
    ce_attributes: list[CloudEventAttributes] = Field(default_factory=list)
    """The events it sends."""
    auth: Auth | None = None
    """Identity used for sending."""


class AddressStatus(Status):
    """What kinds tell that events are sent to."""

    address: Addressable | None = None
    """Where events are sent to."""
    addresses: list[Addressable] = Field(default_factory=list)
    """All addresses events can be sent to."""
    policies: list[AppliedPolicy] = Field(default_factory=list)
    """The EventPolicies that apply."""
