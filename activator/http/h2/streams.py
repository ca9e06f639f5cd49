"""One request of an HTTP/2 connection, as its application answers it.

Part of the server half: what is about one request. What is about the connection is in ``server``.
"""

from __future__ import annotations

from typing import Protocol

from activator.http import refusals
from activator.http.context import ServerContext
from activator.http.events import Handler, Refusal, RequestHead, ResponseHead
from activator.http.fields import Trailers
from activator.http.h2.codes import Code
from activator.http.h2.decoder import Block
from activator.http.h2.lanes import Lane
from activator.http.h2.requests import read_request, read_trailers
from activator.http.h2.responses import response_block
from activator.http.h2.sending import Carrier
from activator.http.refusals import FramingError

_NO_BODY = frozenset((204, 304))


class Connection(Protocol):
    """What a stream needs of its connection."""

    context: ServerContext
    check_at: float

    def start(self, stream: Stream) -> Handler:
        """Give a request to the application."""

    def check_later(self, deadline: float) -> None:
        """See that deadlines are looked at then."""


class Stream(Lane):
    """One request."""

    __slots__ = (
        "_connection",
        "_is_bare",
        "_queued",
        "_stalled_at",
        "handler",
        "has_begun",
        "head",
        "is_over",
        "is_whole",
        "takes_chunks",
    )

    protocol = "HTTP/2.0"

    def __init__(self, connection: Connection, engine: Carrier, stream: int, window: int) -> None:
        super().__init__(engine, stream, window)
        self._connection = connection
        self.head: RequestHead
        self.handler: Handler | None = None
        self.is_whole = False
        self.takes_chunks = False
        # The response is whole, or there will be none.
        self.is_over = False
        self.has_begun = False
        # A response without a body, whatever the application says.
        self._is_bare = False
        # Of a whole response that its client does not take: since when, and how much of it. Of one
        # that was taken, where the end of its request does not come: since when.
        self._stalled_at = 0.0
        self._queued = 0

    # -- what comes ---------------------------------------------------------------------------

    def begin(self, block: Block, data: bytes, flow: int, end: bool) -> None:
        """The request's head, perhaps with all of its body."""
        if block.is_too_large:
            self.refuse(refusals.HEAD_TOO_LARGE)
            return
        context = self._connection.context
        try:
            head = self.head = read_request(self.id, block, context.table, end and not data)
        except FramingError as error:
            self.refuse(error.refusal)
            return
        if len(block.fields) > context.limits.framing.fields:
            self.refuse(refusals.HEAD_TOO_LARGE)
            return
        if head.method == b"CONNECT":
            self.refuse(refusals.CONNECT_REFUSED)
            return
        if end and data:
            if head.has_length:
                self.left = head.length
                self.count_left(len(data), True)
            head.length, head.has_length, head.body = len(data), True, data
        elif head.has_length:
            self.left = head.length
        self.is_whole = end
        self.run()
        if flow and not end and not self.is_cut:
            self.take_data(data, flow, False)

    def run(self) -> None:
        """Give the request to the application, which may answer at once."""
        handler = self._connection.start(self)
        if not self.is_over:
            self.handler = handler

    def refuse(self, refusal: Refusal) -> None:
        """Answer what is no request for the application."""
        self.send_answer(self._connection.context.refuse(refusal))

    def deliver(self, data: bytes) -> None:
        """A piece of the request's body."""
        if self.handler is not None:
            self.handler.on_body(data)

    def deliver_end(self, trailers: Trailers) -> None:
        """The request is whole."""
        self.is_whole = True
        if self.handler is not None:
            self.handler.on_end(trailers)

    def deliver_window(self, is_open: bool) -> None:
        """Whether the client takes more of the response."""
        if self.handler is not None:
            self.handler.on_window(is_open)

    def read_trailers(self, block: Block) -> Trailers:
        """Those that may be passed on."""
        return read_trailers(self.id, block, self._connection.context.table.names)

    def on_cut(self, code: int, detail: str, *, is_fault: bool) -> None:
        """The client has given up, or what it sent is no request."""
        refusal = refusals.BAD_REQUEST if is_fault else None
        if refusal is not None:
            # Counted; there is nobody to answer.
            self._connection.context.refuse(refusal)
        self.give_up(refusal)

    def give_up(self, refusal: Refusal | None) -> None:
        """There will be no whole request, or nobody to answer."""
        handler, self.handler = self.handler, None
        if handler is not None and not self.is_over:
            self.is_over = True
            handler.on_reset(refusal)

    def on_local_end(self) -> None:
        """Nobody reads the rest of the request (RFC 9113, section 8.1).

        Where only its end is missing, that is waited for: some clients take a reset amiss.
        """
        if self.left:
            self.cut(Code.NO_ERROR)

    # -- the response -------------------------------------------------------------------------

    def send_head(self, head: ResponseHead, end: bool) -> None:
        """The response's head and the first piece of its body."""
        self.has_begun = True
        self._is_bare = self.head.method == b"HEAD" or head.status in _NO_BODY
        if end:
            self._finish()
        body = b"" if self._is_bare else head.body
        self.write_block(response_block(head, self.engine.encoder), body, end)

    def send_answer(self, head: ResponseHead) -> None:
        """An answer of the server's own, to what may have no head."""
        self.has_begun = True
        self._finish()
        self.write_block(response_block(head, self.engine.encoder), head.body, True)

    def send_informational(self, head: ResponseHead) -> None:
        """A response before the response."""
        self.write_block(response_block(head, self.engine.encoder), b"", False)

    def send_body(self, data: bytes) -> None:
        """A piece of the response's body."""
        if not self._is_bare:
            self.send_data(data)

    def send_end(self, trailers: Trailers = ()) -> None:
        """The response's end."""
        self._finish()
        if trailers:
            self.send_trailers(trailers)
        else:
            self.send_data(b"", True)

    def reset(self) -> None:
        """Cut it off, so that nobody takes its part for the whole."""
        self._finish()
        if not self.is_cut:
            self.cut(Code.INTERNAL_ERROR)

    def _finish(self) -> None:
        self.is_over = True
        self.handler = None
        if self._inbox is not None:
            self.discard()

    # -- deadlines ----------------------------------------------------------------------------

    def watch(self, deadline: float) -> None:
        """Have ``on_deadline`` called; the connection looks at all its streams then."""
        connection = self._connection
        if deadline < connection.check_at:
            connection.check_later(deadline)

    def check(self, now: float, stalled_seconds: float) -> None:
        """A deadline may have passed; a client may have stopped to take a response."""
        if self.handler is not None:
            self.handler.on_deadline(now)
        if self.handler is not None or not (self.is_waiting or self.is_local_closed):
            return
        queued = self.queued_octets()
        if queued != self._queued or not self._stalled_at:
            self._queued, self._stalled_at = queued, now
        elif now >= self._stalled_at + stalled_seconds:
            self.cut(Code.CANCEL)
