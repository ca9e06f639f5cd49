"""The server's half of the WebSocket protocol (RFC 6455), without extensions. Pure.

Messages come piece by piece, however long they are.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

_CONTINUATION, _TEXT, BINARY, _CLOSE, _PING, _PONG = 0, 1, 2, 8, 9, 10
_LONGEST_CONTROL = 125
NORMAL, PROTOCOL_ERROR = 1000, 1002


class WebSocketError(Exception):
    """The client breaks the protocol: the connection is to be closed, with code 1002."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Part of a message, text or binary alike."""

    data: bytes
    is_first: bool
    is_last: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """Octets to send now."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Closed:
    """The client ends the connection."""


Event = Piece | Answer | Closed


@dataclass(slots=True)
class _Frame:
    """A data frame that is coming; the mask is turned to what comes next."""

    left: int
    mask: bytes
    is_final: bool
    is_first: bool


@dataclass(slots=True)
class WebSocket:
    """One connection."""

    _buffer: bytearray = field(default_factory=bytearray)
    _frame: _Frame | None = None
    _in_message: bool = False
    _is_closed: bool = False

    def receive(self, data: bytes) -> Iterator[Event]:
        """The events in what has come; nothing follows the end."""
        self._buffer += data
        while not self._is_closed:
            if self._frame is None:
                head = self._head()
                if head is None:
                    return
                yield from head
            elif self._buffer or not self._frame.left:
                yield self._piece(self._frame)
            else:
                return

    def _head(self) -> list[Event] | None:
        """Reads the next frame's head, and all of a control frame; None while it is not there."""
        if len(self._buffer) < 2:
            return None
        first, second = self._buffer[0], self._buffer[1]
        opcode, short = first & 15, second & 127
        size = 2 + {126: 2, 127: 8}.get(short, 0) + 4
        self._check(first, second)
        if len(self._buffer) < size:
            return None
        length = int.from_bytes(self._buffer[2 : size - 4]) if short > 125 else short
        if length >> 63:
            raise WebSocketError("a length of 64 bits")
        mask = bytes(self._buffer[size - 4 : size])
        if opcode >= _CLOSE:
            if len(self._buffer) < size + length:
                return None
            payload = _masked(bytes(self._buffer[size : size + length]), mask)
            del self._buffer[: size + length]
            return self._control(opcode, payload)
        del self._buffer[:size]
        self._frame = _Frame(length, mask, bool(first & 128), opcode != _CONTINUATION)
        self._in_message = True
        return []

    def _check(self, first: int, second: int) -> None:
        opcode = first & 15
        if first & 0x70:
            raise WebSocketError("a reserved bit is set")
        if not second & 128:
            raise WebSocketError("a frame without a mask")
        if opcode >= _CLOSE:
            if opcode > _PONG or not first & 128 or second & 127 > _LONGEST_CONTROL:
                raise WebSocketError("a control frame that is none")
        elif opcode > BINARY or (opcode == _CONTINUATION) != self._in_message:
            raise WebSocketError("a frame out of turn")

    def _control(self, opcode: int, payload: bytes) -> list[Event]:
        if opcode == _PING:
            return [Answer(frame(payload, _PONG))]
        if opcode == _PONG:
            return []
        self._is_closed = True
        return [Closed()]

    def _piece(self, coming: _Frame) -> Piece:
        data = bytes(self._buffer[: coming.left])
        del self._buffer[: len(data)]
        coming.left -= len(data)
        is_last = coming.is_final and not coming.left
        piece = Piece(_masked(data, coming.mask), coming.is_first, is_last)
        turn = len(data) % 4
        coming.mask, coming.is_first = coming.mask[turn:] + coming.mask[:turn], False
        if not coming.left:
            self._frame = None
            self._in_message = not coming.is_final
        return piece


def _masked(data: bytes, mask: bytes) -> bytes:
    """Applies or takes off a mask (section 5.3)."""
    size = len(data)
    whole = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(data) ^ int.from_bytes(whole)).to_bytes(size)


def frame(payload: bytes, opcode: int = BINARY) -> bytes:
    """One whole message, or a control frame."""
    size = len(payload)
    if size < 126:
        head = struct.pack(">BB", 128 | opcode, size)
    elif size < 1 << 16:
        head = struct.pack(">BBH", 128 | opcode, 126, size)
    else:
        head = struct.pack(">BBQ", 128 | opcode, 127, size)
    return head + payload


def text(payload: bytes) -> bytes:
    """One whole message of text."""
    return frame(payload, _TEXT)


def ping() -> bytes:
    """A question that every client answers by itself."""
    return frame(b"", _PING)


def close(code: int = NORMAL) -> bytes:
    """Ends the connection, or answers the client's end."""
    return frame(struct.pack(">H", code), _CLOSE)
