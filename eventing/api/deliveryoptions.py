"""How events are delivered, beyond what Knative's delivery spec can say: annotations. Pure.

On a Trigger or a Subscription; on a Broker or a channel they hold for all that say nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from eventing.api import keys
from eventing.api.enrichment import Enrichment
from eventing.api.joins import JOIN_BRANCH
from hearth.knative.fielderrors import Errors, invalid, via
from hearth.kube.durations import parse_iso8601_duration

_PREFIX = "eventing.hearth.dev/"
UNDELIVERABLE = _PREFIX + "undeliverable"
BACKOFF_JITTER = _PREFIX + "backoff-jitter"
BATCH_SIZE = _PREFIX + "batch-size"
BATCH_WAIT = _PREFIX + "batch-wait"
DELAY = _PREFIX + "delivery-delay"
DELIVERY_TIME = _PREFIX + "delivery-time"
DEDUPLICATE = _PREFIX + "deduplicate"
ENRICH = _PREFIX + "enrich"
CIRCUIT_BREAKER = _PREFIX + "circuit-breaker"
ORDER = _PREFIX + "delivery-order"
ORDER_KEY = _PREFIX + "delivery-order-key"
CONCURRENCY = _PREFIX + "concurrency"
WEIGHT = _PREFIX + "weight"
HANDSHAKE = _PREFIX + "webhook-handshake"
WEBHOOK_ORIGIN = _PREFIX + "webhook-origin"
WEBHOOK_RATE = _PREFIX + "webhook-rate"
KAFKA_ORDER = "kafka.eventing.knative.dev/delivery.order"
"""As Triggers of Knative's Kafka broker have it."""
RABBITMQ_PARALLELISM = "rabbitmq.eventing.knative.dev/parallelism"
"""As Triggers of Knative's RabbitMQ broker have it."""
PARTITION_KEY = "partitionkey"
_ATTRIBUTE = re.compile("[a-z0-9]+")
_DNS_NAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?")
DEFAULT_ORIGIN = "knative-eventing.svc.cluster.local"
"""What deliveries say of where they come from, to web hooks that give permission."""


@dataclass(frozen=True, slots=True)
class DeliveryOptions:
    """What the annotations ask for."""

    full_jitter: bool = False
    """Waits between attempts are anything from none up to the back-off, by chance."""
    hold: bool = False
    """Events without a dead letter sink are held when they cannot be delivered, not dropped."""
    breaker: bool = False
    """A subscriber that fails again and again is left alone for a while."""
    ordered: bool = False
    """Events of one key are delivered one after the other, in the order in which they came."""
    order_key: str = PARTITION_KEY
    """The attribute that is the key; events without it have no order."""
    concurrency: int = 0
    """How many deliveries may be under way at once; 0 leaves that to what the subscriber takes."""

    weight: int = 1
    """Its share among those of one Broker or channel that are behind, in proportion."""
    batch_size: int = 0
    """Up to so many events are sent in one request; 0 sends each by itself."""
    batch_wait_seconds: float = 0.1
    """How long an event may wait for others."""

    delay_seconds: float = 0.0
    """How long after its arrival an event is delivered."""
    time_attribute: str = ""
    """The attribute by which an event says when it is to be delivered; none where empty."""
    duplicate_window_seconds: float = 0.0
    """An event that came within this time before is not delivered again; 0 looks for none."""
    enrich: Enrichment | None = None
    """What an event is given before it is delivered."""
    handshake: bool = False
    """The subscriber is a web hook: it is asked for permission before it is sent to."""
    handshake_required: bool = False
    """Nothing is sent without permission."""
    webhook_origin: str = DEFAULT_ORIGIN
    webhook_rate: int = 0
    """Requests a minute to ask permission for; 0 asks for no rate."""

    @property
    def lane_key(self) -> str | None:
        """The attribute whose values keep their order, if any does."""
        return self.order_key if self.ordered else None

    @classmethod
    def from_annotations(cls, *annotations: Mapping[str, str]) -> DeliveryOptions:
        """Read annotations, of which the later ones count; raise ValueError for a bad value."""
        found: dict[str, Any] = {}
        for given in annotations:
            for name, (field, read) in _KNOWN.items():
                if name in given:
                    found[field] = _read(name, given[name], read)
        found |= found.pop(_MODE, {})
        return cls(**found)


NO_OPTIONS = DeliveryOptions()


