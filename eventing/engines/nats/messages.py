"""Events as messages: CloudEvents by the NATS protocol binding, binary mode. Pure.

Header lines of an event are headers of the message, as they are; what the broker knows of it is in
headers of our own. So any client of NATS reads events from the stream, and KEDA counts them.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b

from eventing.codec import CodecError, decode, render_head
from eventing.engines.event import RenderedEvent, StoredEvent

BLOCK = b"NATS/1.0"
"""What a block of headers begins with."""
ARRIVAL, TTL, TYPES = b"Hearth-Arrival", b"Hearth-Ttl", b"Hearth-Types"
_OURS = b"%b\r\n%b: " % (BLOCK, ARRIVAL)
_FIRST_SMALL = b"a"
_FIRST_TTL = 255
_CONTENT_TYPE = "ce-datacontenttype"
"""As the NATS binding has it."""


def message_id(event: RenderedEvent) -> bytes:
    """Return the line that names an event: source and id together (CloudEvents, section 3.1.1)."""
    attributes = event.attributes
    named = f"{attributes.get('source', '')}\n{attributes.get('id', '')}"
    return b"Nats-Msg-Id: %b\r\n" % blake2b(named.encode(), digest_size=16).hexdigest().encode()


def block_for(event: RenderedEvent, more: bytes = b"") -> bytes:
    """Return the header block of the message for an event; ``more`` are lines of the server's."""
    types = b"%b: %b\r\n" % (TYPES, event.types) if event.types else b""
    said = (BLOCK, ARRIVAL, event.arrival_ns, TTL, event.ttl, types, more, event.head)
    return b"%b\r\n%b: %d\r\n%b: %d\r\n%b%b%b\r\n" % said


def headers_of(block: bytes) -> dict[str, str]:
    """Return the headers of a block by their names."""
    found = {}
    for line in block.split(b"\r\n")[1:]:
        name, colon, value = line.decode("utf-8", "replace").partition(":")
        if colon:
            found[name] = value.strip()
    return found


def header_of(block: bytes, name: bytes) -> str:
    """Return one header of a block; empty where it has none of that name."""
    at = block.find(b"\r\n%b: " % name)
    if at < 0:
        return ""
    return block[at + len(name) + 4 : block.find(b"\r\n", at + 2)].decode()


def stored_event(block: bytes, data: bytes, sequence: int, stored_ns: int) -> StoredEvent | None:
    """Return the event of a message; None where it carries none.

    What others published arrived when the stream got it.
    """
    if not block.startswith(_OURS):
        return _foreign(headers_of(block), data, sequence, stored_ns)
    _, arrival, ttl, *rest = block.split(b"\r\n")
    head: list[bytes] = []
    types = b""
    for line in rest:
        if line[:1] >= _FIRST_SMALL:  # names of ours and of the server begin with capitals
            head.append(line)
        elif line.startswith(TYPES):
            types = line[len(TYPES) + 2 :]
    head.append(b"")
    lines = b"\r\n".join(head)
    arrival_ns, left = int(arrival[len(ARRIVAL) + 2 :]), int(ttl[len(TTL) + 2 :])
    return StoredEvent(arrival_ns, left, lines, types, data, None, sequence)


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
