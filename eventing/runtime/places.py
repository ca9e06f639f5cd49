"""Where events are sent to: what an address names. Pure.

=================================================  ==========================
request                                            what it is for
=================================================  ==========================
``POST /NAMESPACE/NAME``                           a Broker
any path, host ``NAME-kn-channel.NAMESPACE.svc``   a channel, as Knative names it; whatever
                                                   the cluster's domain that follows
``POST /channels/NAMESPACE/NAME``                  a channel, too: the certificate of the ingress
                                                   has no names of channels
``POST /natsjetstreamchannels/NAMESPACE/NAME``     one of that kind, and so on; its host is
                                                   ``NAME-kn-jsm-channel.NAMESPACE.svc``
``POST /requestreplies/NAMESPACE/NAME``            a RequestReply
``POST /jobsinks/NAMESPACE/NAME``                  a JobSink
``POST /eventtransforms/NAMESPACE/NAME``           an EventTransform
``POST /integrationsinks/NAMESPACE/NAME``          an IntegrationSink, at the broker and at its pod
``POST /kafkasinks/NAMESPACE/NAME``                a KafkaSink
=================================================  ==========================
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from eventing.api.channelkinds import BY_PLACE, CHANNEL_KINDS, INMEMORY, ChannelKind

BROKER, CHANNEL = "broker", INMEMORY.place
REQUEST_REPLY, JOB_SINK = "requestreply", "jobsink"
EVENT_TRANSFORM, INTEGRATION_SINK = "eventtransform", "integrationsink"
KAFKA_SINK = "kafkasink"

_SUFFIXES: dict[str, ChannelKind] = {}
for _kind in reversed(CHANNEL_KINDS):
    _SUFFIXES[_kind.suffix] = _kind  # the first kind with a suffix has its hosts
_KINDS = {
    **{kind.path.encode(): kind.place for kind in CHANNEL_KINDS},
    b"requestreplies": REQUEST_REPLY,
    b"jobsinks": JOB_SINK,
    b"eventtransforms": EVENT_TRANSFORM,
    b"integrationsinks": INTEGRATION_SINK,
    b"kafkasinks": KAFKA_SINK,
}
"""What a path of three parts begins with."""


class Place(NamedTuple):
    """An addressable: what it is, and its name."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


class BadPath(ValueError):
    """A target that names no place; ``status`` is the answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def place_by_host(place: Place) -> Place:
    """Return what a request that names a place by its host is taken to be for.

    That is the place itself, but for channels whose Service has a shortened name (a name of a host
    has 63 characters, the name of a channel may have 253), and for those of a kind whose Services
    are called like those of another.
    """
    kind = BY_PLACE.get(place.kind)
    if kind is None:
        return place
    service = kind.service_name((place.namespace, place.name))
    known = _SUFFIXES[kind.suffix].place
    return Place(known, place.namespace, service.removesuffix(kind.suffix))


def of_one_name(place: Place) -> list[Place]:
    """Return the place, and where it is a channel, those of the other kinds by its name."""
    kinds = BY_PLACE if place.kind in BY_PLACE else (place.kind,)
    return [place._replace(kind=each) for each in kinds]


def kind_of(place: Place) -> str:
    """Return the kind as people call it: a channel, whatever keeps its events."""
    return CHANNEL if place.kind in BY_PLACE else place.kind


@lru_cache(maxsize=1024)
def place_of(authority: bytes, target: bytes) -> Place:
    """Return what a request is for; a slash at the end of a path is allowed, a query ignored."""
    channel = channel_of(authority.partition(b":")[0])
    if channel is not None:
        return channel
    path = target.partition(b"?")[0].removesuffix(b"/")
    parts = path.split(b"/")
    if path == b"":
        raise BadPath(404, "events are sent to /NAMESPACE/BROKER")
    if len(parts) == 4 and parts[1] in _KINDS and all(parts[1:]):
        return Place(_KINDS[parts[1]], parts[2].decode("latin-1"), parts[3].decode("latin-1"))
    if len(parts) != 3 or not all(parts[1:]):
        raise BadPath(400, "malformed path, expected /NAMESPACE/BROKER")
    return Place(BROKER, parts[1].decode("latin-1"), parts[2].decode("latin-1"))


def channel_of(host: bytes) -> Place | None:
    """Return the channel that a host names; None where it names none."""
    service, _, rest = host.lower().decode("latin-1").partition(".")
    namespace, _, domain = rest.partition(".")
    if not namespace or domain.partition(".")[0] != "svc":
        return None
    for suffix, kind in _SUFFIXES.items():
        name = service.removesuffix(suffix)
        if name and name != service:
            return Place(kind.place, namespace, name)
    return None
