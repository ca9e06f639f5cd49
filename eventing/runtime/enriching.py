"""An event as a subscription delivers it, with the attributes that it is given. Pure."""

from __future__ import annotations

import orjson

from eventing.api.enrichment import Enrichment
from eventing.codec.binary import encode_value
from eventing.codec.event import CodecError, check_text, text_of
from eventing.engines.event import StoredEvent
from eventing.runtime.config import MAX_ATTRIBUTE_BYTES
from eventing.runtime.intake import without_lines


def enriched(event: StoredEvent, enrichment: Enrichment) -> StoredEvent:
    """Return a copy with more attributes, at the same position; itself where it gets none.

    What would not be an attribute's value, or would be more than subscribers take, is not set.
    """
    attributes = dict(event.attributes)
    types = orjson.loads(event.types) if event.types else {}
    names: list[bytes] = []
    lines: list[bytes] = []
    size = len(event.head)
    for name, value in enrichment.values(event.attributes).items():
        text = text_of(value)
        if not _is_sound(name, text):
            continue  # some texts cannot even be written
        line = b"ce-%b: %b\r\n" % (name.encode(), encode_value(text))
        if size + len(line) > MAX_ATTRIBUTE_BYTES:
            continue
        size += len(line)
        attributes[name] = text
        types.pop(name, None)
        if not isinstance(value, str):
            types[name] = value
        names.append(b"ce-%b:" % name.encode())
        lines.append(line)
    if not lines:
        return event
    head = without_lines(event.head, tuple(names)) + b"".join(lines)
    written = orjson.dumps(types) if types else b""
    return StoredEvent(
        event.arrival_ns, event.ttl, head, written, event.data, attributes, event.position
    )


def _is_sound(name: str, text: str) -> bool:
    try:
        check_text(name, text)
    except CodecError:
        return False
    return bool(text) or name != "subject"
