"""The two roles of a connection: who opens streams, and what is refused to whom. Pure."""

from __future__ import annotations

from collections.abc import Callable

from activator.http.h2 import framing
from activator.http.h2.codes import (
    DEFAULT_WINDOW,
    MAX_STREAM,
    PREFACE,
    Code,
    ConnectionFault,
    Setting,
    StreamFault,
)
from activator.http.h2.decoder import Block
from activator.http.h2.engine import Engine
from activator.http.h2.framing import Octets
from activator.http.h2.lanes import Lane
from activator.http.h2.limits import DEFAULT_LIMITS, EngineLimits
from activator.http.h2.sending import Later

NewLane = Callable[[int], Lane]
"""Makes the lane of a stream that a client has opened."""


class ServerEngine(Engine):
    """A client's connection, seen from the server."""

    __slots__ = ("_expected", "_goaway", "_idle", "_new_lane", "is_finishing")

    def __init__(
        self,
        write: Callable[[Octets], None],
        clock: Callable[[], float],
        later: Later,
        new_lane: NewLane,
        limits: EngineLimits = DEFAULT_LIMITS,
        *,
        idle: Callable[[], None] = lambda: None,
    ) -> None:
        """``idle`` is called whenever the last open stream is over."""
        super().__init__(write, clock, later, limits)
        self._new_lane = new_lane
        self._idle = idle
        self._expected = PREFACE
        # Streams above this are not looked at any more.
        self._goaway = MAX_STREAM
        self.is_finishing = False

    def start(self) -> None:
        """Say our settings, which have to be the first that we say."""
        limits = self.limits
        values = (
            (Setting.MAX_CONCURRENT_STREAMS, limits.streams),
            (Setting.INITIAL_WINDOW_SIZE, limits.stream_window),
            (Setting.MAX_HEADER_LIST_SIZE, limits.list_octets),
        )
        grown = limits.connection_window - DEFAULT_WINDOW
        self.write(framing.settings(values) + framing.window_update(0, grown))

    def receive(self, data: bytes) -> None:
        """Take in what has been received; the preface first."""
        expected = self._expected
        if expected:
            found = data[: len(expected)]
            if not expected.startswith(found):
                self.fail(Code.PROTOCOL_ERROR, "no HTTP/2 preface")
                return
            self._expected = expected[len(found) :]
            data = data[len(found) :]
            if not data:
                return
        super().receive(data)

    def adopt(self, lane: Lane) -> None:
        """A request that has come whole over HTTP/1.1 is stream 1 (RFC 7540, section 3.2)."""
        # The settings that came with it are no frame: the client's first one is still to come.
        self._has_settings = False
        self.last_peer_stream = lane.id
        self.lanes[lane.id] = lane
        lane.is_remote_closed = True

    def is_idle(self, stream: int) -> bool:
        """Whether a stream has never been open."""
        return stream > self.last_peer_stream or not stream & 1

    def on_new_block(self, stream: int, block: Block, end: bool) -> None:
        """A request's head."""
        if not stream & 1:
            raise ConnectionFault(Code.PROTOCOL_ERROR, "a client's stream with an even number")
        if stream <= self.last_peer_stream:
            if stream in self._reset:
                return
            raise ConnectionFault(Code.STREAM_CLOSED, "HEADERS on a stream that is over")
        self.last_peer_stream = stream
        limits = self.limits
        is_full = len(self.lanes) >= limits.streams or self.queued > limits.queued_octets
        if is_full or stream > self._goaway:
            raise StreamFault(stream, Code.REFUSED_STREAM, "no further stream is taken")
        lane = self.lanes[stream] = self._new_lane(stream)
        self.begin_lane(lane, block, end)

    def count_peer_reset(self, lane: Lane) -> None:
        """A client that cuts its requests has had the work done for nothing."""
        if not lane.is_local_closed:
            self.count_reset()

    # -- the end ------------------------------------------------------------------------------

    def give_notice(self) -> None:
        """Say that the end is near: no stream should be opened any more (section 6.8)."""
        if not self.is_broken:
            self.write(framing.goaway(MAX_STREAM, Code.NO_ERROR))

    def finish(self) -> None:
        """Take no further stream, and end with those that are open."""
        if self.is_broken or self.is_finishing:
            return
        self.is_finishing = True
        self._goaway = self.last_peer_stream
        self.write(framing.goaway(self._goaway, Code.NO_ERROR))

    def on_idle(self) -> None:
        """No stream is open any more."""
        self._idle()


class ClientEngine(Engine):
    """A connection to a server, seen from the client."""

    __slots__ = ("_idle", "_next", "is_going")

    def __init__(
        self,
        write: Callable[[Octets], None],
        clock: Callable[[], float],
        later: Later,
        limits: EngineLimits = DEFAULT_LIMITS,
        *,
        idle: Callable[[], None] = lambda: None,
    ) -> None:
        """``idle`` is called whenever the last open stream is over."""
        super().__init__(write, clock, later, limits)
        self._idle = idle
        self._next = 1
        # The server takes no further stream.
        self.is_going = False

    def start(self) -> None:
        """Say the preface and our settings."""
        limits = self.limits
        values = (
            (Setting.ENABLE_PUSH, 0),
            (Setting.INITIAL_WINDOW_SIZE, limits.stream_window),
            (Setting.MAX_HEADER_LIST_SIZE, limits.list_octets),
        )
        grown = limits.connection_window - DEFAULT_WINDOW
        said = framing.settings(values) + framing.window_update(0, grown)
        self.write(PREFACE + said)

    @property
    def has_room(self) -> bool:
        """Whether another stream may be opened."""
        return (
            len(self.lanes) < self.peer_streams
            and not self.is_going
            and not self.is_broken
            and self._next <= MAX_STREAM
        )

    def add(self, lane: Lane) -> None:
        """Open a stream, whose lane has the number ``next_stream``."""
        self.lanes[lane.id] = lane
        self._next = lane.id + 2

    def ping(self) -> None:
        """Ask for a sign of life."""
        self.write(framing.ping(b"hearth\x00\x00"))

    @property
    def next_stream(self) -> int:
        """The number of the next stream."""
        return self._next

    def is_idle(self, stream: int) -> bool:
        """Whether a stream has never been open."""
        return stream >= self._next or not stream & 1

    def check_push(self, value: int) -> None:
        """A server never turns pushes on (section 6.5.2)."""
        if value:
            raise ConnectionFault(Code.PROTOCOL_ERROR, "a server says ENABLE_PUSH")

    def on_new_block(self, stream: int, block: Block, end: bool) -> None:
        """Fields of a response to nobody: late ones are passed over."""
        if self.is_idle(stream):
            raise ConnectionFault(Code.PROTOCOL_ERROR, "HEADERS on a stream not open")
        self.nuisance()

    def on_more_block(self, lane: Lane, block: Block, end: bool) -> None:
        """A response's head, or its trailers."""
        if lane.is_headed:
            super().on_more_block(lane, block, end)
        elif not lane.take_interim(block, end):
            lane.is_headed = True
            self.begin_lane(lane, block, end)

    def count_reset(self) -> None:
        """What a pod cuts is its own affair."""

    def on_goaway(self, last: int) -> None:
        """Streams above ``last`` were not looked at (section 6.8)."""
        self.is_going = True
        for lane in [lane for lane in self.lanes.values() if lane.id > last]:
            lane.drop()
            self.forget(lane)
            lane.on_cut(Code.REFUSED_STREAM, "the peer goes away", is_fault=False)

    def on_idle(self) -> None:
        """No stream is open any more."""
        self._idle()
