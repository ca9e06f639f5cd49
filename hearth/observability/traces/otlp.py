"""Spans in the protobuf of OTLP (``opentelemetry/proto/trace/v1/trace.proto``). Pure.

The SDK's encoder builds an object for each attribute of each span: 60 µs a span, in which an event
loop of the same process does not run. Here most attributes are bytes that were made before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from struct import pack

from hearth.observability.traces.spans import Span, SpanKind, Value

_KINDS = {
    SpanKind.INTERNAL: 1,
    SpanKind.SERVER: 2,
    SpanKind.CLIENT: 3,
    SpanKind.PRODUCER: 4,
    SpanKind.CONSUMER: 5,
}
_HAS_IS_REMOTE, _IS_REMOTE = 0x100, 0x200
"""Flags of a span: whether it is known if its parent is another process's, and that it is."""
_ERROR = 2


def encode(resource: bytes, spans: Iterable[Span]) -> bytes:
    """Return an ExportTraceServiceRequest; ``resource`` is from ``resource_of``."""
    scope_spans = b"".join((SCOPE, *map(_span, spans)))
    return message(1, resource + message(2, scope_spans))


def resource_of(attributes: Mapping[str, Value]) -> bytes:
    """Return what all spans of a process say, to be given to ``encode``."""
    return message(1, b"".join(message(1, pair(name, attributes[name])) for name in attributes))


def _span(span: Span) -> bytes:
    context, name = span.context, span.name.encode("utf-8", "replace")
    flags = context.flags | _HAS_IS_REMOTE | (_IS_REMOTE if span.is_remote else 0)
    parts = [
        b"\x0a\x10",
        bytes.fromhex(context.trace_id.decode()),
        b"\x12\x08",
        bytes.fromhex(context.span_id.decode()),
        b"\x2a",
        _varint(len(name)),
        name,
        b"\x30",
        _varint(_KINDS[span.kind]),
        b"\x39",
        span.start_ns.to_bytes(8, "little"),
        b"\x41",
        span.end_ns.to_bytes(8, "little"),
    ]
    if span.parent_id:
        parts += (b"\x22\x08", bytes.fromhex(span.parent_id.decode()))
    for shared in span.shared:
        if not shared.encoded:
            shared.encoded = b"".join(
                [_attribute(key, value) for key, value in shared.attributes.items()]
            )
        parts.append(shared.encoded)
    parts += [_attribute(key, value) for key, value in span.attributes.items()]
    if span.error is not None:
        text = span.error.encode("utf-8", "replace")
        parts.append(message(15, message(2, text) + b"\x18" + _varint(_ERROR)))
    parts += (b"\x85\x01", flags.to_bytes(4, "little"))
    return message(2, b"".join(parts))


@lru_cache(maxsize=4096, typed=True)
def _attribute(name: str, value: Value) -> bytes:
    return message(9, pair(name, value))


def pair(name: str, value: Value) -> bytes:
    """A KeyValue."""
    if isinstance(value, bool):
        inner = b"\x10" + _varint(value)
    elif isinstance(value, int):
        inner = b"\x18" + _varint(value & 0xFFFFFFFFFFFFFFFF)
    elif isinstance(value, float):
        inner = b"\x21" + pack("<d", value)
    else:
        inner = message(1, str(value).encode("utf-8", "replace"))
    return message(1, name.encode()) + message(2, inner)


def message(field: int, content: bytes) -> bytes:
    """A field of bytes, text or a message; numbers below 16."""
    return b"%c%b%b" % (field << 3 | 2, _varint(len(content)), content)


def _varint(number: int) -> bytes:
    if number < 0x80:
        return _SMALL[number]
    made = bytearray()
    while number >= 0x80:
        made.append(number & 0x7F | 0x80)
        number >>= 7
    made.append(number)
    return bytes(made)


_SMALL = [bytes((number,)) for number in range(0x80)]
SCOPE = message(1, message(1, b"hearth"))
