"""NatsJetStreamChannel: a channel whose events NATS JetStream keeps (knative-extensions)."""

from __future__ import annotations

from typing import Annotated, ClassVar

from annotated_types import Ge
from pydantic import Field

from eventing.api.channel import default_channelable
from eventing.api.definitions import ADDRESSABLE, AGE, MESSAGING, READY, URL, Look, define
from eventing.api.deliveryoptions import check_options
from eventing.api.inmemorychannel import check_scope, check_subscribers
from eventing.api.natsjetstream import spec_problems
from eventing.api.settings import Settings
from eventing.api.shapes import ChannelableSpec, ChannelableStatus
from hearth.knative.admission.kinds import Change
from hearth.knative.fielderrors import Errors
from hearth.knative.resources import NATSJETSTREAMCHANNELS
from hearth.kube.models import Int32, Int64, Kept, Model, Opaque, Schema

_Position = Annotated[Int64, Ge(0), Schema({"minimum": 0})]


class StreamPlacement(Model):
    """Which servers have a stream."""

    go_type: ClassVar[str] = "v1alpha1.StreamPlacement"

    cluster: str = ""
    """The cluster it is in."""
    tags: list[str] = Field(default_factory=list)
    """Tags that its servers have."""


class StreamSource(Model):
    """Another stream whose messages a stream takes in."""

    go_type: ClassVar[str] = "v1alpha1.StreamSource"

    name: str = ""
    """Name of the other stream."""
    opt_start_seq: _Position = 0
    """The first message."""
    opt_start_time: str | None = None
    """When the first message came."""
    filter_subject: str = ""
    """Only messages of this subject."""


class StreamConfig(Model):
    """What a stream is made with."""

    go_type: ClassVar[str] = "v1alpha1.StreamConfig"

    additional_subjects: list[str] = Field(default_factory=list)
    """What others publish there are events of the channel, too."""
    retention: str = ""
    """Limits keeps for a while what nobody needs any more; Interest and Work do not."""
    max_consumers: Int32 = 0
    """The most subscribers."""
    max_msgs: Int64 = 0
    """The most events."""
    max_bytes: Int64 = 0
    """The most bytes; producers get half of them."""
    discard: str = ""
    """What a full stream does: New refuses events, Old drops the oldest."""
    max_age: str = ""
    """How long events are kept."""
    max_msg_size: Int32 = 0
    """The largest event."""
    storage: str = ""
    """File or Memory."""
    replicas: Int32 = 0
    """How many servers have each event."""
    no_ack: bool = False
    """Not supported: who sends is told that an event is stored."""
    duplicate_window: str = ""
    """How long an event of the same source and id is a duplicate."""
    placement: StreamPlacement | None = None
    """Which servers have the stream."""
    mirror: StreamSource | None = None
    """Not supported: a stream that is a copy of another takes no events."""
    sources: list[StreamSource] = Field(default_factory=list)
    """Not supported."""


class Stream(Model):
    """The stream of a channel."""

    go_type: ClassVar[str] = "v1alpha1.Stream"

    override_name: str = ""
    """Its name, where it is not to be made of the channel's."""
    config: StreamConfig | None = None
    """What it is made with."""


class ConsumerConfigTemplate(Model):
    """What consumers are made with, of which each subscriber has one."""

    go_type: ClassVar[str] = "v1alpha1.ConsumerConfigTemplate"

    deliver_policy: str = ""
    """Where a new subscriber begins: New, All, Last, ByStartSequence or ByStartTime."""
    opt_start_seq: _Position = 0
    """The first event, with ByStartSequence."""
    opt_start_time: str | None = None
    """When the first event came, with ByStartTime."""
    ack_wait: str = ""
    """After this time an event whose process is gone is given to another."""
    max_deliver: Int32 = 0
    """Without effect: delivery.retry says how often an event is sent."""
    filter_subject: str = ""
    """Only events of this subject."""
    replay_policy: Kept[str] = ""
    """Instant, or Original: at the rate at which they came."""
    rate_limit_bps: Annotated[_Position, Field(alias="rateLimitBPS")] = 0
    """Without effect: events are pulled."""
    sample_frequency: str = ""
    """The percentage of acknowledgements that the server tells of."""
    max_ack_pending: Int32 = 0
    """The most events that a subscriber may have unsettled."""
    consumer_type: str = ""
    """Without effect: events are pulled."""
    fetch_max_wait: str = ""
    """Without effect: events come as soon as they are there."""
    fetch_batch_size: Annotated[Int32, Schema({"minimum": 1})] = 0
    """Without effect: as many events are pulled as there is room for."""


class NatsJetStreamChannelSpec(ChannelableSpec):
    """What a NatsJetStreamChannel is to do."""

    go_type: ClassVar[str] = "v1alpha1.NatsJetStreamChannelSpec"

    stream: Stream | None = None
    """The stream that has its events."""
    consumer_config_template: ConsumerConfigTemplate | None = None
    """The consumers of its subscribers."""
    deployment_spec_template: Opaque | None = None
    """Without effect: Hearth's own processes deliver."""


class NatsJetStreamChannelStatus(ChannelableStatus):
    """What has become of a NatsJetStreamChannel."""


def _default(change: Change[NatsJetStreamChannelSpec, Settings]) -> None:
    default_channelable(change.new)


def _validate(change: Change[NatsJetStreamChannelSpec, Settings]) -> Errors:
    spec, annotations = change.new.spec, change.new.annotations
    errors = check_subscribers(spec) + check_scope(annotations) + check_options(annotations)
    return errors + spec_problems(spec.model_dump(by_alias=True, exclude_defaults=True))


DEFINITION = define(
    NATSJETSTREAMCHANNELS,
    NatsJetStreamChannelSpec,
    NatsJetStreamChannelStatus,
    Look(
        "A channel whose events NATS JetStream keeps.",
        columns=(*READY, URL, AGE),
        labels=ADDRESSABLE | {"messaging.knative.dev/subscribable": "true"},
        categories=(*MESSAGING, "channel"),
        short_names=("natsjsmc",),
    ),
    default=_default,
    validate=_validate,
)
