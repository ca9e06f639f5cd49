"""One request of an HTTP/1.1 connection, as its application answers it.

Part of the server half: what is about one request. What is about the connection is in ``server``.
"""

from __future__ import annotations

import asyncio
from enum import IntEnum
from typing import Protocol

from activator.http.events import (
    SWITCHING,
    BodyForm,
    Handler,
    Refusal,
    RequestHead,
    ResponseHead,
)
from activator.http.fields import Trailers
from activator.http.h1.framing import Hop
from activator.http.h1.writing import chunk, last_chunk, response_head

_NO_BODY = frozenset((204, 304))


class _Form(IntEnum):
    """What becomes of a piece of a response's body."""

    RAW = 0
    CHUNK = 1
    NONE = 2
    TUNNEL = 3


# Looked up for each piece of a body.
_RAW, _CHUNK, _TUNNEL = _Form.RAW, _Form.CHUNK, _Form.TUNNEL


class Pause(IntEnum):
    """Reasons not to read, as bits; all must be gone before it goes on."""

    STREAM = 1
    PIPELINE = 2
    UPGRADE = 4
    BLOCKED = 8


class Carrier(Protocol):
    """What a stream needs of its connection."""

    transport: asyncio.Transport
    check_at: float

    def write(self, data: bytes) -> None:
        """Bytes for the client."""

    def answer(self, stream: Stream, response: bytes) -> None:
        """Bytes for the client that are the whole of a response."""

    def finish(self, stream: Stream) -> None:
        """The response is whole."""

    def must_close(self, stream: Stream, is_continued: bool) -> bool:
        """Whether the connection has to end with this stream's response."""

    def become_tunnel(self, stream: Stream, head: ResponseHead) -> None:
        """The application has agreed to the upgrade."""

    def end_tunnel(self, stream: Stream) -> None:
        """The application's direction of a tunnel is over."""

    def pause(self, reason: int) -> None:
        """Stop reading for this reason."""

    def resume(self, reason: int) -> None:
        """This reason is gone."""

    def check_later(self, deadline: float) -> None:
        """See that deadlines are looked at then."""

    def abort(self) -> None:
        """End at once."""


