"""Frames that carry no message, what they cost, and which streams are over. Pure."""

from __future__ import annotations

from collections.abc import Callable

from activator.http.h2 import codes, framing
from activator.http.h2.budget import Budget
from activator.http.h2.codes import MAX_WINDOW, Code, ConnectionFault, StreamFault
from activator.http.h2.framing import Octets
from activator.http.h2.lanes import Lane
from activator.http.h2.limits import EngineLimits
from activator.http.h2.peersettings import PeerSettings
from activator.http.h2.sending import Later, SendingLane

_REMEMBERED = 1000


class ControlFrames(PeerSettings):
    """The part of a connection that is about the connection."""

    __slots__ = (
        "_clock",
        "_nuisances",
        "_reset",
        "_resets",
        "_unread",
        "goaway_code",
        "is_broken",
        "limits",
    )

    def __init__(
        self,
        write: Callable[[Octets], None],
        clock: Callable[[], float],
        later: Later,
        limits: EngineLimits,
    ) -> None:
        super().__init__(write, later)
        self.limits = limits
        self._clock = clock
        now = clock()
        self._nuisances = Budget(limits.nuisances, limits.nuisances_a_second, now)
        self._resets = Budget(limits.resets, limits.resets_a_second, now)
        self._reset: dict[int, None] = {}
        self._unread = 0
        self.is_broken = False
        # Of the peer's GOAWAY.
        self.goaway_code: int | None = None

    # -- what it costs ------------------------------------------------------------------------

    def nuisance(self, tokens: int = 1) -> None:
        """Something came that costs and brings nothing. Raises ConnectionFault."""
        if self.is_blocked:
            self._unread += tokens
            if self._unread > self.limits.unread_answers:
                raise ConnectionFault(Code.ENHANCE_YOUR_CALM, "answers are not read")
        if not self._nuisances.spend(self._clock(), tokens):
            raise ConnectionFault(Code.ENHANCE_YOUR_CALM, "too many frames that bring nothing")

    def count_reset(self) -> None:
        """A stream has ended before its time by the peer's doing. Raises ConnectionFault."""
        if not self._resets.spend(self._clock()):
            raise ConnectionFault(Code.ENHANCE_YOUR_CALM, "too many streams are cut")

    def count_data(self) -> None:
        """A frame of data has been sent: updates of windows may follow."""
        self._nuisances.merit += 1

    # -- lanes --------------------------------------------------------------------------------

    def forget(self, lane: SendingLane) -> None:
        """A lane is over."""
        self.lanes.pop(lane.id, None)
        self._waiting.pop(lane, None)
        if not self.lanes:
            self.on_idle()

    def on_idle(self) -> None:
        """No stream is open any more."""

    def remember_reset(self, stream: int) -> None:
        """What still comes on this stream is to be passed over."""
        if len(self._reset) >= _REMEMBERED:
            del self._reset[next(iter(self._reset))]
        self._reset[stream] = None

    def set_blocked(self, is_blocked: bool) -> None:
        """The transport takes no more for now, or again."""
        self.is_blocked = is_blocked
        if not is_blocked:
            self._unread = 0
            self._pump_ends()
            self.pump()

    def wait(self, lane: SendingLane) -> None:
        """A lane has something queued."""
        while not self.is_full() and lane.send_queued():
            pass
        if lane.is_waiting:
            self._waiting[lane] = None

    # -- frames -------------------------------------------------------------------------------

    def _on_priority(self, flags: int, stream: int, payload: bytes) -> None:
        """Read and passed over (section 5.3.2)."""
        if not stream:
            raise ConnectionFault(Code.PROTOCOL_ERROR, "PRIORITY without a stream")
        if len(payload) != 5:
            raise StreamFault(stream, Code.FRAME_SIZE_ERROR, "PRIORITY is not of 5 octets")
        if int.from_bytes(payload[:4], "big") & 0x7FFFFFFF == stream:
            raise StreamFault(stream, Code.PROTOCOL_ERROR, "a stream depends on itself")
        self.nuisance()

    def _on_rst_stream(self, flags: int, stream: int, payload: bytes) -> None:
        if not stream:
            raise ConnectionFault(Code.PROTOCOL_ERROR, "RST_STREAM without a stream")
        if len(payload) != 4:
            raise ConnectionFault(Code.FRAME_SIZE_ERROR, "RST_STREAM is not of 4 octets")
        lane = self.lanes.get(stream)
        if lane is None:
            if self.is_idle(stream):
                raise ConnectionFault(Code.PROTOCOL_ERROR, "RST_STREAM of a stream not open")
            self.nuisance()
            return
        code = int.from_bytes(payload, "big")
        if lane.survives(code):
            lane.is_local_closed = True
            self.forget(lane)
            return
        lane.drop()
        self.forget(lane)
        lane.on_cut(code, "the peer has cut it", is_fault=False)
        self.count_peer_reset(lane)

    def count_peer_reset(self, lane: Lane) -> None:
        """The peer has cut a stream. May raise ConnectionFault."""

    def _on_settings_frame(self, flags: int, stream: int, payload: bytes) -> None:
        if stream:
            raise ConnectionFault(Code.PROTOCOL_ERROR, "SETTINGS on a stream")
        if flags & codes.ACK:
            if payload:
                raise ConnectionFault(Code.FRAME_SIZE_ERROR, "SETTINGS ACK with a payload")
            self.nuisance()
            return
        if len(payload) % 6:
            raise ConnectionFault(Code.FRAME_SIZE_ERROR, "SETTINGS ends within a setting")
        if self._has_settings:
            self.nuisance(1 + len(payload) // 96)
        self.take_settings(payload)
        self.write(framing.SETTINGS_ACK)
        self.pump()

    def _on_push_promise(self, flags: int, stream: int, payload: bytes) -> None:
        raise ConnectionFault(Code.PROTOCOL_ERROR, "PUSH_PROMISE, which nobody allowed")

    def _on_ping(self, flags: int, stream: int, payload: bytes) -> None:
        if stream:
            raise ConnectionFault(Code.PROTOCOL_ERROR, "PING on a stream")
        if len(payload) != 8:
            raise ConnectionFault(Code.FRAME_SIZE_ERROR, "PING is not of 8 octets")
        self.nuisance()
        if not flags & codes.ACK:
            self.write(framing.ping_ack(payload))

    def _on_goaway(self, flags: int, stream: int, payload: bytes) -> None:
        if stream:
            raise ConnectionFault(Code.PROTOCOL_ERROR, "GOAWAY on a stream")
        if len(payload) < 8:
            raise ConnectionFault(Code.FRAME_SIZE_ERROR, "GOAWAY is under 8 octets")
        self.nuisance()
        self.goaway_code = int.from_bytes(payload[4:8], "big")
        self.on_goaway(int.from_bytes(payload[:4], "big") & 0x7FFFFFFF)

    def on_goaway(self, last: int) -> None:
        """The peer takes no further stream, and has looked at none above this."""

    def _on_window_update(self, flags: int, stream: int, payload: bytes) -> None:
        if len(payload) != 4:
            raise ConnectionFault(Code.FRAME_SIZE_ERROR, "WINDOW_UPDATE is not of 4 octets")
        octets = int.from_bytes(payload, "big") & 0x7FFFFFFF
        self.nuisance()
        if not stream:
            if not octets or self.send_window + octets > MAX_WINDOW:
                code = Code.FLOW_CONTROL_ERROR if octets else Code.PROTOCOL_ERROR
                raise ConnectionFault(code, "an update of the window by nothing, or by too much")
            self.send_window += octets
            self.pump()
            return
        lane = self.lanes.get(stream)
        if lane is None:
            if self.is_idle(stream):
                raise ConnectionFault(Code.PROTOCOL_ERROR, "an update for a stream not open")
            return
        if not octets or lane.send_window + octets > MAX_WINDOW:
            code = Code.FLOW_CONTROL_ERROR if octets else Code.PROTOCOL_ERROR
            raise StreamFault(stream, code, "an update of the window by nothing, or by too much")
        lane.send_window += octets
        self.pump_lane(lane)
