"""The server half of HTTP/1.1: requests of one connection in, responses out, in order.

Thin: the rules are in ``requests``.

A request becomes a ``Stream`` when its head is complete. ``ServerLimits.pipelined`` of them are
with the application at a time; those behind wait, with reading paused, so they hold little.
Responses are written in the order of the requests, whatever the order in which they are made.
"""

from __future__ import annotations

import asyncio
from collections import deque
from enum import IntEnum
from typing import cast

from activator.http import refusals
from activator.http.context import ServerContext
from activator.http.events import NewSession, Peer, Refusal, RequestHead, ResponseHead
from activator.http.fields import Trailers
from activator.http.h1.requests import Hop, Http2Preface, RequestReader
from activator.http.h1.streams import Pause, Stream
from activator.http.h1.writing import response_head
from activator.http.refusals import FramingError


class _Mode(IntEnum):
    """What arriving bytes are."""

    HTTP = 0
    TUNNEL = 1
    # Nothing: the stream of requests is broken, and earlier ones are still to be answered.
    BROKEN = 2
    # Nothing: everything is answered, and the client has to see it.
    LINGERING = 3
    CLOSED = 4


# A member of an enum takes ten times as long to look up as a module's name.
_HTTP, _BROKEN, _CLOSED = _Mode.HTTP, _Mode.BROKEN, _Mode.CLOSED
_PIPELINE, _STREAM = Pause.PIPELINE, Pause.STREAM


_SWITCH_TO_H2C = b"HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: h2c\r\n\r\n"