def _one_of(**meanings: object) -> Callable[[str], object]:
    def read(value: str) -> object:
        try:
            return meanings[value]
        except KeyError as error:
            raise ValueError(f"is one of {', '.join(meanings)}") from error

    return read


def _number(low: int, high: int) -> Callable[[str], object]:
    def read(value: str) -> object:
        if not (value.isascii() and value.isdigit() and low <= int(value) <= high):
            raise ValueError(f"is no number from {low} to {high}")
        return int(value)

    return read


def _duration(longest_seconds: int) -> Callable[[str], object]:
    def read(value: str) -> object:
        seconds = parse_iso8601_duration(value)
        if not 0 <= seconds <= longest_seconds:
            raise ValueError(f"is no time up to {longest_seconds} seconds")
        return seconds

    return read


def _attribute(value: str) -> object:
    if not _ATTRIBUTE.fullmatch(value):
        raise ValueError("is no name of an attribute: lower case letters and digits")
    return value


def _dns_name(value: str) -> object:
    if not _DNS_NAME.fullmatch(value):
        raise ValueError("is no DNS name")
    return value


_MODE = "handshake mode"
_ORDER = ("ordered", _one_of(unordered=False, ordered=True))
_CONCURRENCY = ("concurrency", _number(1, 1000))

# Of two names for one thing the later one counts: Knative's first, ours after it.
_KNOWN: Mapping[str, tuple[str, Callable[[str], object]]] = {
    KAFKA_ORDER: _ORDER,
    ORDER: _ORDER,
    ORDER_KEY: ("order_key", _attribute),
    RABBITMQ_PARALLELISM: _CONCURRENCY,
    CONCURRENCY: _CONCURRENCY,
    WEIGHT: ("weight", _number(1, 100)),
    BATCH_SIZE: ("batch_size", _number(2, 1000)),
    BATCH_WAIT: ("batch_wait_seconds", _duration(60)),
    DELAY: ("delay_seconds", _duration(24 * 3600)),
    DELIVERY_TIME: ("time_attribute", _attribute),
    DEDUPLICATE: ("duplicate_window_seconds", _duration(24 * 3600)),
    ENRICH: ("enrich", Enrichment.from_text),
    CIRCUIT_BREAKER: ("breaker", _one_of(disabled=False, enabled=True)),
    UNDELIVERABLE: ("hold", _one_of(drop=False, hold=True)),
    HANDSHAKE: (
        _MODE,
        _one_of(
            none={"handshake": False, "handshake_required": False},
            offered={"handshake": True, "handshake_required": False},
            required={"handshake": True, "handshake_required": True},
        ),
    ),
    WEBHOOK_ORIGIN: ("webhook_origin", _dns_name),
    WEBHOOK_RATE: ("webhook_rate", _number(1, 10**6)),
    BACKOFF_JITTER: ("full_jitter", _one_of(small=False, full=True)),
}


def _read(name: str, value: str, read: Callable[[str], object]) -> object:
    try:
        return read(value)
    except ValueError as error:
        raise ValueError(f"annotation {name}: {value!r} {error}") from error


def given_options(annotations: Mapping[str, str]) -> dict[str, str]:
    """Return those annotations that ask for something of deliveries."""
    return {name: value for name, value in annotations.items() if name in _KNOWN}


def wanted_of(annotations: Mapping[str, str]) -> dict[str, str]:
    """Return what a Subscription asks of its channel: of deliveries, its start, its branch."""
    found = given_options(annotations)
    for title in (keys.START_ANNOTATION, JOIN_BRANCH):
        if title in annotations:
            found[title] = annotations[title]
    return found


def check_start(annotations: Mapping[str, str], kind: str) -> Errors:
    """Complain about a start that there is not; ``kind`` is what starts."""
    start = annotations.get(keys.START_ANNOTATION)
    if start is None or start in keys.STARTS:
        return []
    text = f"a new {kind} starts with the events that are {' or '.join(keys.STARTS)}"
    return [invalid(start, f"metadata.annotations[{keys.START_ANNOTATION}]", text)]


def check_options(annotations: Mapping[str, str]) -> Errors:
    """Complain about values that cannot be read."""
    errors: Errors = []
    for name, value in given_options(annotations).items():
        try:
            _read(name, value, _KNOWN[name][1])
        except ValueError as error:
            text = str(error).removeprefix(f"annotation {name}: {value!r} ")
            errors += via([invalid(value, name, text)], "metadata", "annotations")
    return errors
