"""How one event lies in a frame of the local log's files. Pure.

::

    payload  arrival ns u64 | ttl i32 | head length u32 | types length u16 | head | types | data

``head``, ``types`` and ``data`` are those of ``RenderedEvent``; ``framing`` has the frames.
"""

from __future__ import annotations

import struct

from eventing.engines.event import RenderedEvent, StoredEvent
from eventing.engines.framing import MAX_PAYLOAD_BYTES, frame

MAX_EVENT_BYTES = MAX_PAYLOAD_BYTES // 2
"""The largest event, head and data: with what is written beside them it stays below the above."""

_PAYLOAD = struct.Struct("<QiIH")


def encode(event: RenderedEvent) -> bytes:
    """Return the frame of one event."""
    head, types = event.head, event.types
    payload = b"".join(
        (
            _PAYLOAD.pack(event.arrival_ns, event.ttl, len(head), len(types)),
            head,
            types,
            event.data,
        )
    )
    return frame(payload)


def decode(payload: memoryview | bytes, sequence: int) -> StoredEvent:
    """Return the event of a payload."""
    arrival_ns, ttl, head_length, types_length = _PAYLOAD.unpack_from(payload)
    head_end = _PAYLOAD.size + head_length
    types_end = head_end + types_length
    return StoredEvent(
        arrival_ns,
        ttl,
        bytes(payload[_PAYLOAD.size : head_end]),
        bytes(payload[head_end:types_end]),
        bytes(payload[types_end:]),
        None,
        sequence,
    )


def arrival_of(payload: memoryview | bytes) -> int:
    """Return when the event of a payload arrived, in nanoseconds since 1970."""
    return int(_PAYLOAD.unpack_from(payload)[0])
