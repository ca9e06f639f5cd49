"""How a client's connection of HTTP/1.1 ends, and when: the part that is about no request.

A response after which nothing more is read ends with a half close: what the client still sends is
read and forgotten until it has seen the end, for closing over unread bytes resets the connection
and loses the answer (RFC 9112, section 9.6). So does a tunnel that is cut.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from enum import IntEnum

from activator.http import refusals
from activator.http.context import ServerContext
from activator.http.departures import Departures, send_now
from activator.http.events import NewSession, ResponseHead, Session
from activator.http.h1.requests import RequestReader
from activator.http.h1.streams import Pause, Stream
from activator.http.h1.writing import response_head

# The end of a tunnel that is cut: how long its client gets to see it.
_TUNNEL_LINGER_SECONDS = 1.0


class Mode(IntEnum):
    """What arriving bytes are."""

    HTTP = 0
    TUNNEL = 1
    # Nothing: the stream of requests is broken, and earlier ones are still to be answered.
    BROKEN = 2
    # Nothing: everything is answered, and the client has to see it.
    LINGERING = 3
    CLOSED = 4


# A member of an enum takes ten times as long to look up as a module's name.
HTTP, BROKEN, CLOSED = Mode.HTTP, Mode.BROKEN, Mode.CLOSED


class EndingConnection(asyncio.Protocol):
    """What a connection is made of, what is written on it, and how it ends."""

    __slots__ = (
        "_active",
        "_broken",
        "_came_at",
        "_clock",
        "_context",
        "_departures",
        "_descriptor",
        "_discarded",
        "_gathered",
        "_has_written",
        "_head_since",
        "_idle_since",
        "_is_advancing",
        "_is_slow",
        "_linger_until",
        "_mode",
        "_new_session",
        "_pauses",
        "_reader",
        "_receiving",
        "_session",
        "_waiting",
        "check_at",
        "is_blocked",
        "is_half_closed",
        "transport",
    )

    def __init__(self, context: ServerContext, new_session: NewSession) -> None:
        self._context = context
        self._clock = context.timers.clock
        self._departures: Departures
        # Of a socket that whole answers may be written to.
        self._descriptor = -1
        self._new_session = new_session
        self._session: Session
        self._reader: RequestReader
        self.transport: asyncio.Transport
        self._mode = HTTP
        # The stream whose turn it is to answer, those behind it, the one whose body arrives.
        self._active: Stream | None = None
        self._waiting: deque[Stream] = deque()
        self._receiving: Stream | None = None
        self._is_advancing = False
        self._broken: ResponseHead | None = None
        self.is_blocked = False
        # The client reads slowly, and more is kept for it than for others.
        self._is_slow = False
        self.is_half_closed = False
        self._has_written = False
        # Whole responses that are written when the turn of the loop is over, or before another.
        self._gathered: list[bytes] = []
        self._pauses = 0
        self._discarded = 0
        self._head_since = 0.0
        # Until a first response is whole, it has been idle since it came.
        self._came_at = self._idle_since = 0.0
        self._linger_until = 0.0
        self.check_at = float("inf")

    def write(self, data: bytes) -> None:
        """Bytes for the client."""
        if self._mode is not CLOSED:
            self._has_written = True
            if self._gathered:
                self.depart()
            self.transport.write(data)
            if self._is_slow:
                self._look_at_slow()

    def depart(self) -> None:
        """Write the responses that wait for the end of this turn of the loop."""
        gathered = self._gathered
        if not gathered:
            return
        self._gathered = []
        if self._mode is not CLOSED:
            data = gathered[0] if len(gathered) == 1 else b"".join(gathered)
            if self._descriptor < 0:
                self.transport.write(data)
            else:
                send_now(self.transport, self._descriptor, data)

    def pause(self, reason: int) -> None:
        """Stop reading for one of several reasons."""
        if not self._pauses and self._mode is not CLOSED:
            self.transport.pause_reading()
        self._pauses |= reason

    def resume(self, reason: int) -> None:
        """One reason is gone."""
        if not self._pauses & reason:
            return
        self._pauses &= ~reason
        if not self._pauses and self._mode is not CLOSED:
            self.transport.resume_reading()

    # -- slow clients -------------------------------------------------------------------------

    def pause_writing(self) -> None:
        """The client reads slowly: for some more is kept, then whoever writes has to wait."""
        context = self._context
        if context.slow_clients < context.limits.slow_clients and self._mode is HTTP:
            context.slow_clients += 1
            self._is_slow = True
            self._look_at_slow()
        else:
            self._block()

    def resume_writing(self) -> None:
        """The client has caught up."""
        self._be_fast()
        if not self.is_blocked:
            return
        self.is_blocked = False
        self.resume(Pause.BLOCKED)
        if self._active is not None and self._active.handler is not None:
            self._active.handler.on_window(True)

    def _look_at_slow(self) -> None:
        is_full = self.transport.get_write_buffer_size() > self._context.limits.slow_octets
        if is_full and not self.is_blocked:
            self._block()

    def _block(self) -> None:
        self.is_blocked = True
        if self._active is not None and self._active.handler is not None:
            self._active.handler.on_window(False)

    def _be_fast(self) -> None:
        if self._is_slow:
            self._is_slow = False
            self._context.slow_clients -= 1

    # -- endings ------------------------------------------------------------------------------

    def end_with_response(self) -> None:
        """Shutting down: the response under way, or the next one, is the last."""
        self._spoil_plain()

    def drain(self) -> None:
        """Shutting down: end now if idle, else with the response under way."""
        if self._active is None and not self._waiting and self._mode is HTTP:
            self._close()
        else:
            self._spoil_plain()

    def abort(self) -> None:
        """End at once; a tunnel behind what has been written."""
        if self._mode is Mode.TUNNEL:
            self._abandon()
            self._linger(_TUNNEL_LINGER_SECONDS)
            return
        self._mode = CLOSED
        self._abandon()
        self.transport.abort()

    def expire(self, now: float) -> None:
        """A deadline may have passed: a request's, a slow head's or a long silence's."""
        if now < self.check_at or self._mode is CLOSED:
            # An entry that an earlier one has overtaken, or a connection that is gone.
            return
        self.check_at = float("inf")
        keep_alive_seconds = self._context.limits.keep_alive_seconds
        if self._mode is Mode.LINGERING:
            self._expire_lingering(now)
        elif self._active is not None:
            self._expire_streams(self._active, now)
            self._check_by(now + keep_alive_seconds)
        elif self._head_since:
            self._expire_head(now)
        elif now >= self._idle_since + keep_alive_seconds:
            self._close()
        else:
            self.check_later(self._idle_since + keep_alive_seconds)

    def check_later(self, deadline: float) -> None:
        """See that ``expire`` is called then."""
        self.check_at = deadline
        self._context.timers.watch(self, deadline)

    def _check_by(self, deadline: float) -> None:
        if deadline < self.check_at:
            self.check_later(deadline)

    def _expire_streams(self, active: Stream, now: float) -> None:
        if self.is_half_closed:
            if not self._has_written:
                self.abort()
                return
            self._has_written = False
            self._check_by(now + self._context.limits.half_closed_seconds)
        for stream in (active, *self._waiting):
            if stream.handler is not None and not stream.is_over:
                stream.handler.on_deadline(now)

    def _expire_head(self, now: float) -> None:
        due = self._head_since + self._context.limits.head_seconds
        if now >= due:
            self._answer_and_linger(self._context.refuse(refusals.HEAD_TIMEOUT))
        else:
            self.check_later(due)

    def _expire_lingering(self, now: float) -> None:
        silent_until = self._idle_since + self._context.limits.linger_silence_seconds
        if now >= min(self._linger_until, silent_until):
            self.abort()
        else:
            self.check_later(min(self._linger_until, silent_until))

    def _receive_other(self, data: bytes) -> None:
        """Bytes that are no requests."""
        if self._mode is Mode.TUNNEL:
            if self._active is not None and self._active.handler is not None:
                self._active.handler.on_body(data)
        elif self._mode is Mode.LINGERING:
            self._idle_since = self._clock()
            self._discarded += len(data)
            if self._discarded > self._context.limits.linger_octets:
                self.abort()

    def _discard(self, size: int) -> None:
        """The response is over and the request's body goes on: read it, within reason."""
        self._discarded += size
        if self._discarded > self._context.limits.discarded_octets:
            self._linger()

    def _end(self, stream: Stream) -> None:
        """No further response will be written."""
        self._abandon()
        if stream.is_whole:
            self._close()
        else:
            self._linger()

    def _answer_and_linger(self, answer: ResponseHead) -> None:
        self.write(response_head(answer, b"connection: close\r\n") + answer.body)
        self._linger()

    def _linger(self, seconds: float = math.inf) -> None:
        """Send the end, then read and forget until the client has seen it."""
        if self._mode > BROKEN:
            return
        self.depart()
        self._mode = Mode.LINGERING
        if self._pauses:
            self._pauses = 0
            self.transport.resume_reading()
        if not self.transport.can_write_eof():
            self._close()
            return
        self.transport.write_eof()
        limits, now = self._context.limits, self._clock()
        self._discarded, self._idle_since = 0, now
        self._linger_until = now + min(limits.linger_seconds, seconds)
        self.check_later(min(now + limits.linger_silence_seconds, self._linger_until))

    def _close(self) -> None:
        """Close once everything written has left."""
        self.depart()
        self._mode = CLOSED
        self.transport.close()

    def _spoil_plain(self) -> None:
        """Responses from here on have to say something about the connection."""
        for stream in (self._active, *self._waiting):
            if stream is not None:
                stream.is_plain = False

    def _abandon(self) -> None:
        streams = [self._active, *self._waiting]
        self._active = self._receiving = None
        self._waiting.clear()
        for stream in streams:
            if stream is not None:
                stream.give_up(None)
