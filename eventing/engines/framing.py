"""Frames: pieces of a file that a torn end or a flipped bit is told from. Pure.

A frame is its payload's length (u32), the payload's crc32 (u32), and the payload. One of length 0
is never valid, so a hole of zeros is not taken for frames.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

MAX_PAYLOAD_BYTES = 64 * 1024 * 1024
"""Larger lengths are taken for damage."""

_FRAME = struct.Struct("<II")
FRAME_BYTES = _FRAME.size


def frame(payload: bytes) -> bytes:
    """Return a payload with its length and checksum before it."""
    return _FRAME.pack(len(payload), zlib.crc32(payload)) + payload


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