class Stream:
    """One request of a connection."""

    # All set, as in ``RequestHead``.
    __slots__ = (
        "_connection",
        "_early",
        "_early_end",
        "_form",
        "_is_continued",
        "_out",
        "closes",
        "handler",
        "has_begun",
        "has_ended",
        "head",
        "hop",
        "is_over",
        "is_plain",
        "is_whole",
        "takes_chunks",
    )

    def __init__(self, connection: Carrier, head: RequestHead, hop: Hop) -> None:
        self._connection = connection
        self.head = head
        self.hop = hop
        self.handler: Handler | None = None
        self.is_whole = not head.length or head.body != b""
        self.takes_chunks = hop.http11
        # Nothing stands against writing a response as it is.
        self.is_plain = False
        # The response is whole; of the request there may be more.
        self.is_over = False
        # The response's head has been written.
        self.has_begun = False
        # Of a tunnel: the application's direction is over.
        self.has_ended = False
        # The connection ends with this response.
        self.closes = False
        self._form = _RAW
        self._is_continued = False
        # What was written before its turn.
        self._out: list[bytes] | None = None
        # What came of the body before the application had the request.
        self._early: list[bytes] | None = None
        self._early_end: Trailers | None = None

    # -- the response -------------------------------------------------------------------------

    @property
    def protocol(self) -> str:
        """What the request line said."""
        return "HTTP/1.1" if self.takes_chunks else "HTTP/1.0"

    def send_head(self, head: ResponseHead, end: bool) -> None:
        """The response's head and the first piece of its body."""
        if end and self.is_plain and head.is_verbatim and not head.closes:
            self.is_over = True
            self._connection.answer(self, head.wire)
        else:
            self._send_head(head, end)

    def send_informational(self, head: ResponseHead) -> None:
        """A response before the response. HTTP/1.0 knows none (RFC 9110, section 15.2)."""
        if head.status == 100:
            self._is_continued = True
        if self.hop.http11:
            self._write(response_head(head))

    def send_body(self, data: bytes) -> None:
        """A piece of the response's body."""
        form = self._form
        if form is _RAW or form is _TUNNEL:
            self._write(data)
        elif form is _CHUNK:
            self._write(chunk(data))

    def send_end(self, trailers: Trailers = ()) -> None:
        """The response's end, or the end of this direction of a tunnel."""
        if self._form is _Form.TUNNEL:
            self.has_ended = True
            self._connection.end_tunnel(self)
            return
        if self._form is _Form.CHUNK:
            self._write(last_chunk(trailers))
        self.is_over = True
        self._connection.finish(self)

    def reset(self) -> None:
        """Cut it off."""
        self.handler = None
        self._connection.abort()

    def _send_head(self, head: ResponseHead, end: bool) -> None:
        self.has_begun = True
        if head.status == SWITCHING:
            self._form = _Form.TUNNEL
            self._connection.become_tunnel(self, head)
            return
        self.closes = head.closes or self._connection.must_close(self, self._is_continued)
        if self.head.method == b"HEAD" or head.status in _NO_BODY:
            self._form = _Form.NONE
        elif head.form is BodyForm.OPEN:
            if self.hop.http11:
                self._form = _Form.CHUNK
            else:
                self.closes = True
        self._write(self._head_bytes(head))
        if end:
            self.send_end()

    def _head_bytes(self, head: ResponseHead) -> bytes:
        more = b"transfer-encoding: chunked\r\n" if self._form is _Form.CHUNK else b""
        if head.form is BodyForm.CHUNKED and not head.is_verbatim:
            more = b"transfer-encoding: chunked\r\n"
        if self.closes:
            more += b"connection: close\r\n"
        elif not self.hop.http11:
            more += b"connection: keep-alive\r\n"
        if self._form is _Form.RAW:
            if head.is_verbatim and not more:
                return head.wire
            return response_head(head, more) + head.body
        if self._form is _Form.CHUNK:
            return response_head(head, more) + chunk(head.body)
        return response_head(head, more)

    def _write(self, data: bytes) -> None:
        if self._out is not None:
            self._out.append(data)
        else:
            self._connection.write(data)

    # -- flow ---------------------------------------------------------------------------------

    def pause(self) -> None:
        """Read no more of the request for now."""
        self._connection.pause(Pause.STREAM)

    def resume(self) -> None:
        """Go on reading."""
        self._connection.resume(Pause.STREAM)

    def watch(self, deadline: float) -> None:
        """Have ``on_deadline`` called.

        A connection sits among the timers for its own sake anyway, so a deadline that lies behind
        its next look costs nothing.
        """
        connection = self._connection
        if deadline < connection.check_at:
            connection.check_later(deadline)

    # -- for the connection -------------------------------------------------------------------

    def keep(self, data: bytes) -> None:
        """A piece of the request's body that comes before there is a handler."""
        if self._early is None:
            self._early = [data]
        else:
            self._early.append(data)

    def keep_end(self, trailers: Trailers) -> None:
        """The end of the request has come before there is a handler."""
        self._early_end = trailers

    def deliver_early(self, handler: Handler) -> None:
        """What has come before there was a handler."""
        for data in self._early or ():
            if not self.is_over:
                handler.on_body(data)
        self._early = None
        if self._early_end is None:
            return
        self.is_whole = True
        if not self.is_over:
            handler.on_end(self._early_end)

    def wait_for_turn(self) -> None:
        """Earlier requests are to be answered first."""
        self._out = []

    def take_turn(self) -> None:
        """All earlier requests are answered."""
        out, self._out = self._out, None
        if out:
            self._connection.write(b"".join(out))

    def give_up(self, refusal: Refusal | None) -> None:
        """There will be no whole request, or nobody to answer."""
        handler, self.handler = self.handler, None
        if handler is not None and not self.is_over:
            self.is_over = True
            handler.on_reset(refusal)
