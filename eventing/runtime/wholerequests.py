"""Requests that are answered once all of their body has come: what an application makes of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from activator.http.context import ServerContext, ServerLimits
from activator.http.events import CONTINUE, Refusal, ResponseHead, ServerStream
from activator.http.fields import Trailers
from activator.http.h1.framing import FramingLimits
from activator.http.server import HttpServer
from activator.http.timers import Timers
from eventing.runtime.config import IngressLimits


class Application(Protocol):
    """Who answers."""

    limits: IngressLimits
    timers: Timers

    def receive(self, request: WholeRequest, body: bytes) -> None:
        """Take in a whole request; it is answered now or later."""

    def refuse_size(self, request: WholeRequest) -> None:
        """Answer a body that has grown too large."""

    def too_slow(self) -> ResponseHead:
        """Return the answer to a request that does not become whole."""


def server_of(
    timers: Timers, limits: IngressLimits, *, refuse: Callable[[Refusal], ResponseHead]
) -> HttpServer:
    """Return a server that keeps to the limits; ``refuse`` answers what is no request."""
    framing = FramingLimits(head_octets=limits.header_bytes, fields=limits.headers)
    server = ServerLimits(
        framing=framing,
        pipelined=limits.pipelined,
        head_seconds=limits.head_seconds,
        keep_alive_seconds=limits.idle_seconds,
    )
    return HttpServer(ServerContext(timers, server, refuse=refuse, lowers=True))


class WholeRequest:
    """One request: collects its body, then waits for its answer."""

    __slots__ = ("_application", "_due", "_is_over", "_pieces", "_size", "stream")

    def __init__(self, application: Application, stream: ServerStream) -> None:
        self.stream = stream
        self._application = application
        self._pieces: list[bytes] = []
        self._size = 0
        self._is_over = False
        self._due = 0.0
        if stream.is_whole:
            application.receive(self, stream.head.body)
            return
        if stream.head.expects_continue:
            stream.send_informational(CONTINUE)
        self._due = application.timers.clock() + application.limits.request_seconds
        stream.watch(self._due)

    def answer(self, head: ResponseHead) -> None:
        """Answer, unless it is answered or nobody is there any more."""
        if not self._is_over:
            self._is_over = True
            self.stream.send_head(head, True)

    @property
    def is_over(self) -> bool:
        """Whether nobody waits for an answer any more."""
        return self._is_over

    def on_body(self, data: bytes) -> None:
        """Keep a piece of the body."""
        self._size += len(data)
        if self._size > self._application.limits.event_bytes:
            self._pieces.clear()
            self._application.refuse_size(self)
        else:
            self._pieces.append(data)

    def on_end(self, trailers: Trailers) -> None:
        """Take the request in."""
        pieces = self._pieces
        self._application.receive(self, pieces[0] if len(pieces) == 1 else b"".join(pieces))

    def on_reset(self, refusal: Refusal | None) -> None:
        """Forget it; what it has begun goes on, as far as anybody knows."""
        self._is_over = True

    def on_window(self, is_open: bool) -> None:
        """Answers are small."""

    def on_deadline(self, now: float) -> None:
        """End a request that does not become whole."""
        if self.stream.is_whole:
            return
        if now >= self._due:
            self.answer(self._application.too_slow())
        else:
            self.stream.watch(self._due)


class _Answered:
    """Hears nothing more of a request that is answered already."""

    def on_body(self, data: bytes) -> None:
        """Never called."""

    def on_end(self, trailers: Trailers) -> None:
        """Never called."""

    def on_reset(self, refusal: Refusal | None) -> None:
        """Never called."""

    def on_window(self, is_open: bool) -> None:
        """Never called."""

    def on_deadline(self, now: float) -> None:
        """Never called."""


ANSWERED = _Answered()
