"""An HTTP/1.1 client for deliveries: kept connections, callbacks instead of tasks.

``asyncio.Protocol`` with httptools; one request at a time on a connection. A request whose kept
connection turns out to be closed before any answer is sent once more on a new one, as the event
contract (at least once) allows.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import cast

import httptools

from eventing.runtime.config import ClientLimits
from eventing.runtime.target import Address, Target

Header = tuple[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; status 0 and an ``error`` when nothing did."""

    status: int
    headers: Sequence[Header] = ()
    body: bytes = b""
    error: str = ""


Answered = Callable[[Answer], None]


@dataclass(slots=True)
class _Exchange:
    target: Target
    request: bytes
    answered: Answered
    deadline: float
    fresh: bool = False
    """Sent on a new connection: its failure is the target's, not a stale connection's."""


@dataclass(slots=True)
class _Pool:
    idle: list[_Connection] = field(default_factory=list)


class _Connection(asyncio.Protocol):
    """One connection; the client gives it an exchange, it gives the client an answer."""

    def __init__(self, client: DeliveryClient, key: tuple[Address, str | None]) -> None:
        self._client = client
        self.key = key
        self.transport: asyncio.Transport | None = None
        self.exchange: _Exchange | None = None
        self.idle_since = 0.0
        self._parser = httptools.HttpResponseParser(self)
        self._reset()

    def _reset(self) -> None:
        self._headers: list[Header] = []
        self._header_bytes = 0
        self._body: list[bytes] = []
        self._body_bytes = 0
        self._begun = False
        self._until_close = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is none by class

    def send(self, exchange: _Exchange) -> None:
        self.exchange = exchange
        if self.transport is not None:
            self.transport.write(exchange.request)

    def data_received(self, data: bytes) -> None:
        self._begun = True
        if self.exchange is None:
            self.abort("an answer came without a request")
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self.abort("the target switched protocols")
        except httptools.HttpParserError as error:
            self.abort(f"invalid HTTP answer: {error}")

    def on_header(self, name: bytes, value: bytes) -> None:
        self._header_bytes += len(name) + len(value)
        if self._header_bytes <= self._client.limits.header_bytes:
            self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        names = {name for name, _ in self._headers}
        self._until_close = not names & {b"content-length", b"transfer-encoding"}

    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)
        if self._body_bytes <= self._client.limits.answer_bytes:
            self._body.append(body)

    def on_message_complete(self) -> None:
        if self.exchange is None:
            return
        status = self._parser.get_status_code()
        if 100 <= status < 200:
            self._headers.clear()
            return
        limits = self._client.limits
        if self._header_bytes > limits.header_bytes or self._body_bytes > limits.answer_bytes:
            self.abort("the answer is too large")
            return
        answer = Answer(status, self._headers, b"".join(self._body))
        keep = self._parser.should_keep_alive()
        exchange, self.exchange = self.exchange, None
        if keep:
            self._reset()
            self._client.release(self)
        else:
            self._client.forget(self)
            self._close()
        exchange.answered(answer)

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        self._client.forget(self)
        exchange, self.exchange = self.exchange, None
        if exchange is None:
            return
        if not exchange.fresh and not self._begun:
            self._client.resend(exchange)
        elif self._until_close and exc is None:
            status = self._parser.get_status_code()
            exchange.answered(Answer(status, self._headers, b"".join(self._body)))
        else:
            exchange.answered(Answer(0, error=str(exc or "connection closed without an answer")))

    def abort(self, reason: str) -> None:
        """Gives up the exchange and the connection."""
        self._client.forget(self)
        exchange, self.exchange = self.exchange, None
        if self.transport is not None:
            self.transport.abort()
        if exchange is not None:
            exchange.answered(Answer(0, error=reason))

    def _close(self) -> None:
        if self.transport is not None:
            self.transport.close()


class DeliveryClient:
    """Sends requests; use on one event loop. ``run`` must be running for timeouts to count."""

    def __init__(self, limits: ClientLimits, tls: ssl.SSLContext | None = None) -> None:
        self.limits = limits
        self._tls = tls
        self._pools: dict[tuple[Address, str | None], _Pool] = {}
        self._open: set[_Connection] = set()
        self._connecting: set[asyncio.Task[None]] = set()

    def send(
        self, target: Target, request: bytes, answered: Answered, *, timeout_seconds: float
    ) -> None:
        """Sends one whole request; ``answered`` is called once, later, never from here."""
        deadline = monotonic() + timeout_seconds
        self._dispatch(_Exchange(target, request, answered, deadline))

    def _dispatch(self, exchange: _Exchange) -> None:
        pool = self._pools.get((exchange.target.address, exchange.target.tls_name))
        while pool is not None and pool.idle:
            connection = pool.idle.pop()
            if connection.transport is not None and not connection.transport.is_closing():
                connection.send(exchange)
                return
        self._connect(exchange)

    def resend(self, exchange: _Exchange) -> None:
        """Once more, on a new connection."""
        self._connect(exchange)

    def _connect(self, exchange: _Exchange) -> None:
        exchange.fresh = True
        task = asyncio.create_task(self._connected(exchange), name="event-connect")
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    async def _connected(self, exchange: _Exchange) -> None:
        loop = asyncio.get_running_loop()
        target = exchange.target
        connection = _Connection(self, (target.address, target.tls_name))
        try:
            async with asyncio.timeout(
                min(exchange.deadline - monotonic(), self.limits.connect_seconds)
            ):
                await loop.create_connection(
                    lambda: connection,
                    *target.address,
                    ssl=self._tls_context() if target.tls_name else None,
                    server_hostname=target.tls_name,
                )
        except TimeoutError:
            exchange.answered(Answer(0, error="connecting timed out"))
        except (OSError, UnicodeError) as error:  # the latter: a name that cannot be one
            exchange.answered(Answer(0, error=str(error)))
        else:
            self._open.add(connection)
            connection.send(exchange)

    def _tls_context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = ssl.create_default_context()
        return self._tls

    def release(self, connection: _Connection) -> None:
        connection.idle_since = monotonic()
        self._pools.setdefault(connection.key, _Pool()).idle.append(connection)

    def forget(self, connection: _Connection) -> None:
        self._open.discard(connection)
        pool = self._pools.get(connection.key)
        if pool is not None and connection in pool.idle:
            pool.idle.remove(connection)

    async def run(self) -> None:
        """Ends exchanges past their deadline and connections long idle, until cancelled."""
        while True:
            await asyncio.sleep(self.limits.sweep_seconds)
            self._sweep(monotonic())

    def _sweep(self, now: float) -> None:
        for connection in list(self._open):
            exchange = connection.exchange
            if exchange is None:
                if now - connection.idle_since > self.limits.idle_seconds and connection.transport:
                    self.forget(connection)
                    connection.transport.close()
            elif exchange.deadline <= now:
                connection.abort("timed out waiting for the answer")
        for key in [key for key, pool in self._pools.items() if not pool.idle]:
            del self._pools[key]

    async def close(self) -> None:
        """Drops every connection; exchanges under way end without an answer."""
        for task in list(self._connecting):
            task.cancel()
        if self._connecting:
            await asyncio.wait(list(self._connecting))
        for connection in list(self._open):
            connection.exchange = None
            if connection.transport is not None:
                connection.transport.abort()
        self._open.clear()
        self._pools.clear()
