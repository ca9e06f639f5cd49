"""Events as messages: CloudEvents by the NATS protocol binding, binary mode. Pure.

Header lines of an event are headers of the message, as they are; what the broker knows of it is in
headers of our own. So any client of NATS reads events from the stream, and KEDA counts them.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b

from eventing.codec import CodecError, decode, render_head
from eventing.engines.event import RenderedEvent, StoredEvent

ARRIVAL, TTL, TYPES = "Hearth-Arrival", "Hearth-Ttl", "Hearth-Types"
MESSAGE_ID = "Nats-Msg-Id"
_FIRST_TTL = 255
_CONTENT_TYPE = "ce-datacontenttype"
"""As the NATS binding has it."""
OVERHEAD_BYTES = 256
"""About what a message has beside head and data."""


def message_id(event: RenderedEvent) -> str:
    """Return what names an event: source and id together (CloudEvents, section 3.1.1)."""
    attributes = event.attributes
    named = f"{attributes.get('source', '')}\n{attributes.get('id', '')}"
    return blake2b(named.encode(), digest_size=16).hexdigest()


def headers_of(event: RenderedEvent) -> dict[str, str]:
    """Return the headers of the message for an event."""
    headers = {ARRIVAL: str(event.arrival_ns), TTL: str(event.ttl)}
    if event.types:
        headers[TYPES] = event.types.decode()
    for line in event.head.decode().split("\r\n"):
        name, _, value = line.partition(": ")
        if name:
            headers[name] = value
    return headers


def stored_event(
    headers: Mapping[str, str] | None, data: bytes, sequence: int, stored_ns: int
) -> StoredEvent | None:
    """Return the event of a message; None where it carries none.

    What others published arrived when the stream got it.
    """
    if not headers or ARRIVAL not in headers:
        return _foreign(headers or {}, data, sequence, stored_ns)
    head = "".join(
        [f"{name}: {value}\r\n" for name, value in headers.items() if not name[0].isupper()]
    )
    types = headers.get(TYPES, "").encode()
    arrival, ttl = int(headers[ARRIVAL]), int(headers[TTL])
    return StoredEvent(arrival, ttl, head.encode(), types, data, None, sequence)


def _foreign(
    headers: Mapping[str, str], data: bytes, sequence: int, stored_ns: int
) -> StoredEvent | None:
    named = {name.lower(): value.encode() for name, value in headers.items()}
    if _CONTENT_TYPE in named:
        named["content-type"] = named.pop(_CONTENT_TYPE)
    try:
        found = decode([(name.encode(), value) for name, value in named.items()], data)
    except CodecError:
        return None
    if len(found) != 1:
        return None
    head, data = render_head(found[0]), found[0].data or b""
    return StoredEvent(stored_ns, _FIRST_TTL, head, b"", data, None, sequence)
