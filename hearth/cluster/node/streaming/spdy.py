"""The server's half of SPDY/3.1, as far as kubectl speaks it. Pure: octets in, events out.

Its clients (moby/spdystream) know no windows and ask for none: who sends waits until the connection
takes more. Bounded are what a control frame may have and how many streams are open at once; the
octets of a data frame are events as they come.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from hearth.cluster.node.streaming.headers import HeaderError, Packer, Unpacker

_SYN_STREAM, _SYN_REPLY, _RST_STREAM, _PING, _GOAWAY, _HEADERS = 1, 2, 3, 6, 7, 8
_VERSION, _FIN, _UNIDIRECTIONAL = 3, 1, 2
PROTOCOL_ERROR, REFUSED_STREAM, CANCEL = 1, 3, 5
_HEAD = 8
_LONGEST_CONTROL = 64 * 1024
_DEFAULT_STREAMS = 256


class SpdyError(Exception):
    """The client does not speak SPDY/3.1: the connection is to be closed."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A stream that the client opens; names of fields in lower case."""

    stream: int
    fields: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Data:
    """Octets of a stream; ``is_last``: the client sends no more on it."""

    stream: int
    data: bytes
    is_last: bool


@dataclass(frozen=True, slots=True)
class Reset:
    """The client has given a stream up."""

    stream: int


@dataclass(frozen=True, slots=True)
class Answer:
    """Octets to send now."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Ended:
    """The client opens nothing more and is about to go."""


Event = Opened | Data | Reset | Answer | Ended


@dataclass(slots=True)
class _Open:
    """A stream: whether each side may still send."""

    may_send: bool = True
    may_receive: bool = True


@dataclass(slots=True)
class _Frame:
    """A data frame of which ``left`` octets have not come."""

    stream: int
    left: int
    is_last: bool


@dataclass(slots=True)
class Spdy:
    """One connection."""

    most_streams: int = _DEFAULT_STREAMS
    _buffer: bytearray = field(default_factory=bytearray)
    _frame: _Frame | None = None
    _streams: dict[int, _Open] = field(default_factory=dict)
    _newest: int = 0
    _pings: int = 0
    _unpacker: Unpacker = field(default_factory=Unpacker)
    _packer: Packer = field(default_factory=Packer)

    # -- what the client sends -------------------------------------------------------------

    def receive(self, data: bytes) -> Iterator[Event]:
        """The events in what has come; SpdyError for what is no frame, or a forbidden one."""
        self._buffer += data
        while self._frame is not None or len(self._buffer) >= _HEAD:
            if self._frame is not None:
                if not self._buffer and self._frame.left:
                    return
                yield from self._data(self._frame)
                continue
            first, second = struct.unpack_from(">II", self._buffer)
            flags, length = second >> 24, second & 0xFFFFFF
            if not first >> 31:
                self._begin(first, length, is_last=bool(flags & _FIN))
                continue
            body = self._control_body(first, length)
            if body is None:
                return
            yield from self._control(first & 0xFFFF, flags, body)

    def _begin(self, stream: int, length: int, *, is_last: bool) -> None:
        """The head of a data frame."""
        if stream > self._newest:
            raise SpdyError(f"data of stream {stream}, which is not open")
        del self._buffer[:_HEAD]
        self._frame = _Frame(stream, length, is_last)

    def _control_body(self, first: int, length: int) -> bytes | None:
        """What a control frame has behind its head; None while it is not all there."""
        if first >> 16 & 0x7FFF != _VERSION:
            raise SpdyError(f"version {first >> 16 & 0x7FFF}")
        if length > _LONGEST_CONTROL:
            raise SpdyError(f"a control frame of {length} octets")
        if len(self._buffer) < _HEAD + length:
            return None
        body = bytes(self._buffer[_HEAD : _HEAD + length])
        del self._buffer[: _HEAD + length]
        return body

    def _data(self, frame: _Frame) -> Iterator[Event]:
        piece = bytes(self._buffer[: frame.left])
        del self._buffer[: len(piece)]
        frame.left -= len(piece)
        is_over = not frame.left
        if is_over:
            self._frame = None
        stream = self._streams.get(frame.stream)
        if stream is None or not stream.may_receive:
            return  # it was reset while this was on its way
        is_last = frame.is_last and is_over
        if is_last:
            stream.may_receive = False
            self._forget(frame.stream)
        if piece or is_last:
            yield Data(frame.stream, piece, is_last)

    def _control(self, kind: int, flags: int, body: bytes) -> Iterator[Event]:
        try:
            if kind == _SYN_STREAM:
                yield from self._syn_stream(flags, body)
            elif kind in (_SYN_REPLY, _HEADERS):
                self._unpacker.read(body[4:])  # of no interest, but the next block builds on it
            elif kind == _RST_STREAM:
                (stream,) = struct.unpack_from(">I", body)
                if self._streams.pop(stream & 0x7FFFFFFF, None) is not None:
                    yield Reset(stream & 0x7FFFFFFF)
            elif kind == _PING:
                (number,) = struct.unpack(">I", body)
                if number % 2:  # the client's own; even ones are ours, answered
                    yield Answer(_control(_PING, body))
            elif kind == _GOAWAY:
                yield Ended()
        except (struct.error, HeaderError) as error:
            raise SpdyError(f"a frame of type {kind}: {error}") from None

    def _syn_stream(self, flags: int, body: bytes) -> Iterator[Event]:
        (number,) = struct.unpack_from(">I", body)
        number &= 0x7FFFFFFF
        fields = self._unpacker.read(body[10:])
        if number % 2 == 0 or number <= self._newest:
            raise SpdyError(f"stream {number} after {self._newest}")
        self._newest = number
        if len(self._streams) >= self.most_streams:
            yield Answer(_reset(number, REFUSED_STREAM))
            return
        is_last = bool(flags & _FIN)
        self._streams[number] = _Open(not flags & _UNIDIRECTIONAL, not is_last)
        yield Opened(number, fields)
        if is_last:
            yield Data(number, b"", True)

    # -- what is sent to the client --------------------------------------------------------

    def reply(self, stream: int) -> bytes:
        """Takes a stream."""
        if stream not in self._streams:
            return b""
        return _control(_SYN_REPLY, struct.pack(">I", stream) + self._packer.write({}))

    def data(self, stream: int, data: bytes, *, is_last: bool = False) -> bytes:
        """Octets for a stream; nothing for one that is closed."""
        known = self._streams.get(stream)
        if known is None or not known.may_send:
            return b""
        if is_last:
            known.may_send = False
            self._forget(stream)
        head = struct.pack(">II", stream, (_FIN << 24 if is_last else 0) | len(data))
        return head + data

    def reset(self, stream: int, status: int = CANCEL) -> bytes:
        """Ends a stream at once."""
        return b"" if self._streams.pop(stream, None) is None else _reset(stream, status)

    def ping(self) -> bytes:
        """A question that the client's library answers by itself."""
        self._pings = self._pings % 0x3FFFFFFE + 1
        return _control(_PING, struct.pack(">I", self._pings * 2))

    def go_away(self) -> bytes:
        """Tells that no further stream is taken."""
        return _control(_GOAWAY, struct.pack(">II", self._newest, 0))

    def _forget(self, stream: int) -> None:
        known = self._streams[stream]
        if not known.may_send and not known.may_receive:
            del self._streams[stream]


def _control(kind: int, body: bytes) -> bytes:
    return struct.pack(">HHI", 1 << 15 | _VERSION, kind, len(body)) + body


def _reset(stream: int, status: int) -> bytes:
    return _control(_RST_STREAM, struct.pack(">II", stream, status))
