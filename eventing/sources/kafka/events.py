"""The events of records, as upstream's dispatcher makes them. Pure.

A record that carries an event (the CloudEvents binding of Kafka, binary or structured) is that
event; any other becomes one of type ``dev.knative.kafka.event`` with the record's value as data.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from eventing.api.kafkasource import EVENT_TYPE
from eventing.codec import CodecError, Event
from eventing.codec.event import AttributeValue
from eventing.engines.kafka.messages import Record, event_of
from eventing.sources.overrides import overridden
from hearth.kube.clock import rfc3339

PARTITION, OFFSET = "knativekafkapartition", "knativekafkaoffset"
_HEADER_PREFIX = "kafkaheader"
_CONTENT_TYPE = "content-type"
_LAST_MS = 253_402_300_799_999
"""The end of the year 9999."""
_FLOAT_FORMATS = {4: ">f", 8: ">d"}


class Place(NamedTuple):
    """Where a record lies."""

    topic: str
    partition: int
    offset: int


class Origin(NamedTuple):
    """Whose events they are, and how keys are read."""

    namespace: str
    name: str
    key_type: str = ""


def event_of_record(
    record: Record, place: Place, origin: Origin, overrides: Mapping[str, str]
) -> Event:
    """Return the event that a record is, or is made into."""
    try:
        # Its key says nothing of an event that says all of itself.
        event = event_of(replace(record, key=None))
    except CodecError:
        event = _made(record, place, origin)
    attributes = dict(event.attributes)
    attributes |= {PARTITION: str(place.partition), OFFSET: str(place.offset)}
    return Event(overridden(attributes, overrides), event.data)


def _made(record: Record, place: Place, origin: Origin) -> Event:
    source = f"/apis/v1/namespaces/{origin.namespace}/kafkasources/{origin.name}#{place.topic}"
    attributes: dict[str, AttributeValue] = {
        "specversion": "1.0",
        "id": f"partition:{place.partition}/offset:{place.offset}",
        "type": EVENT_TYPE,
        "source": source,
        "subject": f"partition:{place.partition}#{place.offset}",
        "time": _time(record.timestamp_ms),
    }
    key = key_text(record.key, origin.key_type)
    if key is not None:
        attributes |= {"partitionkey": key, "key": key}
    attributes |= _from_headers(record.headers)
    return Event(attributes, record.value)


def _time(timestamp_ms: int) -> str:
    """As Java writes it: with thousandths where there are some. A producer may name any time."""
    seconds, thousandths = divmod(min(max(timestamp_ms, 0), _LAST_MS), 1000)
    whole = rfc3339(seconds)
    return f"{whole[:-1]}.{thousandths:03}Z" if thousandths else whole


def _from_headers(headers: Sequence[tuple[str, bytes]]) -> dict[str, AttributeValue]:
    found: dict[str, AttributeValue] = {}
    for name, value in headers:
        text = value.decode("utf-8", "replace")
        if name.lower() == _CONTENT_TYPE:
            found["datacontenttype"] = text.lower()
        else:
            plain = "".join(c for c in name.lower() if c.isascii() and c.isalnum())
            found[_HEADER_PREFIX + plain] = text
    return found


def key_text(key: bytes | None, key_type: str) -> str | None:
    """Return a record's key by the label ``key-type``; text where it is not of that type."""
    if not key:
        return None
    if key_type == "byte-array":
        return base64.b64encode(key).decode()
    if key_type == "int" and len(key) == 4:
        return str(int.from_bytes(key, signed=True))
    if key_type == "float" and len(key) in _FLOAT_FORMATS:
        return _float_text(key)
    return key.decode("utf-8", "replace")


def _float_text(key: bytes) -> str:
    """The fewest digits that say the number."""
    [number] = struct.unpack(_FLOAT_FORMATS[len(key)], key)
    if len(key) == 4:
        shorter = (float(f"{number:.{digits}g}") for digits in range(1, 10))
        number = next((each for each in shorter if struct.pack(">f", each) == key), number)
    return repr(number)
