"""Events as records: the CloudEvents Kafka protocol binding 1.0.2, both modes. Pure.

What is written is in binary mode: any client of Kafka reads events from the topic. What the broker
knows of an event besides is in headers of its own. Header values are UTF-8 as they are; only HTTP
has them percent-encoded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eventing.codec import CodecError, Event, decode, encode_structured, render_head
from eventing.codec.binary import Header, decode_value, encode_value
from eventing.codec.structured import CONTENT_TYPE
from eventing.engines.event import Position, RenderedEvent, StoredEvent

ARRIVAL, TTL, TYPES = "hearth_arrival", "hearth_ttl", "hearth_types"
_FIRST_TTL = 255
_KEY = "partitionkey"
_PREFIX = "ce_"
_PLAIN = bytes(each for each in range(0x21, 0x7F) if each not in b'"%')
"""What HTTP takes as it is."""


@dataclass(frozen=True, slots=True)
class Record:
    """What there is of a record besides its place."""

    key: bytes | None
    value: bytes | None
    """None is a tombstone: an event without data."""
    headers: Sequence[tuple[str, bytes]]
    timestamp_ms: int
    """Milliseconds since 1970."""


def record_of(event: RenderedEvent) -> Record:
    """Return the record for an event, in binary mode."""
    headers = [(ARRIVAL, b"%d" % event.arrival_ns), (TTL, b"%d" % event.ttl)]
    if event.types:
        headers.append((TYPES, event.types))
    key = None
    for line in event.head.split(b"\r\n"):
        name, colon, value = line.partition(b": ")
        if not colon:
            continue
        if name[:3] != b"ce-":
            headers.append((name.decode(), value))
            continue
        if b"%" in value:
            value = decode_value("", value).encode()
        attribute = name[3:].decode()
        headers.append((_PREFIX + attribute, value))
        if attribute == _KEY:
            key = value
    return Record(key, event.data or None, headers, event.arrival_ns // 1_000_000)


def stored_event(record: Record, position: Position) -> StoredEvent:
    """Return the event of a record; raise CodecError where it carries none.

    What others wrote arrived when Kafka says so.
    """
    headers = record.headers
    if len(headers) > 2 and headers[0][0] == ARRIVAL and headers[1][0] == TTL:
        types = headers[2][1] if headers[2][0] == TYPES else b""
        head = _head(headers[3 if types else 2 :])
        arrival_ns, ttl = int(headers[0][1]), int(headers[1][1])
        return StoredEvent(arrival_ns, ttl, head, types, record.value or b"", None, position)
    event = event_of(record)
    head, data = render_head(event), event.data or b""
    arrival_ns = record.timestamp_ms * 1_000_000
    return StoredEvent(arrival_ns, _FIRST_TTL, head, b"", data, None, position)


def _head(headers: Sequence[tuple[str, bytes]]) -> bytes:
    lines = []
    for name, value in headers:
        if name.startswith(_PREFIX):
            if value.translate(None, _PLAIN):
                value = encode_value(value.decode())
            lines.append(b"ce-%b: %b\r\n" % (name[3:].encode(), value))
        else:
            lines.append(b"%b: %b\r\n" % (name.encode(), value))
    return b"".join(lines)


def event_of(record: Record) -> Event:
    """Return the event that any client wrote, in either mode; raise CodecError for no event.

    A record's key is the event's ``partitionkey`` where that says nothing else.
    """
    named = [_header(name, value) for name, value in record.headers]
    found = decode([each for each in named if each is not None], record.value or b"")
    if len(found) != 1:
        raise CodecError("a record carries one event, and no batch")
    [event] = found
    if record.key and _KEY not in event.attributes:
        return _keyed(event, record.key)
    return event


def _header(name: str, value: bytes | None) -> Header | None:
    """A header as HTTP has it."""
    lower = name.lower()
    if value is None or not (lower.startswith(_PREFIX) or lower == "content-type"):
        return None
    if not lower.startswith(_PREFIX):
        return lower.encode(), value
    try:
        text = value.decode()
    except UnicodeDecodeError:
        raise CodecError("is not valid UTF-8", attribute=lower[3:]) from None
    return b"ce-" + lower[3:].encode(), encode_value(text)


def _keyed(event: Event, key: bytes) -> Event:
    """The event with its key; a key that is no text of an attribute says nothing."""
    try:
        text = key.decode()
    except UnicodeDecodeError:
        return event
    if not text.isprintable():
        return event
    return Event({**event.attributes, _KEY: text}, event.data)


def binary_record(event: Event, timestamp_ms: int) -> Record:
    """Return the record for an event in binary mode, with nothing of ours beside it."""
    texts = event.texts()
    content_type, key = texts.pop("datacontenttype", None), texts.get(_KEY)
    headers = [(_PREFIX + name, value.encode()) for name, value in texts.items()]
    if content_type:
        headers.append(("content-type", content_type.encode()))
    return Record(key.encode() if key else None, event.data, headers, timestamp_ms)


def structured_record(event: Event, timestamp_ms: int) -> Record:
    """Return the record for an event in structured mode."""
    key = event.text(_KEY)
    return Record(
        key.encode() if key else None,
        encode_structured(event),
        [("content-type", CONTENT_TYPE)],
        timestamp_ms,
    )