class ServerConnection(asyncio.Protocol):
    """A client's connection."""

    __slots__ = (
        "_active",
        "_broken",
        "_came_at",
        "_clock",
        "_context",
        "_discarded",
        "_gathered",
        "_has_written",
        "_head_since",
        "_idle_since",
        "_is_advancing",
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
        self._new_session = new_session
        self._reader = RequestReader(self, context.table, context.limits.framing)
        self.transport: asyncio.Transport
        self._mode = _HTTP
        # The stream whose turn it is to answer, those behind it, the one whose body arrives.
        self._active: Stream | None = None
        self._waiting: deque[Stream] = deque()
        self._receiving: Stream | None = None
        self._is_advancing = False
        self._broken: ResponseHead | None = None
        self.is_blocked = False
        self.is_half_closed = False
        self._has_written = False
        # Responses that are written together with the next one.
        self._gathered: list[bytes] = []
        self._pauses = 0
        self._discarded = 0
        self._head_since = 0.0
        # Until a first response is whole, it has been idle since it came.
        self._came_at = self._idle_since = 0.0
        self._linger_until = 0.0
        self.check_at = float("inf")

    # -- the transport's callbacks ------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has come."""
        # uvloop's transports have the methods and not the base class.
        self.transport = cast(asyncio.Transport, transport)
        context = self._context
        context.connections.add(self)
        peer = transport.get_extra_info("peername")
        is_secure = transport.get_extra_info("ssl_object") is not None
        address = peer[0] if isinstance(peer, tuple) else ""
        self._session = self._new_session(Peer(address, b"https" if is_secure else b"http"))
        self._came_at = self._idle_since = self._clock()
        if len(context.connections) > context.limits.connections:
            self._answer_and_linger(context.refuse(refusals.TOO_MANY_CONNECTIONS))
        elif is_secure and _has_agreed_on_http2(transport):
            self._become_http2(b"")
        else:
            self.check_later(self._idle_since + context.limits.keep_alive_seconds)

    def data_received(self, data: bytes) -> None:
        """Bytes of requests, as a rule."""
        if self._mode:
            self._receive_other(data)
            return
        reader = self._reader
        try:
            reader.feed(data)
        except FramingError as error:
            if isinstance(error, Http2Preface) and self._is_fresh():
                self._become_http2(error.data)
            else:
                self._break(error.refusal)
            return
        if reader.in_head:
            if not self._head_since:
                self._head_since = self._clock()
                self._check_by(self._head_since + self._context.limits.head_seconds)
        elif reader.held is not None:
            self._look_at_held(reader)

    def eof_received(self) -> bool:
        """The client sends no more. It may be gone, or wait for its answer."""
        active = self._active
        if self._mode is _Mode.TUNNEL:
            return active is not None and self._end_of_tunnel(active)
        is_waiting = active is not None and self._receiving is None and not self._reader.in_head
        if self._mode is _Mode.LINGERING or not is_waiting:
            return False
        self.is_half_closed = True
        self._spoil_plain()
        self._check_by(self._clock() + self._context.limits.half_closed_seconds)
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone."""
        self._mode = _CLOSED
        self._context.forget(self)
        self._abandon()

    def pause_writing(self) -> None:
        """The client reads slowly, so whoever writes has to wait."""
        self.is_blocked = True
        if self._active is not None and self._active.handler is not None:
            self._active.handler.on_window(False)

    def resume_writing(self) -> None:
        """The client has caught up."""
        self.is_blocked = False
        self.resume(Pause.BLOCKED)
        if self._active is not None and self._active.handler is not None:
            self._active.handler.on_window(True)

    # -- the reader's events ------------------------------------------------------------------

    def on_request(self, head: RequestHead, hop: Hop) -> None:
        """A request's head is whole."""
        self._head_since = 0.0
        stream = Stream(self, head, hop)
        if not stream.is_whole:
            self._receiving = stream
        elif hop.is_plain:
            stream.is_plain = not self._context.is_draining
        elif hop.h2c is not None and self._is_fresh() and self._upgrade(head, hop.h2c):
            return
        if self._active is None and not self._waiting:
            self._active = stream
            handler = self._session.request(stream)
            if not stream.is_over:
                stream.handler = handler
                if self.is_blocked:
                    handler.on_window(False)
        else:
            self._queue(stream)

    def on_request_body(self, data: bytes) -> None:
        """A piece of its body."""
        stream = self._receiving
        if stream is None:
            return
        handler = stream.handler
        if handler is not None:
            handler.on_body(data)
        elif stream.is_over:
            self._discard(len(data))
        else:
            stream.keep(data)

    def on_request_end(self, trailers: Trailers) -> None:
        """It is whole."""
        stream = self._receiving
        if stream is None:
            return
        self._receiving = None
        handler = stream.handler
        if handler is not None:
            stream.is_whole = True
            stream.is_plain = (
                stream.hop.is_plain
                and stream is self._active
                and not stream.has_begun
                and not self._context.is_draining
            )
            handler.on_end(trailers)
        elif stream.is_over:
            stream.is_whole = True
            self._discarded = 0
        else:
            stream.keep_end(trailers)

    # -- order --------------------------------------------------------------------------------

    def _queue(self, stream: Stream) -> None:
        """Others are to be answered before it."""
        limits = self._context.limits
        stream.is_plain = False
        stream.wait_for_turn()
        self._waiting.append(stream)
        if len(self._waiting) < limits.pipelined:
            self._start(stream)
            if self.is_blocked:
                self.pause(Pause.BLOCKED)
        else:
            self.pause(_PIPELINE)

    def _start(self, stream: Stream) -> None:
        handler = self._session.request(stream)
        if stream.is_over:
            return
        stream.handler = handler
        stream.deliver_early(handler)
        if self.is_blocked and not stream.is_over:
            handler.on_window(False)

    def answer(self, stream: Stream, response: bytes) -> None:
        """Write a whole response; those of pipelined requests that are made together in one go."""
        if self._waiting:
            if not self._gathered:
                asyncio.get_running_loop().call_soon(self._write_gathered)
            self._gathered.append(response)
        elif self._gathered:
            self._gathered.append(response)
            self._write_gathered()
        else:
            self.transport.write(response)
        self.finish(stream)

    def finish(self, stream: Stream) -> None:
        """A response is whole; go on with the next request or end."""
        if stream is not self._active:
            # Made before its turn: it is written when that comes.
            return
        self._active = None
        stream.handler = None
        if self._pauses:
            self.resume(_STREAM)
        if stream.closes or (self.is_half_closed and not self._waiting):
            self._end(stream)
        elif self._mode or self._waiting or self._reader.held is not None:
            self._advance()
        else:
            self._idle_since = self._clock()

    def _advance(self) -> None:
        """Go on with what waits; a loop, for some answers come at once."""
        if self._is_advancing:
            return
        self._is_advancing = True
        if self._reader.held is not None and self._mode is _HTTP:
            self._refuse_upgrade()
        while self._active is None and self._waiting and self._mode <= _BROKEN:
            stream = self._active = self._waiting.popleft()
            stream.take_turn()
            if stream.is_over:
                self.finish(stream)
            else:
                stream.is_plain = self._may_pass_as_is(stream)
                if stream.handler is None:
                    self._start(stream)
            if self._pauses & _PIPELINE:
                self._start_further()
        self._is_advancing = False
        if self._active is not None or self._mode > _BROKEN:
            return
        self._idle_since = self._clock()
        if self._broken is not None:
            self._answer_and_linger(self._broken)
        else:
            self.resume(_PIPELINE)

    def _may_pass_as_is(self, stream: Stream) -> bool:
        """Whether nothing stands against writing the response of a stream that has its turn."""
        return (
            stream.is_whole
            and stream.hop.is_plain
            and not stream.has_begun
            and not self.is_half_closed
            and not self._context.is_draining
        )

    def _start_further(self) -> None:
        """The application takes more than one at a time: give it what waited for room.

        Only while some do: reading is paused then.
        """
        room = self._context.limits.pipelined - 1
        for index, stream in enumerate(self._waiting):
            if index >= room:
                return
            if stream.handler is None and not stream.is_over:
                self._start(stream)
        self.resume(_PIPELINE)

    # -- for streams --------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Bytes for the client."""
        if self._mode is not _CLOSED:
            self._has_written = True
            if self._gathered:
                self._write_gathered()
            self.transport.write(data)

    def _write_gathered(self) -> None:
        gathered, self._gathered = self._gathered, []
        if gathered and self._mode is not _CLOSED:
            self.transport.write(b"".join(gathered))

    def must_close(self, stream: Stream, is_continued: bool) -> bool:
        """Whether the connection has to end with this stream's response."""
        if self._context.is_draining or not stream.hop.keep_alive:
            return True
        if self.is_half_closed and not self._waiting:
            return True
        if stream.is_whole:
            return False
        # An early response. Nobody knows whether a client that waited for "100 Continue" still
        # sends its body (RFC 9110, section 10.1.1); and a long one is not worth reading.
        if stream.head.expects_continue and not is_continued:
            return True
        return self._reader.left > self._context.limits.discarded_octets

    def pause(self, reason: int) -> None:
        """Stop reading for one of several reasons."""
        if not self._pauses and self._mode is not _CLOSED:
            self.transport.pause_reading()
        self._pauses |= reason

    def resume(self, reason: int) -> None:
        """One reason is gone."""
        if not self._pauses & reason:
            return
        self._pauses &= ~reason
        if not self._pauses and self._mode is not _CLOSED:
            self.transport.resume_reading()

    # -- HTTP/2 -------------------------------------------------------------------------------

    def _is_fresh(self) -> bool:
        """Whether this is the first thing that the client says."""
        return self._active is None and not self._waiting and self._idle_since == self._came_at

    def _become_http2(self, data: bytes) -> None:
        """The client speaks HTTP/2 from the start."""
        # Imported here: who is never asked for it does without.
        from activator.http.h2.server import ServerConnection as Http2Connection

        connection = Http2Connection(self._context, self._session, self.transport)
        connection.begin()
        self._hand_over(connection)
        if data:
            connection.data_received(data)

    def _upgrade(self, head: RequestHead, settings: bytes) -> bool:
        """Take an offer to go on in HTTP/2, whose first stream is this request."""
        from activator.http.h2.server import ServerConnection as Http2Connection

        connection = Http2Connection(self._context, self._session, self.transport)
        if not connection.accepts(settings):
            return False
        self.transport.write(_SWITCH_TO_H2C)
        connection.begin()
        self._hand_over(connection)
        connection.adopt(head)
        return True

    def _hand_over(self, connection: asyncio.Protocol) -> None:
        self._mode = _CLOSED
        self._context.connections.discard(self)
        self.transport.set_protocol(connection)

    def _look_at_held(self, reader: RequestReader) -> None:
        """Bytes behind an offer to upgrade."""
        protocol = self.transport.get_protocol()
        if protocol is not self and isinstance(protocol, asyncio.Protocol):
            held = reader.take_held()
            if held:
                protocol.data_received(held)
        elif reader.held is not None and len(reader.held) > self._context.limits.held_octets:
            self.pause(Pause.UPGRADE)

    # -- tunnels ------------------------------------------------------------------------------

    def become_tunnel(self, stream: Stream, head: ResponseHead) -> None:
        """The application has agreed to the upgrade."""
        self._mode = _Mode.TUNNEL
        self.write(head.wire)
        stream.closes = True
        stream.is_whole = False
        held = self._reader.take_held()
        self.resume(Pause.UPGRADE)
        if held and stream.handler is not None:
            stream.handler.on_body(held)

    def _end_of_tunnel(self, stream: Stream) -> bool:
        """The client's direction is over; whether the other one goes on."""
        stream.is_whole = True
        if stream.handler is not None:
            stream.handler.on_end(())
        stream.is_over = stream.is_over or stream.has_ended
        return self._mode is _Mode.TUNNEL and not stream.is_over

    def end_tunnel(self, stream: Stream) -> None:
        """The application's direction is over."""
        if stream.is_whole:
            stream.is_over = True
            self._close()
        elif self._mode is _Mode.TUNNEL:
            self.transport.write_eof()

    # -- endings ------------------------------------------------------------------------------

    def end_with_response(self) -> None:
        """Shutting down: the response under way, or the next one, is the last."""
        self._spoil_plain()

    def drain(self) -> None:
        """Shutting down: end now if idle, else with the response under way."""
        if self._active is None and not self._waiting and self._mode is _HTTP:
            self._close()
        else:
            self._spoil_plain()

    def abort(self) -> None:
        """End at once."""
        self._mode = _CLOSED
        self._abandon()
        self.transport.abort()

    def expire(self, now: float) -> None:
        """A deadline may have passed: a request's, a slow head's or a long silence's."""
        if now < self.check_at or self._mode is _CLOSED:
            # An entry that an earlier one has overtaken, or a connection that is gone.
            return
        self.check_at = float("inf")
        keep_alive_seconds = self._context.limits.keep_alive_seconds
        if self._mode is _Mode.LINGERING:
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
        if self._mode is _Mode.TUNNEL:
            if self._active is not None and self._active.handler is not None:
                self._active.handler.on_body(data)
        elif self._mode is _Mode.LINGERING:
            self._idle_since = self._clock()
            self._discarded += len(data)
            if self._discarded > self._context.limits.linger_octets:
                self.abort()

    def _discard(self, size: int) -> None:
        """The response is over and the request's body goes on: read it, within reason."""
        self._discarded += size
        if self._discarded > self._context.limits.discarded_octets:
            self._linger()

    def _break(self, refusal: Refusal) -> None:
        """The stream is broken: answer what came before, then say so and close."""
        self._mode = _BROKEN
        self._broken = self._context.refuse(refusal)
        stream, self._receiving = self._receiving, None
        if stream is not None and stream in self._waiting:
            # The fault is within a body: its request cannot be completed any more.
            self._waiting.remove(stream)
            stream.give_up(refusal)
        elif stream is not None and stream is self._active:
            stream.give_up(refusal)
            if stream.has_begun:
                # The client must not take a part for the whole.
                self.abort()
                return
            self._active = None
        if self._active is None and not self._waiting:
            self._answer_and_linger(self._broken)

    def _refuse_upgrade(self) -> None:
        self.resume(Pause.UPGRADE)
        try:
            self._reader.resume()
        except FramingError as error:
            self._break(error.refusal)

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

    def _linger(self) -> None:
        """Send the end, then read and forget until the client has seen it."""
        if self._mode > _BROKEN:
            return
        self._write_gathered()
        self._mode = _Mode.LINGERING
        if self._pauses:
            self._pauses = 0
            self.transport.resume_reading()
        if not self.transport.can_write_eof():
            self._close()
            return
        self.transport.write_eof()
        limits, now = self._context.limits, self._clock()
        self._discarded, self._idle_since = 0, now
        self._linger_until = now + limits.linger_seconds
        self.check_later(now + min(limits.linger_silence_seconds, limits.linger_seconds))

    def _close(self) -> None:
        """Close once everything written has left."""
        self._write_gathered()
        self._mode = _CLOSED
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


def _has_agreed_on_http2(transport: asyncio.BaseTransport) -> bool:
    """Whether TLS has (by ALPN)."""
    ssl_object = transport.get_extra_info("ssl_object")
    return bool(ssl_object.selected_alpn_protocol() == "h2")
