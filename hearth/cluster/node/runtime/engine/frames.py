"""Output of both streams on one connection: Docker's frames of ``STREAM 0 0 0 LENGTH``. Pure."""

from __future__ import annotations

import struct
from collections.abc import Iterator

_HEAD = struct.Struct(">BxxxI")


class FrameReader:
    """Takes bytes as they come; gives pieces with the number of their stream."""

    def __init__(self, *, is_raw: bool = False) -> None:
        self._is_raw = is_raw
        self._buffer = b""
        self._left = 0
        self._stream = 1

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """The pieces that ``data`` brings; a terminal's output has no frames."""
        if self._is_raw:
            yield 1, data
            return
        self._buffer += data
        while self._buffer:
            if not self._left:
                if len(self._buffer) < _HEAD.size:
                    return
                self._stream, self._left = _HEAD.unpack_from(self._buffer)
                self._buffer = self._buffer[_HEAD.size :]
                continue
            piece, self._buffer = self._buffer[: self._left], self._buffer[self._left :]
            self._left -= len(piece)
            yield self._stream, piece
