"""The client half of HTTP/2: a connection to a peer, shared by many requests. Thin.

The rules are in ``roles`` and what it stands on. It is ready once the peer's settings have come,
which shows that it speaks HTTP/2, and how many streams it takes.
"""

from __future__ import annotations

import asyncio
import select
from collections.abc import Callable
from typing import cast

from activator.http.events import ClientHandler, Lost, RequestHead, Reset
from activator.http.fields import Trailers
from activator.http.h2.codes import Code, StreamFault
from activator.http.h2.decoder import Block
from activator.http.h2.framing import Octets
from activator.http.h2.lanes import Lane
from activator.http.h2.limits import EngineLimits
from activator.http.h2.outbox import Outbox
from activator.http.h2.requests import read_trailers, request_block
from activator.http.h2.responses import read_response, response_head
from activator.http.h2.roles import ClientEngine
from activator.http.h2.sending import Carrier

# An application's own pings and settings are its affair, but not without any bound.
_LIMITS = EngineLimits(nuisances=100_000, nuisances_a_second=10_000.0)
# A connection without a stream for longer is looked at before it is used again.
FRESH_SECONDS = 0.2
_BARE = frozenset((204, 304))


class Call(Lane):
    """One request and its response."""

    __slots__ = ("_handler", "_is_head")

    def __init__(
        self,
        engine: Carrier,
        stream: int,
        window: int,
        handler: ClientHandler,
        *,
        is_head: bool,
    ) -> None:
        super().__init__(engine, stream, window)
        self._handler: ClientHandler | None = handler
        self._is_head = is_head

    # -- what comes ---------------------------------------------------------------------------

    def take_interim(self, block: Block, end: bool) -> bool:
        """A response before the response (RFC 9110, section 15.2)."""
        shape = read_response(self.id, block)
        if shape.status >= 200:
            return False
        if end:
            raise StreamFault(self.id, Code.PROTOCOL_ERROR, "an end without a response")
        if self._handler is not None:
            self._handler.on_informational(response_head(shape))
        return True

    def begin(self, block: Block, data: bytes, flow: int, end: bool) -> None:
        """The response's head, with the first piece of its body."""
        shape = read_response(self.id, block)
        if self._is_head or shape.status in _BARE:
            self.left = 0
        elif shape.length >= 0:
            self.left = shape.length
        self.count_left(len(data), end)
        handler = self._handler
        if handler is None:
            return
        head = response_head(shape, data)
        if end:
            self._finish()
            handler.on_response(head, True)
            return
        handler.on_response(head, False)
        if flow and not self.is_cut:
            self.give_back(flow)

    def deliver(self, data: bytes) -> None:
        """Another piece of the response's body."""
        if self._handler is not None:
            self._handler.on_response_body(data)

    def deliver_end(self, trailers: Trailers) -> None:
        """The response is whole."""
        handler = self._handler
        self._finish()
        if handler is not None:
            handler.on_response_end(trailers)

    def deliver_window(self, is_open: bool) -> None:
        """Whether the peer takes more of the request."""
        if self._handler is not None:
            self._handler.on_request_window(is_open)

    def read_trailers(self, block: Block) -> Trailers:
        """Those that may be passed on."""
        return read_trailers(self.id, block)

    def survives(self, code: int) -> bool:
        """A whole response is one, though its server wants no more of the request."""
        return self.is_remote_closed and code == Code.NO_ERROR

    def on_cut(self, code: int, detail: str, *, is_fault: bool) -> None:
        """There will be no whole response."""
        handler, self._handler = self._handler, None
        if handler is None:
            return
        cause = Lost.CLOSED
        if is_fault:
            cause = Lost.MALFORMED
        elif code == Code.REFUSED_STREAM:
            cause = Lost.REFUSED
        handler.on_lost(Reset(cause, detail, self.is_headed))

    def _finish(self) -> None:
        self._handler = None
        if not self.is_local_closed and not self.is_cut:
            # Nobody is interested in the rest of the request.
            self.cut(Code.CANCEL)

    # -- the stream ---------------------------------------------------------------------------

    def send_body(self, data: bytes) -> None:
        """A piece of the request's body."""
        if not self.is_cut:
            self.send_data(data)

    def send_end(self, trailers: Trailers = ()) -> None:
        """The end of the request."""
        if self.is_cut:
            return
        if trailers:
            self.send_trailers(trailers)
        else:
            self.send_data(b"", True)

    def reset(self) -> None:
        """Give the request up."""
        self._handler = None
        if self.is_local_closed and self.is_remote_closed:
            # A whole response that its client was too slow for.
            self.drop()
        elif not self.is_cut:
            self.cut(Code.CANCEL)

    def abandon(self, handler: ClientHandler) -> None:
        """Cancel it. An application is told so by HTTP/2; when it has noticed, nothing tells."""
        self.reset()


