"""A connection: frames in, calls of its streams' lanes out, and frames to be sent. Pure.

Both roles; what is different between them is in ``ServerEngine`` and ``ClientEngine``. Octets go in
by ``receive``, in any pieces, and out by ``write``. A fault of the peer's ends the stream or, by
RFC 9113, the connection: GOAWAY is written, ``is_broken`` set and every lane told.

A head is kept back until the frame behind it is seen, or there is none yet, so a small message is
one call for whoever gets it.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable

from activator.http.h2 import codes, framing
from activator.http.h2.codes import (
    DATA,
    DEFAULT_FRAME,
    END_STREAM,
    FRAME_HEAD,
    PADDED,
    Code,
    ConnectionFault,
    StreamFault,
)
from activator.http.h2.control import ControlFrames
from activator.http.h2.decoder import BadBlock, Block, Decoder, TooMuch
from activator.http.h2.framing import Octets
from activator.http.h2.lanes import Lane
from activator.http.h2.limits import DEFAULT_LIMITS, EngineLimits
from activator.http.h2.sending import Later

# From here on a piece is not copied for what came before it.
_LARGE_PIECE = 4096


class Engine(ControlFrames):
    """What both roles have in common."""

    __slots__ = (
        "_at",
        "_buffer",
        "_coming",
        "_continuations",
        "_credit",
        "_fresh",
        "_fresh_block",
        "_handlers",
        "_partial_flags",
        "_partial_stream",
        "_receive_window",
        "_rest",
        "decoder",
        "partial",
        "window",
    )

    def __init__(
        self,
        write: Callable[[Octets], None],
        clock: Callable[[], float],
        later: Later,
        limits: EngineLimits = DEFAULT_LIMITS,
    ) -> None:
        super().__init__(write, clock, later, limits)
        self.decoder = Decoder(limits.list_octets)
        self.window = limits.stream_window
        self._receive_window = limits.connection_window
        self._credit = 0
        self._rest = b""
        self._buffer = b""
        self._at = 0
        # Lanes of which pieces have come in this turn.
        self._coming: list[Lane] = []
        # A lane whose head has come, and is still to be told of.
        self._fresh: Lane | None = None
        self._fresh_block: Block | None = None
        # A field block that has not come to its end.
        self.partial: bytearray | None = None
        self._partial_stream = self._partial_flags = self._continuations = 0
        self._handlers: list[Callable[[int, int, bytes], None]] = [
            self._on_data,
            self._on_headers,
            self._on_priority,
            self._on_rst_stream,
            self._on_settings_frame,
            self._on_push_promise,
            self._on_ping,
            self._on_goaway,
            self._on_window_update,
            self._on_continuation,
        ]

    # -- octets -------------------------------------------------------------------------------

    def receive(self, data: bytes) -> None:
        """Take in what has been received; faults are dealt with here."""
        if self.is_broken:
            return
        rest, at = self._rest, 0
        try:
            if rest and len(data) < _LARGE_PIECE:
                data = rest + data
            elif rest:
                at = self._complete(rest, data)
                if at == len(data) or self.is_broken:
                    return
            self._buffer, self._at = data, at
            self._receive()
        except ConnectionFault as fault:
            self.fail(fault.code, str(fault))

    def _complete(self, rest: bytes, data: bytes) -> int:
        """Take in the frame that began in an earlier piece; where it ends in this one.

        So that a large piece is not copied for the few octets before it.
        """
        at = max(0, FRAME_HEAD - len(rest))
        head = rest + data[:at]
        missing = (head[0] << 16 | head[1] << 8 | head[2]) + FRAME_HEAD - len(head)
        end = min(at + missing, len(data))
        self._buffer, self._at = head + data[at:end], 0
        self._receive(is_all=end == len(data))
        return end

    def _receive(self, *, is_all: bool = True) -> None:
        while True:
            try:
                self._read_frames()
                if self._coming:
                    self._deliver_coming()
                if is_all and self._fresh is not None:
                    self._announce()
                return
            except StreamFault as fault:
                self._fault(fault)

    def _read_frames(self) -> None:
        data, at = self._buffer, self._at
        size = len(data)
        while size - at >= FRAME_HEAD:
            length = data[at] << 16 | data[at + 1] << 8 | data[at + 2]
            if length > DEFAULT_FRAME:
                raise ConnectionFault(Code.FRAME_SIZE_ERROR, "a frame is too large")
            start = at + FRAME_HEAD
            end = start + length
            if end > size:
                break
            kind, flags = data[at + 3], data[at + 4]
            stream = int.from_bytes(data[at + 5 : start], "big") & 0x7FFFFFFF
            fresh = self._fresh
            if fresh is not None and (kind != DATA or stream != fresh.id):
                self._announce()
            self._at = at = end
            if self.partial is not None and (
                kind != codes.CONTINUATION or stream != self._partial_stream
            ):
                raise ConnectionFault(Code.PROTOCOL_ERROR, "a frame within a field block")
            if not self._has_settings and kind != codes.SETTINGS:
                raise ConnectionFault(Code.PROTOCOL_ERROR, "the first frame is no SETTINGS")
            if kind < 10:
                if self._coming and (kind != DATA or flags):
                    self._deliver_coming()
                self._handlers[kind](flags, stream, data[start:end])
            else:
                # Section 5.5: what is not known is passed over.
                self.nuisance()
            if self.is_broken:
                return
        self._rest = data[at:] if at < size else b""
        self._buffer = b""

    def _deliver_coming(self) -> None:
        """Pass on what has come of bodies in this turn, as one piece for each stream."""
        lanes, self._coming = self._coming, []
        for lane in lanes:
            lane.take_coming()

    def _announce(self) -> None:
        """Tell of a head behind which nothing has come yet."""
        lane, self._fresh = self._fresh, None
        block, self._fresh_block = self._fresh_block, None
        if lane is not None and block is not None:
            self._begin(lane, block, b"", end=False)

    # -- faults -------------------------------------------------------------------------------

    def fail(self, code: Code, text: str) -> None:
        """End the connection for a fault of the peer's."""
        if self.is_broken:
            return
        self.is_broken = True
        self.write(framing.goaway(self.last_peer_stream, code, text))
        self.lose(text, is_fault=True)

    def lose(self, text: str, *, is_fault: bool = False) -> None:
        """There is no connection any more: tell every lane."""
        self.is_broken = True
        self._fresh = self._fresh_block = None
        lanes = list(self.lanes.values())
        self.lanes.clear()
        self._waiting.clear()
        for lane in lanes:
            lane.drop()
            lane.on_cut(Code.NO_ERROR, text, is_fault=is_fault)

    def _fault(self, fault: StreamFault) -> None:
        if self.is_idle(fault.stream):
            # There is nothing that could be reset.
            raise ConnectionFault(fault.code, str(fault))
        self.write(framing.rst_stream(fault.stream, fault.code))
        self.remember_reset(fault.stream)
        lane = self.lanes.get(fault.stream)
        if self._fresh is lane:
            self._fresh = self._fresh_block = None
        if lane is not None:
            lane.drop()
            self.forget(lane)
            lane.on_cut(fault.code, str(fault), is_fault=True)
        self.count_reset()

    # -- frames -------------------------------------------------------------------------------

    def _on_data(self, flags: int, stream: int, payload: bytes) -> None:
        lane = self.lanes.get(stream)
        flow = len(payload)
        if (
            not flags
            and lane is not None
            and self._fresh_block is None
            and not lane.is_remote_closed
            and 0 < flow <= lane.receive_window
            and flow <= self._receive_window
        ):
            # A piece of a body, as nearly all of them are.
            self._receive_window -= flow
            lane.receive_window -= flow
            self._credit += flow
            self._nuisances.merit += 1
            if lane.left >= 0:
                lane.count_left(flow, False)
            # Kept until all that has come is looked at: one write is cheaper than many.
            if lane.coming is None:
                lane.coming = [payload]
                self._coming.append(lane)
            else:
                lane.coming.append(payload)
        else:
            self._on_other_data(flags, stream, payload, lane)

    def _on_other_data(self, flags: int, stream: int, payload: bytes, lane: Lane | None) -> None:
        """What is the beginning of a body or its end, or not right."""
        flow = len(payload)
        if not stream:
            raise ConnectionFault(Code.PROTOCOL_ERROR, "DATA without a stream")
        self._take_window(flow)
        if flags & PADDED:
            payload = _unpadded(payload)
        end = bool(flags & END_STREAM)
        if payload:
            self._nuisances.merit += 1
        elif not end:
            self.nuisance()
        if lane is None or lane.is_remote_closed:
            self._on_late(stream, lane)
            return
        lane.receive_window -= flow
        if lane.receive_window < 0:
            raise StreamFault(stream, Code.FLOW_CONTROL_ERROR, "more than the window has room for")
        block = self._fresh_block
        if block is not None:
            self._fresh = self._fresh_block = None
            self._begin(lane, block, payload, end=end, flow=flow)
        else:
            lane.take_data(payload, flow, end)

    def _take_window(self, flow: int) -> None:
        """The connection's window is given back at once: only a stream's holds its sender up."""
        self._receive_window -= flow
        if self._receive_window < 0:
            raise ConnectionFault(
                Code.FLOW_CONTROL_ERROR, "more than the connection's window has room for"
            )
        self._credit += flow
        if self._credit >= self.limits.connection_window >> 1:
            self.open_window()

    def open_window(self) -> None:
        """Give the connection's window back, unless too much is held already."""
        limits = self.limits
        if self._credit >= limits.connection_window >> 1 and self.held <= limits.held_octets:
            self.write(framing.window_update(0, self._credit))
            self._receive_window += self._credit
            self._credit = 0

    def _on_late(self, stream: int, lane: Lane | None) -> None:
        """DATA on a stream that is over, or has not begun."""
        if lane is None and stream in self._reset:
            return
        if lane is None and self.is_idle(stream):
            raise ConnectionFault(Code.PROTOCOL_ERROR, "DATA on a stream that is not open")
        raise StreamFault(stream, Code.STREAM_CLOSED, "DATA behind the end of a message")

    def _on_headers(self, flags: int, stream: int, payload: bytes) -> None:
        if not stream:
            raise ConnectionFault(Code.PROTOCOL_ERROR, "HEADERS without a stream")
        if flags & PADDED:
            payload = _unpadded(payload)
        depends_on_itself = False
        if flags & codes.WITH_PRIORITY:
            if len(payload) < 5:
                raise ConnectionFault(Code.FRAME_SIZE_ERROR, "HEADERS ends within its priority")
            depends_on_itself = int.from_bytes(payload[:4], "big") & 0x7FFFFFFF == stream
            payload = payload[5:]
        if not flags & codes.END_HEADERS:
            self.partial = bytearray(payload)
            self._partial_stream, self._partial_flags = stream, flags
            self._continuations = 0
            return
        self._on_block(stream, payload, bool(flags & END_STREAM))
        if depends_on_itself:
            raise StreamFault(stream, Code.PROTOCOL_ERROR, "a stream depends on itself")

    def _on_continuation(self, flags: int, stream: int, payload: bytes) -> None:
        partial = self.partial
        if partial is None:
            raise ConnectionFault(Code.PROTOCOL_ERROR, "CONTINUATION of nothing")
        partial += payload
        self._continuations += 1
        limits = self.limits
        if self._continuations > limits.continuations or len(partial) > limits.list_octets:
            raise ConnectionFault(Code.ENHANCE_YOUR_CALM, "a field block is too long")
        if flags & codes.END_HEADERS:
            self.partial = None
            self._on_block(stream, bytes(partial), bool(self._partial_flags & END_STREAM))

    def _on_block(self, stream: int, data: bytes, end: bool) -> None:
        try:
            block = self.decoder.decode(data)
        except BadBlock as error:
            raise ConnectionFault(Code.COMPRESSION_ERROR, str(error)) from None
        except TooMuch:
            raise ConnectionFault(Code.ENHANCE_YOUR_CALM, "a field list is too long") from None
        lane = self.lanes.get(stream)
        if lane is None:
            self.on_new_block(stream, block, end)
        elif lane.is_remote_closed:
            raise StreamFault(stream, Code.STREAM_CLOSED, "HEADERS behind the end of a message")
        else:
            self.on_more_block(lane, block, end)

    def begin_lane(self, lane: Lane, block: Block, end: bool) -> None:
        """A lane's head has come."""
        self._nuisances.merit += 1
        if end:
            self._begin(lane, block, b"", end=True)
        else:
            self._fresh, self._fresh_block = lane, block

    def _begin(self, lane: Lane, block: Block, data: bytes, *, end: bool, flow: int = 0) -> None:
        if end:
            lane.end_remote()
        try:
            lane.begin(block, data, flow, end)
        except StreamFault:
            # It may be over by now, and still has to hear of its fault.
            self.lanes[lane.id] = lane
            raise

    @abstractmethod
    def on_new_block(self, stream: int, block: Block, end: bool) -> None:
        """Fields for a stream without a lane."""

    def on_more_block(self, lane: Lane, block: Block, end: bool) -> None:
        """Further fields for a lane: trailers, as a rule."""
        if not end:
            raise StreamFault(lane.id, Code.PROTOCOL_ERROR, "trailers that are not the end")
        lane.take_trailers(block)


def _unpadded(payload: bytes) -> bytes:
    """A payload without its padding (section 6.1)."""
    if not payload or payload[0] >= len(payload):
        raise ConnectionFault(Code.PROTOCOL_ERROR, "padding larger than its frame")
    return payload[1 : len(payload) - payload[0]]
