"""The server half of HTTP/1.1: requests of one connection in, responses out, in order.

Thin: the rules are in ``requests``.

A request becomes a ``Stream`` when its head is complete. ``ServerLimits.pipelined`` of them are
with the application at a time; those behind wait, with reading paused, so they hold little.
Responses are written in the order of the requests, whatever the order in which they are made.
"""

from __future__ import annotations

import asyncio
from typing import cast

from activator.http import refusals
from activator.http.context import ServerContext
from activator.http.departures import departures, descriptor_of
from activator.http.events import NewSession, Peer, Refusal, RequestHead
from activator.http.fields import Trailers
from activator.http.h1.endings import BROKEN, CLOSED, HTTP, Mode
from activator.http.h1.framing import Hop
from activator.http.h1.lines import Http2Preface
from activator.http.h1.requests import RequestReader
from activator.http.h1.streams import Pause, Stream
from activator.http.h1.switching import SwitchingConnection
from activator.http.refusals import FramingError

_PIPELINE, _STREAM = Pause.PIPELINE, Pause.STREAM


class ServerConnection(SwitchingConnection):
    """A client's connection."""

    __slots__ = ()

    def __init__(self, context: ServerContext, new_session: NewSession) -> None:
        super().__init__(context, new_session)
        self._reader = RequestReader(self, context.table, context.limits.framing)

    # -- the transport's callbacks ------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has come."""
        # uvloop's transports have the methods and not the base class.
        self.transport = cast(asyncio.Transport, transport)
        context = self._context
        context.connections.add(self)
        self._departures, self._descriptor = departures(), descriptor_of(transport)
        peer = transport.get_extra_info("peername")
        is_secure = transport.get_extra_info("ssl_object") is not None
        address = peer[0] if isinstance(peer, tuple) else ""
        self._session = self._new_session(Peer(address, b"https" if is_secure else b"http"))
        self._came_at = self._idle_since = self._clock()
        if context.is_over:
            self.abort()
        elif len(context.connections) > context.limits.connections:
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
        # What is not written when the transport closes by itself is lost.
        self.depart()
        active = self._active
        if self._mode is Mode.TUNNEL:
            return active is not None and self._end_of_tunnel(active)
        is_waiting = active is not None and self._receiving is None and not self._reader.in_head
        if self._mode is Mode.LINGERING or not is_waiting:
            return False
        self.is_half_closed = True
        self._spoil_plain()
        self._check_by(self._clock() + self._context.limits.half_closed_seconds)
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone."""
        self._mode = CLOSED
        self._be_fast()
        self._context.forget(self)
        self._abandon()

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
        """Write a whole response, together with others that are made in this turn of the loop."""
        gathered = self._gathered
        if not gathered:
            self._departures.answer(self)
        gathered.append(response)
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
        if self._reader.held is not None and self._mode is HTTP:
            self._refuse_upgrade()
        while self._active is None and self._waiting and self._mode <= BROKEN:
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
        if self._active is not None or self._mode > BROKEN:
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

    def _break(self, refusal: Refusal) -> None:
        """The stream is broken: answer what came before, then say so and close."""
        self._mode = BROKEN
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

    # -- for streams --------------------------------------------------------------------------

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


def _has_agreed_on_http2(transport: asyncio.BaseTransport) -> bool:
    """Whether TLS has (by ALPN)."""
    ssl_object = transport.get_extra_info("ssl_object")
    return bool(ssl_object.selected_alpn_protocol() == "h2")
