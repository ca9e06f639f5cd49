"""The client half of HTTP/1.1: one connection to a peer. Thin: the rules are in ``responses``.

It carries one request at a time, so it is its own stream. When a response is whole and the
connection good for another, it says so to its owner (a pool) before its handler hears of the end:
whoever comes next may have it at once.
"""

from __future__ import annotations

import asyncio
import select
from collections.abc import Callable
from typing import cast

from activator.http.departures import Departures, departures, descriptor_of, send_now
from activator.http.events import (
    SWITCHING,
    UNKNOWN,
    ClientHandler,
    Lost,
    RequestHead,
    Reset,
    ResponseHead,
)
from activator.http.fields import Trailers
from activator.http.h1.responses import ResponseReader
from activator.http.h1.watching import BadResponse
from activator.http.h1.writing import chunk, last_chunk, request_head

# A connection unused for longer is looked at before it is used again: its application may have
# closed it (uvicorn and Node do so after 5 s) without the loop having read of it yet.
FRESH_SECONDS = 0.2
# After a head that announces a body and must have none (HEAD, 304): how long a careless application
# gets to send it. What comes in that time is seen, and the connection not used again.
DOUBTFUL_SECONDS = 0.02
# How long what has been written to a tunnel that is cut may take to leave.
_TUNNEL_SECONDS = 1.0


