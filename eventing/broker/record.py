"""Frames of the event log: how one event lies on disk.

::

    frame    length u32 | crc32 of payload u32 | payload
    payload  arrival ns u64 | ttl i32 | head length u32 | types length u16 | head | types | data

``head`` is the event's binary-mode header lines, ready to be sent; ``types`` is a JSON object of
the attributes that are not strings, or nothing. A frame of length 0 is never valid, so a hole of
zeros is not taken for events. Pure.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import orjson

from eventing.codec import Event, attributes_of_head

MAX_PAYLOAD = 64 * 1024 * 1024
"""Larger lengths are taken for damage, not for events."""

_FRAME = struct.Struct("<II")
_PAYLOAD = struct.Struct("<QiIH")
FRAME_BYTES = _FRAME.size


@dataclass(slots=True, eq=False)
class StoredEvent:
    """An event of the log. ``attributes`` are in text form, as filters see them."""

    sequence: int
    arrival_ns: int
    ttl: int
    head: bytes
    types: bytes
    data: bytes
    _attributes: dict[str, str] | None = None

    @property
    def attributes(self) -> dict[str, str]:
        if self._attributes is None:
            self._attributes = attributes_of_head(self.head)
        return self._attributes

    @property
    def size(self) -> int:
        """Bytes it holds in memory, roughly."""
        return len(self.head) + len(self.data) + 200

    def to_event(self) -> Event:
        """The event with the types its attributes came with."""
        attributes: dict[str, str | int | bool] = dict(self.attributes)
        if self.types:
            attributes |= orjson.loads(self.types)
        return Event(attributes, self.data or None, self.head)


def frame(payload: bytes) -> bytes:
    return _FRAME.pack(len(payload), zlib.crc32(payload)) + payload


def encode(arrival_ns: int, ttl: int, head: bytes, types: bytes, data: bytes) -> bytes:
    """The frame of one event."""
    payload = b"".join((_PAYLOAD.pack(arrival_ns, ttl, len(head), len(types)), head, types, data))
    return _FRAME.pack(len(payload), zlib.crc32(payload)) + payload


def decode(payload: memoryview | bytes, sequence: int) -> StoredEvent:
    arrival_ns, ttl, head_length, types_length = _PAYLOAD.unpack_from(payload)
    head_end = _PAYLOAD.size + head_length
    types_end = head_end + types_length
    return StoredEvent(
        sequence,
        arrival_ns,
        ttl,
        bytes(payload[_PAYLOAD.size : head_end]),
        bytes(payload[head_end:types_end]),
        bytes(payload[types_end:]),
    )


def frames(chunk: bytes) -> Iterator[tuple[memoryview, int]]:
    """Payloads of the whole and undamaged frames at the start of a chunk, each with its end."""
    view, at = memoryview(chunk), 0
    while at + FRAME_BYTES <= len(chunk):
        length, checksum = _FRAME.unpack_from(chunk, at)
        end = at + FRAME_BYTES + length
        if not 0 < length <= MAX_PAYLOAD or end > len(chunk):
            return
        payload = view[at + FRAME_BYTES : end]
        if zlib.crc32(payload) != checksum:
            return
        yield payload, end
        at = end


def frame_length(header: bytes) -> int:
    """The length of a whole frame from its first bytes; 0 when they cannot start a frame."""
    if len(header) < FRAME_BYTES:
        return 0
    length, _ = _FRAME.unpack_from(header)
    return FRAME_BYTES + length if 0 < length <= MAX_PAYLOAD else 0
