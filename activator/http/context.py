"""What all client connections of one server share, whatever version of HTTP they speak."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from activator.http.events import Refusal, ResponseHead
from activator.http.h1.fieldtable import FieldTable
from activator.http.h1.framing import DEFAULT_LIMITS, FramingLimits
from activator.http.h2.limits import DEFAULT_LIMITS as DEFAULT_HTTP2_LIMITS
from activator.http.h2.limits import EngineLimits
from activator.http.refusals import plain_answer
from activator.http.timers import Timers


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """What keeps a slow or greedy client from taking the server down."""

    framing: FramingLimits = DEFAULT_LIMITS
    connections: int = 20_000
    # Requests of one connection that are worked on at a time; answers keep their order.
    pipelined: int = 1
    # nginx's client_header_timeout is 60 s, Go's usual ReadHeaderTimeout 10 s.
    head_seconds: float = 10.0
    # Above the 60 s of common load balancers, so that they close first.
    keep_alive_seconds: float = 75.0
    # Of a body that nobody reads any more, before this end of the connection is closed.
    discarded_octets: int = 1024 * 1024
    # Behind an offer to upgrade, while it is not answered.
    held_octets: int = 64 * 1024
    # After that, and after an answer to what is no request: read on so long and so far, for closing
    # over unread bytes resets the connection and loses the answer (RFC 9112, section 9.6). nginx
    # waits 5 s for each piece, 30 s in all.
    linger_octets: int = 256 * 1024 * 1024
    linger_seconds: float = 30.0
    linger_silence_seconds: float = 5.0
    # A client that has closed its half may wait for its answer or be gone, and nothing tells which
    # before something is written: it is given so long after the last byte of the response.
    half_closed_seconds: float = 5.0
    # Of a response to a client that reads slowly, over HTTP/1.1: so much is kept for it before its
    # application has to wait, and by all such clients together. So an application is soon done.
    slow_octets: int = 1024 * 1024
    slow_clients: int = 64
    # Of connections that speak HTTP/2.
    http2: EngineLimits = DEFAULT_HTTP2_LIMITS


class OpenConnection(Protocol):
    """What a server can do with a connection of a client."""

    def end_with_response(self) -> None:
        """Let the response under way, or the next one, be the last."""

    def drain(self) -> None:
        """End now if idle, else with the responses under way."""

    def abort(self) -> None:
        """End at once."""


class ServerContext:
    """Settings, hooks and the set of open connections."""

    def __init__(
        self,
        timers: Timers,
        limits: ServerLimits | None = None,
        *,
        refuse: Callable[[Refusal], ResponseHead] = plain_answer,
        taken: Iterable[bytes] = (),
        dropped: Iterable[bytes] = (),
        lowers: bool = False,
    ) -> None:
        """``refuse`` answers a refusal; the others are those of ``FieldTable``."""
        self.timers = timers
        self.limits = limits or ServerLimits()
        self.refuse = refuse
        self.table = FieldTable(taken, dropped, lowers=lowers)
        self.connections: set[OpenConnection] = set()
        self.slow_clients = 0
        self.is_draining = False
        self.is_over = False
        """What was accepted before and is only told of now is ended at once."""
        self._is_empty: asyncio.Event | None = None

    async def empty(self) -> None:
        """Until the last connection is closed; for the time when none is accepted any more."""
        if self.connections:
            self._is_empty = asyncio.Event()
            await self._is_empty.wait()

    def forget(self, connection: OpenConnection) -> None:
        """A connection has ended."""
        self.connections.discard(connection)
        if not self.connections and self._is_empty is not None:
            self._is_empty.set()
