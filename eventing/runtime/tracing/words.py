"""Names and attributes of spans about events. Pure.

Of events and places as Knative's broker has them (``knative.dev/eventing/pkg/observability``), of
messages as OpenTelemetry's semantic conventions have them. The id of an event, which Knative leaves
out of what it shares with metrics, is what one looks for: here it is told.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import urlsplit

from eventing.engines.event import RenderedEvent
from eventing.runtime.places import BROKER, CHANNEL, Place, kind_of
from hearth.observability.traces.spans import Shared, Value

Attributes = dict[str, Value]

_OF_EVENTS = (
    ("type", "cloudevents.type"),
    ("source", "cloudevents.source"),
    ("specversion", "cloudevents.specversion"),
    ("subject", "cloudevents.subject"),
    ("datacontenttype", "cloudevents.datacontenttype"),
    ("id", "messaging.message.id"),
)
_LONG_HEAD_BYTES = 4096
"""Of an event with longer attributes only those are kept that its spans tell."""
_LONGEST = 1024
"""Characters of a value: attributes of events may have 64 KiB."""


def destination(kind: str, name: str, namespace: str) -> str:
    """Return what Knative calls a Broker, a Trigger, a Subscription in a span."""
    return f"{kind}:{name}.{namespace}"


def of_destination(name: str) -> Attributes:
    """Return what spans say that have to do with messages."""
    return {
        "messaging.system": "knative",
        "messaging.operation.name": "send",
        "messaging.destination.name": name,
    }


def of_place(place: Place) -> Attributes:
    """Return which Broker, channel or sink it is about."""
    kind = kind_of(place)
    if kind in (BROKER, CHANNEL):
        return {f"kn.{kind}.name": place.name, f"kn.{kind}.namespace": place.namespace}
    return {
        "kn.sink.kind": place.kind,
        "kn.sink.name": place.name,
        "kn.sink.namespace": place.namespace,
    }


@lru_cache(maxsize=1024)
def named(place: Place) -> str:
    """Return the name of spans about what is taken in somewhere."""
    return destination(kind_of(place), place.name, place.namespace)


def of_addressable(place: Place) -> Attributes:
    """Return what those spans say of the place."""
    return of_destination(named(place)) | of_place(place)


def of_event(attributes: Mapping[str, object]) -> Attributes:
    """Return which event it is about."""
    told = {name: str(attributes[key]) for key, name in _OF_EVENTS if key in attributes}
    return {name: value[:_LONGEST] for name, value in told.items()}


_recent: dict[int, tuple[Mapping[str, object], Shared]] = {}
_RECENT = 128
"""Events that are remembered: spans of one follow each other closely."""


def shared_of_event(attributes: Mapping[str, object]) -> Shared:
    """Return which event it is about, for all spans that are about these same attributes."""
    found = _recent.get(id(attributes))
    if found is not None and found[0] is attributes:
        return found[1]
    if len(_recent) >= _RECENT:
        _recent.clear()
    made = Shared(of_event(attributes))
    _recent[id(attributes)] = attributes, made
    return made


def kept_of(event: RenderedEvent) -> Mapping[str, str]:
    """Return what is kept of an event until its spans are made: never much."""
    attributes = event.attributes
    if len(event.head) <= _LONG_HEAD_BYTES:
        return attributes
    return main_of(attributes)


def main_of(attributes: Mapping[str, object]) -> dict[str, str]:
    """Return the attributes that spans tell, none of them long."""
    return {key: str(attributes[key])[:_LONGEST] for key, _ in _OF_EVENTS if key in attributes}


def without_secrets(url: str) -> str:
    """Return a URL as it may be told: without what may be a password in it."""
    if "@" not in url and "?" not in url:
        return url
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=host, query="", fragment="").geturl()


@lru_cache(maxsize=256)
def shared_of_url(url: str) -> Shared:
    """Return where a request went, for all spans of requests to it."""
    return Shared(of_url(url))


@lru_cache(maxsize=1024)
def shared_of_addressable(place: Place) -> Shared:
    """Return what spans say of a place where events are taken in."""
    return Shared(of_addressable(place))


def of_url(url: str) -> Attributes:
    """Return where a request went."""
    shown = without_secrets(url)
    parts = urlsplit(shown)
    told: Attributes = {"http.request.method": "POST", "url.full": shown}
    if parts.hostname:
        told["server.address"] = parts.hostname
        told["server.port"] = parts.port or (443 if parts.scheme == "https" else 80)
    return told
