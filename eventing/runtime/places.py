"""Where events are sent to: what an address names. Pure.

=================================================  ==========================
request                                            what it is for
=================================================  ==========================
``POST /NAMESPACE/NAME``                           a Broker
any path, host ``NAME-kn-channel.NAMESPACE.svc``   a channel, as Knative names it; whatever
                                                   the cluster's domain that follows
``POST /channels/NAMESPACE/NAME``                  a channel, too: the certificate of the ingress
                                                   has no names of channels
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

from eventing.api.channelviews import SERVICE_SUFFIX, service_name

BROKER, CHANNEL = "broker", "channel"
REQUEST_REPLY, JOB_SINK = "requestreply", "jobsink"
EVENT_TRANSFORM, INTEGRATION_SINK = "eventtransform", "integrationsink"
KAFKA_SINK = "kafkasink"

_SUFFIX = SERVICE_SUFFIX.encode()
_KINDS = {
    b"channels": CHANNEL,
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

    That is the place itself, but for channels whose Service has a shortened name: a name of a host
    has 63 characters, the name of a channel may have 253.
    """
    if place.kind != CHANNEL:
        return place
    service = service_name((place.namespace, place.name))
    return place._replace(name=service.removesuffix(SERVICE_SUFFIX))


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
    service, _, rest = host.lower().partition(b".")
    namespace, _, domain = rest.partition(b".")
    if not service.endswith(_SUFFIX) or not namespace or domain.partition(b".")[0] != b"svc":
        return None
    name = service.removesuffix(_SUFFIX).decode("latin-1")
    return Place(CHANNEL, namespace.decode("latin-1"), name) if name else None