class ClientConnection(asyncio.Protocol):
    """A connection, and the stream of the request that it carries."""

    __slots__ = (
        "_clock",
        "_departures",
        "_descriptor",
        "_handler",
        "_idle_since",
        "_is_chunking",
        "_is_paused",
        "_is_request_done",
        "_is_tunnel",
        "_on_idle",
        "_on_lost",
        "_reader",
        "_transport",
        "_unsent",
        "is_open",
    )

    def __init__(
        self,
        clock: Callable[[], float],
        *,
        on_idle: Callable[[ClientConnection], None],
        on_lost: Callable[[ClientConnection], None],
    ) -> None:
        """``on_idle``: it may carry another request; ``on_lost``: it ended while idle."""
        self._clock = clock
        self._on_idle = on_idle
        self._on_lost = on_lost
        self._departures: Departures
        self._descriptor = -1
        # A request that is written when the turn of the loop is over.
        self._unsent = b""
        self._reader = ResponseReader()
        self._handler: ClientHandler | None = None
        self._transport: asyncio.Transport
        self._idle_since = 0.0
        self._is_chunking = False
        self._is_request_done = True
        self._is_paused = False
        self._is_tunnel = False
        self.is_open = False

    # -- for the pool -------------------------------------------------------------------------

    def open(
        self, handler: ClientHandler, head: RequestHead, body: bytes, end: bool, takes_chunks: bool
    ) -> ClientConnection:
        """Send a request; the stream is the connection itself."""
        self._handler = handler
        self._is_request_done = end
        self._reader.begin(head, takes_chunks)
        if head.length == UNKNOWN or self._is_chunking:
            self._send(self._with_chunks(head, body, end))
        else:
            self._send(request_head(head) + body)
        return self

    def send(self, handler: ClientHandler, head: RequestHead, wire: bytes) -> None:
        """Send a request as these bytes; ``head`` says what its response depends on."""
        self._handler = handler
        self._is_request_done = True
        self._reader.begin(head, False)
        self._send(wire)

    def _send(self, wire: bytes) -> None:
        if self._descriptor < 0:
            self._transport.write(wire)
        else:
            self._unsent = wire
            self._departures.request(self)

    def depart(self) -> None:
        """Write the request that waits for the end of this turn of the loop."""
        wire = self._unsent
        if wire:
            self._unsent = b""
            if self.is_open:
                send_now(self._transport, self._descriptor, wire)

    def _with_chunks(self, head: RequestHead, body: bytes, end: bool) -> bytes:
        self._is_chunking = head.length == UNKNOWN
        if not self._is_chunking:
            return request_head(head) + body
        return request_head(head) + chunk(body) + (last_chunk() if end else b"")

    def is_usable(self, now: float) -> bool:
        """Whether it is still good for a request."""
        if self._transport.is_closing():
            return False
        unused = now - self._idle_since
        if self._reader.is_doubtful:
            return unused > DOUBTFUL_SECONDS and not self._is_stale()
        return unused <= FRESH_SECONDS or not self._is_stale()

    def is_doubtful(self, now: float) -> bool:
        """Whether it cannot be told yet if it is good for a request."""
        return self._reader.is_doubtful and now - self._idle_since <= DOUBTFUL_SECONDS

    def idle_since(self) -> float:
        """When it carried its last request."""
        return self._idle_since

    def close(self) -> None:
        """End it once everything written has left."""
        self.depart()
        self.is_open = False
        self._transport.close()

    def _is_stale(self) -> bool:
        """The peer has closed, or said something unasked, and the loop has not read it yet."""
        descriptor = self._transport.get_extra_info("socket").fileno()
        if descriptor < 0:
            return True
        poll = select.poll()
        poll.register(descriptor, select.POLLIN | select.POLLRDHUP)
        return bool(poll.poll(0))

    # -- the stream ---------------------------------------------------------------------------

    def send_body(self, data: bytes) -> None:
        """A piece of the request's body."""
        self.depart()
        # One that is closing has its end reported in this turn of the loop.
        if not self._transport.is_closing():
            self._transport.write(chunk(data) if self._is_chunking else data)

    def send_end(self, trailers: Trailers = ()) -> None:
        """The end of the request, or of this direction of a tunnel."""
        self._is_request_done = True
        self.depart()
        if self._transport.is_closing():
            return
        if self._is_tunnel:
            self._end_tunnel()
        elif self._is_chunking:
            self._transport.write(last_chunk(trailers))

    def _end_tunnel(self) -> None:
        if self._reader.complete:
            self._handler = None
            self.close()
        else:
            self._transport.write_eof()

    def reset(self) -> None:
        """Give up the request, and the connection with it; a tunnel behind what is written."""
        self._handler = None
        self.is_open = False
        if self._is_tunnel and not self._transport.is_closing():
            self._transport.close()
            # Where the peer reads no more, that would never be.
            asyncio.get_running_loop().call_later(_TUNNEL_SECONDS, self._transport.abort)
        else:
            self._transport.abort()

    def abandon(self, handler: ClientHandler) -> None:
        """Close this half: an application that reads sees it, one that writes may go on."""
        self._handler = handler
        self.depart()
        # Not to be used again, whatever the response says.
        self._is_request_done = False
        self.resume()
        # One that is closing has its end reported in this turn of the loop.
        if not self._transport.is_closing():
            self._transport.write_eof()

    def pause(self) -> None:
        """Read no more for now."""
        # A response that is whole is held back for nobody: the next one must not be.
        if not self._is_paused and self._handler is not None:
            self._is_paused = True
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read again."""
        if self._is_paused:
            self._is_paused = False
            if self.is_open:
                self._transport.resume_reading()

    # -- the transport's callbacks ------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ready for a first request."""
        # uvloop's transports have the methods and not the base class.
        self._transport = cast(asyncio.Transport, transport)
        self._departures, self._descriptor = departures(), descriptor_of(transport)
        self.is_open = True
        self._idle_since = self._clock()

    def data_received(self, data: bytes) -> None:
        """A part of the response."""
        handler, reader = self._handler, self._reader
        if handler is None:
            # An answer to nothing: whatever it is, it must not become the next request's answer.
            self.close()
            return
        try:
            if reader.in_body:
                self._deliver(handler, reader.body(data))
                return
            head = reader.head(data)
            if head is not None and head.status < 200:
                head = self._deliver_informational(handler, head)
        except BadResponse as error:
            self._fail(Lost.MALFORMED, str(error))
            return
        if head is None:
            return
        if not reader.complete:
            handler.on_response(head, False)
            return
        self._settle()
        trailers = reader.take_trailers() if head.form else None
        if trailers:
            handler.on_response(head, False)
            handler.on_response_end(trailers)
        else:
            handler.on_response(head, True)

    def _deliver_informational(
        self, handler: ClientHandler, head: ResponseHead | None
    ) -> ResponseHead | None:
        """All heads before the last one; the last one where it has come."""
        reader = self._reader
        while head is not None and head.status < 200:
            if head.status == SWITCHING:
                self._is_tunnel = True
                return head
            rest, reader.rest = reader.rest, b""
            handler.on_informational(head)
            # The handler may have given up meanwhile.
            head = reader.head(rest) if rest and self._handler is handler else None
        return head

    def _deliver(self, handler: ClientHandler, data: bytes) -> None:
        reader = self._reader
        if not reader.complete:
            if data:
                handler.on_response_body(data)
            return
        self._settle()
        if data:
            handler.on_response_body(data)
        handler.on_response_end(reader.take_trailers())

    def _settle(self) -> None:
        """The response is whole."""
        self._handler = None
        if not (self._reader.reusable and self._is_request_done):
            self.close()
            return
        if self._is_paused:
            self.resume()
        self._idle_since = self._clock()
        self._on_idle(self)

    def eof_received(self) -> bool:
        """The peer says no more; in a tunnel it may still listen."""
        handler = self._handler
        if not self._is_tunnel or handler is None:
            return False
        self._reader.end()
        if self._is_request_done:
            self._handler = None
        handler.on_response_end(())
        return self._handler is not None

    def connection_lost(self, exc: Exception | None) -> None:
        """It has ended, which may be the end of the response."""
        self.is_open = False
        handler, reader = self._handler, self._reader
        if handler is None:
            self._on_lost(self)
        elif exc is None and reader.in_body and reader.is_open and not self._is_tunnel:
            self._handler = None
            reader.end()
            handler.on_response_end(())
        else:
            self._fail(Lost.CLOSED, str(exc or "connection closed without an answer"))

    def pause_writing(self) -> None:
        """The peer reads slowly, so the sender has to wait."""
        if self._handler is not None:
            self._handler.on_request_window(False)

    def resume_writing(self) -> None:
        """The peer has caught up."""
        if self._handler is not None:
            self._handler.on_request_window(True)

    def _fail(self, cause: Lost, detail: str) -> None:
        handler, has_begun = self._handler, self._reader.has_begun
        self.reset()
        if handler is not None:
            handler.on_lost(Reset(cause, detail, has_begun))
