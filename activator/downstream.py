"""One client's connection: requests in, responses out, in order. Thin: rules are in ``framing``.

A request gets its ``Exchange`` when its head is complete. Pipelined requests wait for those before
them with reading paused, so they are answered in order and hold little.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, cast

from activator import failures
from activator.dispatch import dispatch
from activator.exchange import Exchange
from activator.failures import Failure, render
from activator.framing import FramingError, RequestHead, RequestReader
from activator.headers import extended_forwarded_lines, forwarded_lines
from activator.tunnel import Tunnel

if TYPE_CHECKING:
    from activator.backends import Backend
    from activator.gateway import Gateway
    from activator.routes import HostRoutes, RouteTable
    from activator.upstream import UpstreamConnection

# After an answer to a broken or unread request: read on for this long, so that the answer is not
# lost to the reset that closing over unread bytes causes (RFC 9112, section 9.6).
LINGER_SECONDS = 1.0


class ClientConnection(asyncio.Protocol):
    __slots__ = (
        "_active",
        "_advancing",
        "_broken",
        "_cached_host",
        "_cached_lines",
        "_cached_routes",
        "_cached_table",
        "_check_at",
        "_gateway",
        "_head_since",
        "_idle_since",
        "_internal",
        "_is_closing",
        "_is_lingering",
        "_paused_for",
        "_peer",
        "_pending",
        "_reader",
        "_receiving",
        "_routes_host",
        "transport",
        "tunnel",
        "write_paused",
    )

    def __init__(self, gateway: Gateway, *, internal: bool) -> None:
        self._gateway = gateway
        self._internal = internal
        self._reader = RequestReader(self, gateway.limits.framing)
        self.transport: asyncio.Transport
        self.tunnel: Tunnel | None = None
        self.write_paused = False
        self._peer = ""
        # The exchange whose turn it is to answer, those behind it, the one whose body arrives.
        self._active: Exchange | None = None
        self._pending: deque[Exchange] = deque()
        self._receiving: Exchange | None = None
        self._advancing = False
        self._broken: Failure | None = None
        self._is_closing = False
        self._is_lingering = False
        self._paused_for: set[str] = set()
        self._head_since = 0.0
        self._idle_since = 0.0
        self._check_at = 0.0
        # What the last request's Host led to: nearly always the next one's as well.
        self._cached_host = self._cached_lines = b""
        self._routes_host = b""
        self._cached_table: RouteTable[Backend] | None = None
        self._cached_routes: HostRoutes[Backend] | None = None

    # The transport's callbacks.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports have the methods and not the base class.
        self.transport = cast(asyncio.Transport, transport)
        gateway = self._gateway
        gateway.clients.add(self)
        peer = transport.get_extra_info("peername")
        self._peer = peer[0] if isinstance(peer, tuple) else ""
        self._idle_since = gateway.clock()
        if len(gateway.clients) > gateway.limits.connections:
            gateway.count_refusal(failures.TOO_MANY_CONNECTIONS.reason)
            self._answer_and_close(failures.TOO_MANY_CONNECTIONS)
            return
        self._check_later(self._idle_since + gateway.limits.keep_alive_seconds)

    def data_received(self, data: bytes) -> None:
        reader = self._reader
        if self._is_closing or self._broken is not None:
            return
        try:
            reader.feed(data)
        except FramingError as error:
            self._break(error.failure)
            return
        if reader.in_head and not self._head_since:
            self._head_since = self._gateway.clock()
            self._check_later(self._head_since + self._gateway.limits.head_seconds)
        elif reader.held is not None and len(reader.held) > self._gateway.limits.held_octets:
            self.pause("upgrade")

    def eof_received(self) -> bool:
        """The client is gone: a half close looks the same (Go and nginx see it so, too)."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_closing = True
        self._gateway.forget_client(self)
        self._abandon_all()

    def _abandon_all(self) -> None:
        exchanges = [self._active, *self._pending]
        self._active = self._receiving = None
        self._pending.clear()
        for exchange in exchanges:
            if exchange is not None:
                exchange.abandon()

    def pause_writing(self) -> None:
        """The client reads slowly, so the pod has to wait."""
        self.write_paused = True
        upstream = self._active.upstream if self._active is not None else None
        if upstream is not None and upstream.is_open:
            upstream.transport.pause_reading()

    def resume_writing(self) -> None:
        self.write_paused = False
        upstream = self._active.upstream if self._active is not None else None
        if upstream is not None and upstream.is_open:
            upstream.transport.resume_reading()

    # The reader's events.

    def on_request(self, head: RequestHead) -> None:
        self._head_since = 0.0
        exchange = self._receiving = Exchange(self._gateway, self, head)
        if self._active is None and not self._pending:
            self._active = exchange
            dispatch(exchange, internal=self._internal)
        else:
            self._pending.append(exchange)
            self.pause("pipeline")

    def on_request_body(self, data: bytes) -> None:
        if self._receiving is not None:
            self._receiving.on_body(data)

    def on_request_end(self, trailers: list[bytes]) -> None:
        if self._receiving is not None:
            self._receiving.on_end(trailers)

    # For the exchange.

    def find_routes(self, host: bytes) -> HostRoutes[Backend] | None:
        table = self._gateway.table
        if table is not self._cached_table or host != self._routes_host:
            self._routes_host, self._cached_table = host, table
            self._cached_routes = (table.internal if self._internal else table.external).find(host)
        return self._cached_routes

    def forwarding_lines(self, head: RequestHead) -> bytes:
        host = head.host
        if head.has_forwarding:
            return extended_forwarded_lines(
                self._peer,
                host,
                seen_for=head.forwarded_for,
                seen_proto=head.forwarded_proto,
                seen_host=head.forwarded_host,
                seen_forwarded=head.forwarded,
            )
        if host != self._cached_host or not self._cached_lines:
            self._cached_host = host
            self._cached_lines = forwarded_lines(self._peer, host)
        return self._cached_lines

    def exchange_done(self, exchange: Exchange, *, close: bool) -> None:
        """The response is written; go on with the next request or end."""
        if exchange is not self._active:
            return
        self._active = None
        if self._paused_for:
            self.resume("held")
            self.resume("upstream")
        if close or self._gateway.draining:
            self._end(exchange)
            return
        if not exchange.request_done:
            self._after_early_response(exchange)
        if self._reader.held is not None and not self._is_closing:
            self._refuse_upgrade()
        self._advance()

    def answer_failure(self, exchange: Exchange, failure: Failure) -> None:
        head = exchange.head
        close = failure.closes or not head.keep_alive or not head.http11
        response = render(failure, head_only=head.method == b"HEAD", close=close)
        self._answer(exchange, response, close=close)

    def answer(self, exchange: Exchange, response: bytes) -> None:
        """An answer of ours that is no failure."""
        exchange.finished = True
        head = exchange.head
        if head.method == b"HEAD":
            response = response[: response.index(b"\r\n\r\n") + 4]
        self._answer(exchange, response, close=not (head.keep_alive and head.http11))

    def become_tunnel(self, exchange: Exchange, upstream: UpstreamConnection) -> None:
        """The application has agreed to the upgrade."""
        upstream.exchange = None
        self.tunnel = Tunnel(exchange, self.transport, upstream.transport)
        self.tunnel.start(from_client=self._reader.take_held(), from_upstream=upstream.relay.rest)

    def tunnel_closed(self) -> None:
        self._is_closing = True
        self._gateway.forget_client(self)

    def pause(self, reason: str) -> None:
        """Stop reading for one of several reasons; all must be gone before it goes on."""
        if not self._paused_for and not self._is_closing:
            self.transport.pause_reading()
        self._paused_for.add(reason)

    def resume(self, reason: str) -> None:
        if reason not in self._paused_for:
            return
        self._paused_for.discard(reason)
        if not self._paused_for and not self._is_closing:
            self.transport.resume_reading()

    def close(self) -> None:
        """Close once everything written has left."""
        self._is_closing = True
        self.transport.close()

    def abort(self) -> None:
        self._is_closing = True
        if self.tunnel is not None:
            self.tunnel.abort()
        else:
            # A pod's bytes must not meet a closed transport before connection_lost is called.
            self._abandon_all()
            self.transport.abort()

    def drain(self) -> None:
        """Shutting down: end now if idle, else with the response under way."""
        if self._active is None and not self._pending and self.tunnel is None:
            self.close()
        elif self._active is not None:
            upstream = self._active.upstream
            if upstream is not None and not upstream.relay.head_seen:
                upstream.relay.close_client()

    def expire(self, now: float) -> None:
        """A deadline may have passed: the request's, a slow head's or a long silence's."""
        if now < self._check_at or (self._is_closing and not self._is_lingering):
            # An entry that an earlier one has overtaken, or a connection that is gone.
            return
        keep_alive_seconds = self._gateway.limits.keep_alive_seconds
        exchange = self._active
        if self._is_lingering:
            self.transport.abort()
        elif exchange is not None:
            self._check_at = float("inf")
            exchange.expire(now)
            if self._active is exchange:
                next_look = min(exchange.nearest_deadline(), now + keep_alive_seconds)
                self._check_later(next_look)
            elif not self._is_closing:
                self.check_by(now + keep_alive_seconds)
        elif self._head_since:
            self._expire_head(now)
        elif now >= self._idle_since + keep_alive_seconds:
            self.close()
        else:
            self._check_later(self._idle_since + keep_alive_seconds)

    # Details.

    def _expire_head(self, now: float) -> None:
        due = self._head_since + self._gateway.limits.head_seconds
        if now >= due:
            self._gateway.count_refusal(failures.HEAD_TIMEOUT.reason)
            self._answer_and_close(failures.HEAD_TIMEOUT)
        else:
            self._check_later(due)

    def check_by(self, deadline: float) -> None:
        """See that ``expire`` is called when this deadline passes.

        A connection sits in the wheel for its own sake anyway, so a request's deadline that lies
        behind the next look costs nothing.
        """
        if deadline < self._check_at:
            self._check_later(deadline)

    def _check_later(self, at: float) -> None:
        self._check_at = at
        self._gateway.watch_deadline(self, at)

    def _break(self, failure: Failure) -> None:
        """The stream is broken: answer what came before, then say so and close."""
        self._broken = failure
        self._gateway.count_refusal(failure.reason)
        receiving = self._receiving
        if receiving is not None and not receiving.request_done:
            self._break_off(receiving, failure)
        elif self._active is None and not self._pending:
            self._answer_and_close(failure)

    def _break_off(self, receiving: Exchange, failure: Failure) -> None:
        """The fault is within a body: its request cannot be completed any more."""
        self._receiving = None
        if receiving is self._active:
            receiving.fail(failure)
        elif receiving in self._pending:
            self._pending.remove(receiving)
            receiving.finished = True

    def _advance(self) -> None:
        """Begin the next pipelined request; a loop, for answers of ours come at once."""
        if self._advancing:
            return
        self._advancing = True
        while self._active is None and self._pending and not self._is_closing:
            exchange = self._active = self._pending.popleft()
            dispatch(exchange, internal=self._internal)
        self._advancing = False
        if self._active is not None or self._is_closing:
            return
        self._idle_since = self._gateway.clock()
        if self._broken is not None:
            self._answer_and_close(self._broken)
        else:
            self.resume("pipeline")

    def _after_early_response(self, exchange: Exchange) -> None:
        """The application has answered without reading the whole request."""
        if exchange.head.expects_continue:
            # Nobody knows whether the client still sends its body.
            self._end(exchange)

    def _refuse_upgrade(self) -> None:
        self.resume("upgrade")
        try:
            self._reader.resume()
        except FramingError as error:
            self._break(error.failure)

    def _answer(self, exchange: Exchange, response: bytes, *, close: bool) -> None:
        if self._is_closing:
            return
        self.transport.write(response)
        self.exchange_done(exchange, close=close)

    def _end(self, exchange: Exchange) -> None:
        if exchange.request_done:
            self.close()
        else:
            self._linger()

    def _answer_and_close(self, failure: Failure) -> None:
        if not self._is_closing:
            self.transport.write(render(failure, close=True))
            self._linger()

    def _linger(self) -> None:
        """Send the end, then read and forget until the client has seen it."""
        self._is_closing = self._is_lingering = True
        if self._paused_for:
            self.transport.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()
            self._check_later(self._gateway.clock() + LINGER_SECONDS)
        else:
            self.transport.close()
