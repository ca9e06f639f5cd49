"""Frames: how one event lies in the files of the local log. Pure.

::

    frame    length u32 | crc32 of payload u32 | payload
    payload  arrival ns u64 | ttl i32 | head length u32 | types length u16 | head | types | data

``head``, ``types`` and ``data`` are those of ``RenderedEvent``. A frame of length 0 is never
valid, so a hole of zeros is not taken for events.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from eventing.engines.event import RenderedEvent, StoredEvent

MAX_PAYLOAD_BYTES = 64 * 1024 * 1024
"""Larger lengths are taken for damage, not for events."""
MAX_EVENT_BYTES = MAX_PAYLOAD_BYTES // 2
"""The largest event, head and data: with what is written beside them it stays below the above."""

_FRAME = struct.Struct("<II")
_PAYLOAD = struct.Struct("<QiIH")
FRAME_BYTES = _FRAME.size


def frame(payload: bytes) -> bytes:
    """Return a payload with its length and checksum before it."""
    return _FRAME.pack(len(payload), zlib.crc32(payload)) + payload


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
    return _FRAME.pack(len(payload), zlib.crc32(payload)) + payload


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


def frames(chunk: bytes) -> Iterator[tuple[memoryview, int]]:
    """Yield payloads of the whole and undamaged frames at the start of a chunk, and their ends."""
    view, offset = memoryview(chunk), 0
    while offset + FRAME_BYTES <= len(chunk):
        length, checksum = _FRAME.unpack_from(chunk, offset)
        end = offset + FRAME_BYTES + length
        if not 0 < length <= MAX_PAYLOAD_BYTES or end > len(chunk):
            return
        payload = view[offset + FRAME_BYTES : end]
        if zlib.crc32(payload) != checksum:
            return
        yield payload, end
        offset = end


def frame_length(header: bytes) -> int:
    """Return the length of a whole frame from its first bytes; 0 when they cannot start one."""
    if len(header) < FRAME_BYTES:
        return 0
    length, _ = _FRAME.unpack_from(header)
    return FRAME_BYTES + length if 0 < length <= MAX_PAYLOAD_BYTES else 0