class ClientConnection(asyncio.Protocol):
    """A connection, and the streams of the requests that it carries."""

    __slots__ = (
        "_clock",
        "_has_heard",
        "_idle_since",
        "_is_closed",
        "_on_lost",
        "_outbox",
        "_settled",
        "_transport",
        "_was_asked",
        "engine",
        "is_foreign",
    )

    def __init__(
        self, clock: Callable[[], float], *, on_lost: Callable[[ClientConnection], None]
    ) -> None:
        """``on_lost``: it has ended."""
        self._clock = clock
        self._on_lost = on_lost
        self._transport: asyncio.Transport
        self._outbox: Outbox
        self.engine: ClientEngine
        self._idle_since = 0.0
        # What is there speaks something else.
        self.is_foreign = False
        self._is_closed = False
        # Something has come since it was last looked at.
        self._has_heard = True
        self._was_asked = False
        self._settled: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    # -- for the pool -------------------------------------------------------------------------

    async def settled(self) -> None:
        """Until the peer's settings have come, or something that are none.

        Raises ConnectionError where it ends without a word.
        """
        await self._settled

    @property
    def has_room(self) -> bool:
        """Whether it takes another request."""
        return self.engine.has_room and not self._is_closed

    @property
    def is_idle(self) -> bool:
        """Whether it carries nothing now."""
        return not self.engine.lanes

    def open(
        self, handler: ClientHandler, head: RequestHead, body: bytes, end: bool, takes_chunks: bool
    ) -> Call:
        """Send a request. Where there is no room it is lost, in the next turn of the loop."""
        engine = self.engine
        is_head = head.method == b"HEAD"
        call = Call(engine, engine.next_stream, engine.peer_window, handler, is_head=is_head)
        if not self.has_room:
            call.drop()
            asyncio.get_running_loop().call_soon(self._reject, call)
            return call
        engine.add(call)
        call.write_block(request_block(head, engine.encoder), body, end)
        return call

    def _reject(self, call: Call) -> None:
        call.on_cut(Code.NO_ERROR, "the peer takes no request", is_fault=self.is_foreign)

    def is_usable(self, now: float) -> bool:
        """Whether another request may be sent here."""
        if not self.has_room or self._transport.is_closing():
            return False
        if self.engine.lanes or now - self._idle_since <= FRESH_SECONDS:
            return True
        return not self._is_hung_up()

    def check(self) -> None:
        """See whether the peer is still there; to be called now and then.

        A node that is gone says nothing, and its connections would get every further call.
        """
        if not self.engine.lanes or self._has_heard:
            self._has_heard = False
            self._was_asked = False
        elif not self._was_asked:
            self._was_asked = True
            self.engine.ping()
        else:
            self._transport.abort()

    def idle_since(self) -> float:
        """When it carried its last request."""
        return self._idle_since

    def close(self) -> None:
        """End it once everything written has left, and the streams that are open are over."""
        self.engine.is_going = True
        if not self.engine.lanes:
            self._close()

    def _close(self) -> None:
        self._is_closed = True
        self._outbox.flush()
        self._transport.close()

    def _is_hung_up(self) -> bool:
        """The peer has closed, and the loop has not read it yet."""
        descriptor = self._transport.get_extra_info("socket").fileno()
        if descriptor < 0:
            return True
        poll = select.poll()
        poll.register(descriptor, select.POLLRDHUP)
        return bool(poll.poll(0))

    # -- the transport's callbacks ------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say our preface and settings."""
        # uvloop's transports have the methods and not the base class.
        self._transport = cast(asyncio.Transport, transport)
        self._outbox = Outbox(self._transport)
        self._idle_since = self._clock()
        self.engine = ClientEngine(
            self._outbox.write,
            self._clock,
            asyncio.get_running_loop().call_soon,
            _LIMITS,
            idle=self._became_idle,
        )
        self.engine.start()

    def data_received(self, data: bytes) -> None:
        """Frames, as a rule."""
        engine = self.engine
        self._has_heard = True
        engine.receive(data)
        if engine.is_broken:
            self.is_foreign = not engine.has_settings
            self._close()
        elif engine.is_going and not engine.lanes:
            self._close()
        if not self._settled.done() and (engine.has_settings or engine.is_broken):
            self._settled.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """It has ended, and all its streams with it."""
        self._is_closed = True
        self.engine.write = _into_nothing
        self.engine.lose(str(exc or "connection closed without an answer"))
        if not self._settled.done():
            self._settled.set_exception(ConnectionResetError("closed without a word"))
            # Who waited may be gone.
            self._settled.exception()
        self._on_lost(self)

    def pause_writing(self) -> None:
        """The peer reads slowly, so senders have to wait."""
        self.engine.set_blocked(True)

    def resume_writing(self) -> None:
        """The peer has caught up."""
        self.engine.set_blocked(False)

    def _became_idle(self) -> None:
        self._idle_since = self._clock()
        if self.engine.is_going and not self._is_closed:
            self._close()


def _into_nothing(data: Octets) -> None:
    """There is no connection any more."""
