"""What the peer's settings say, and sending by its windows (RFC 9113, 5.2 and 6.5). Pure."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

from activator.http.h2.codes import (
    DEFAULT_FRAME,
    DEFAULT_WINDOW,
    LARGEST_FRAME,
    MAX_WINDOW,
    Code,
    ConnectionFault,
    Setting,
)
from activator.http.h2.encoder import Encoder
from activator.http.h2.framing import Octets
from activator.http.h2.lanes import Lane
from activator.http.h2.sending import TURN_OCTETS, Later, SendingLane

# Larger frames would only hold up the other streams.
_LARGEST_SENT = 64 * 1024


class PeerSettings(ABC):
    """The sending half of a connection."""

    __slots__ = (
        "_has_settings",
        "_waiting",
        "encoder",
        "held",
        "is_blocked",
        "lanes",
        "last_peer_stream",
        "later",
        "peer_frame",
        "peer_streams",
        "peer_window",
        "queued",
        "send_window",
        "write",
    )

    def __init__(self, write: Callable[[Octets], None], later: Later) -> None:
        self.write = write
        self.later = later
        self.encoder = Encoder()
        self.lanes: dict[int, Lane] = {}
        # Lanes with something queued, in the order of their turns.
        self._waiting: dict[SendingLane, None] = {}
        self._has_settings = False
        self.held = self.queued = 0
        self.is_blocked = False
        self.last_peer_stream = 0
        self.send_window = DEFAULT_WINDOW
        self.peer_window = DEFAULT_WINDOW
        self.peer_frame = DEFAULT_FRAME
        # Streams that we may have open: without a word, as many as we like.
        self.peer_streams = MAX_WINDOW

    @property
    def has_settings(self) -> bool:
        """Whether the peer has shown that it speaks HTTP/2."""
        return self._has_settings

    @abstractmethod
    def is_idle(self, stream: int) -> bool:
        """Whether a stream has never been open."""

    def take_settings(self, payload: bytes) -> None:
        """Take over settings, in their order. Raises ConnectionFault."""
        self._has_settings = True
        for at in range(0, len(payload), 6):
            name = int.from_bytes(payload[at : at + 2], "big")
            self._take_setting(name, int.from_bytes(payload[at + 2 : at + 6], "big"))

    def _take_setting(self, name: int, value: int) -> None:
        if name == Setting.INITIAL_WINDOW_SIZE:
            self._take_initial_window(value)
        elif name == Setting.HEADER_TABLE_SIZE:
            self.encoder.resize(value)
        elif name == Setting.MAX_CONCURRENT_STREAMS:
            self.peer_streams = value
        elif name == Setting.MAX_FRAME_SIZE:
            if not DEFAULT_FRAME <= value <= LARGEST_FRAME:
                raise ConnectionFault(Code.PROTOCOL_ERROR, "a frame size out of range")
            self.peer_frame = min(value, _LARGEST_SENT)
        elif name == Setting.ENABLE_PUSH:
            self.check_push(value)

    def check_push(self, value: int) -> None:
        """Whether the peer may say this of pushes. Raises ConnectionFault."""
        if value > 1:
            raise ConnectionFault(Code.PROTOCOL_ERROR, "ENABLE_PUSH is neither 0 nor 1")

    def _take_initial_window(self, value: int) -> None:
        """It changes the windows of all streams there are, below zero perhaps (section 6.9.2)."""
        if value > MAX_WINDOW:
            raise ConnectionFault(Code.FLOW_CONTROL_ERROR, "an initial window out of range")
        change = value - self.peer_window
        self.peer_window = value
        for lane in self.lanes.values():
            lane.send_window += change
            if lane.send_window > MAX_WINDOW:
                raise ConnectionFault(Code.FLOW_CONTROL_ERROR, "a window out of range")

    def is_full(self) -> bool:
        """Whether the transport takes no more; any write may change it."""
        return self.is_blocked

    def pump(self) -> None:
        """Send what is queued, a little of each stream in turn, as far as the windows go."""
        waiting = self._waiting
        stuck = 0
        while stuck < len(waiting) and self.send_window > 0 and not self.is_full():
            lane = next(iter(waiting))
            most = max(DEFAULT_FRAME, TURN_OCTETS // len(waiting))
            if lane.send_queued(most):
                stuck = 0
            else:
                stuck += 1
            if not lane.is_waiting:
                self._is_drained(lane)
            elif lane in waiting:
                # To the end of the line.
                del waiting[lane]
                waiting[lane] = None

    def _pump_ends(self) -> None:
        """Send what needs no window."""
        for lane in [lane for lane in self._waiting if lane.is_bare]:
            self.pump_lane(lane)

    def pump_lane(self, lane: SendingLane) -> None:
        """The same for one whose own window has grown."""
        while not self.is_full() and lane.send_queued():
            pass
        if lane in self._waiting and not lane.is_waiting:
            self._is_drained(lane)

    def _is_drained(self, lane: SendingLane) -> None:
        self._waiting.pop(lane, None)
        if not lane.is_local_closed and not lane.is_cut:
            lane.deliver_window(True)
