"""The kinds of channels that we serve, and what tells them apart. Pure.

A kind here has its addresses, its Service, its log and its subscribers served like all others
(``kinds.servedchannel``, ``runtime.channels``); its module in ``api`` says what may stand in it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from eventing.api import kafka, keys, natsjetstream
from eventing.api.deliveryoptions import KAFKA_ORDER
from hearth.knative.names import child_name
from hearth.knative.resources import (
    CHANNELS,
    INMEMORYCHANNELS,
    KAFKACHANNELS,
    NATSJETSTREAMCHANNELS,
)
from hearth.kube.controllerspec import Source
from hearth.kube.meta import Key, Object
from hearth.kube.resources import Resource

Options = Callable[[Object, Object | None], Mapping[str, Any]]
"""Returns what a channel asks of its log, in the words of its engine; raises ValueError."""

_SERVED = (keys.DISPATCHER_READY, keys.SERVICE_READY, keys.ENDPOINTS_READY)
_ALL = (keys.ADDRESSABLE, keys.CHANNEL_SERVICE_READY)
_OURS = (keys.DEAD_LETTER_SINK_RESOLVED, keys.EVENT_POLICIES_READY)


def _nothing(_channel: Object, _config_map: Object | None) -> Mapping[str, Any]:
    return {}


@dataclass(frozen=True, slots=True)
class ChannelKind:
    """One kind of channels."""

    resource: Resource
    place: str
    """What its channels are called where events are sent to (``runtime.places``)."""
    path: str
    """What paths of its channels begin with, at the ingress."""
    role: str
    """Of its Services, as Knative labels them."""
    engine_class: str
    """Whose engine keeps its events."""
    conditions: tuple[str, ...]
    """What ``Ready`` depends on."""
    by_log: tuple[str, ...] = _SERVED
    """What is true once the broker process has the log open."""
    by_subscribers: str = ""
    """What is true once all subscribers are served; nothing where that is told of each alone."""
    problem: str = "LogNotOpen"
    """The reason that is given where it cannot be opened."""
    suffix: str = "-kn-channel"
    """What the names of its Services end in. Where kinds have the same one and channels of one
    name, the host leads to that of the kind that comes first."""
    config_map: str | None = None
    """The ConfigMap of ``knative-eventing`` that ``options`` is given."""
    options: Options = _nothing
    usual: Mapping[str, str] = field(default_factory=dict, hash=False)
    """Annotations on delivery that count where nobody says anything else."""

    @property
    def source(self) -> Source:
        """Where its objects are read from."""
        return Source(self.resource)

    def service_name(self, channel: Key) -> str:
        """Return the name of the Service that stands for a channel, as in Knative."""
        return child_name(channel[1], self.suffix)


INMEMORY = ChannelKind(
    INMEMORYCHANNELS,
    place="channel",
    path=CHANNELS.plural,
    role="in-memory-channel",
    engine_class=keys.BROKER_CLASS,
    conditions=(keys.SERVICE_READY, keys.ENDPOINTS_READY, *_ALL, *_OURS),
)
NATSJETSTREAM = ChannelKind(
    NATSJETSTREAMCHANNELS,
    place="natsjetstreamchannel",
    path=NATSJETSTREAMCHANNELS.plural,
    role="nats-jetstream-channel",
    engine_class=keys.NATS_CLASS,
    conditions=(*_SERVED, *_ALL, keys.STREAM_READY, *_OURS),
    by_log=(*_SERVED, keys.STREAM_READY),
    problem="DispatcherCreateStreamFailed",
    suffix="-kn-jsm-channel",
    options=natsjetstream.channel_options,
)

_BY_TOPIC = (keys.TOPIC_READY, "ConfigMapUpdated", "ConfigParsed", "ProbeSucceeded")
KAFKA = ChannelKind(
    KAFKACHANNELS,
    place="kafkachannel",
    path=KAFKACHANNELS.plural,
    role="kafka-channel",
    engine_class=keys.KAFKA_CLASS,
    conditions=("Subscribers", *_BY_TOPIC, *_ALL, *_OURS),
    by_log=_BY_TOPIC,
    by_subscribers="Subscribers",
    problem="Failed to obtain Kafka cluster admin",
    config_map=kafka.FEATURES_MAP,
    options=kafka.channel_options,
    usual={KAFKA_ORDER: "ordered"},
)

CHANNEL_KINDS = (INMEMORY, NATSJETSTREAM, KAFKA)
BY_PLACE: Mapping[str, ChannelKind] = {kind.place: kind for kind in CHANNEL_KINDS}
