"""Where events come in over HTTP: ``POST /NAMESPACE/BROKER``.

``asyncio.Protocol`` with httptools, no task per request. An event is answered with 202 only when
it is on disk. Answers of one connection keep the order of its requests.

==========================  ========================================================
request                     answer
==========================  ========================================================
``OPTIONS``                 200, the abuse protection answer of the webhook spec
``POST /ns/name``           202, or 400 naming the attribute at fault, 404, 413, 415,
                            429 or 503 with Retry-After where the log takes none now
other methods               405
``GET /healthz``            200
==========================  ========================================================
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Protocol, cast

import httptools

from eventing.codec import CodecError, decode
from eventing.codec.binary import Header
from eventing.engines.event import RenderedEvent
from eventing.engines.seam import Appended, Refused
from eventing.runtime.config import IngressLimits
from eventing.runtime.intake import prepare
from eventing.runtime.metrics import EndpointCounters
from hearth.kube.clock import Clock, wall_clock
from hearth.kube.meta import Key

log = logging.getLogger(__name__)

_REASONS = {
    200: "OK",
    202: "Accepted",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    413: "Content Too Large",
    415: "Unsupported Media Type",
    500: "Internal Server Error",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    503: "Service Unavailable",
}
_ALLOW = "allow: POST, OPTIONS\r\n"


def render(status: int, text: str = "", *, headers: str = "", close: bool = False) -> bytes:
    body = f"{text}\n".encode() if text else b""
    kind = "content-type: text/plain; charset=utf-8\r\n" if body else ""
    ending = "connection: close\r\n" if close else ""
    head = (
        f"HTTP/1.1 {status} {_REASONS[status]}\r\n{_ALLOW}{headers}{kind}{ending}"
        f"content-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


ACCEPTED = render(202)
_HEALTHY = render(200)
_WEBHOOK = render(200, headers="webhook-allowed-origin: *\r\nwebhook-allowed-rate: *\r\n")
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Intake(Protocol):
    """What the ingress needs of a broker."""

    @property
    def counters(self) -> EndpointCounters: ...

    def append(self, events: Sequence[RenderedEvent], done: Appended) -> None: ...


FindBroker = Callable[[Key], Intake | None]
"""The broker of a namespace and name; raises Refused where it is not open yet."""


@dataclass(slots=True, eq=False)
class _Exchange:
    """One request and its answer, which may come later than those after it."""

    keep: bool
    answer: bytes | None = None


@dataclass(slots=True)
class _Request:
    """A request while it is being read."""

    headers: list[Header] = field(default_factory=list)
    header_bytes: int = 0
    url: bytes = b""
    body: list[bytes] = field(default_factory=list)
    body_bytes: int = 0


class IngressServer:
    """The listener; ``find`` answers which brokers there are."""

    def __init__(
        self, find: FindBroker, *, limits: IngressLimits, clock: Clock = wall_clock
    ) -> None:
        self.find = find
        self.limits = limits
        self.clock = clock
        self.connections: set[_Connection] = set()
        self._server: asyncio.Server | None = None
        self._left = asyncio.Event()

    async def start(self, host: str, port: int) -> int:
        """Listens; answers the port."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self), host, port, backlog=1024)
        return int(self._server.sockets[0].getsockname()[1])

    async def run(self) -> None:
        """Ends connections that dawdle, until cancelled."""
        while True:
            await asyncio.sleep(self.limits.sweep_seconds)
            now = monotonic()
            for connection in list(self.connections):
                connection.sweep(now)

    async def stop(self, *, grace_seconds: float) -> None:
        """Stops listening, answers what is pending, closes."""
        if self._server is not None:
            self._server.close()
        for connection in list(self.connections):
            connection.finish()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace_seconds):
                while self.connections:
                    self._left.clear()
                    await self._left.wait()
        for connection in list(self.connections):
            connection.abort()

    def left(self, connection: _Connection) -> None:
        """A connection has ended."""
        self.connections.discard(connection)
        self._left.set()

    def receive(
        self,
        path: bytes,
        headers: Sequence[Header],
        body: bytes,
        *,
        answer: Callable[[bytes], None],
    ) -> None:
        """Takes in the events of a POST; calls ``answer`` once, now or when they are durable."""
        try:
            events = decode(headers, body)
            key = broker_key(path)
            broker = self.find(key)
            if broker is None:
                answer(render(404, f"there is no broker {key[0]}/{key[1]}"))
                return
            arrival_ns = int(self.clock() * 1e9)
            prepared = [prepare(event, arrival_ns=arrival_ns, headers=headers) for event in events]
        except CodecError as error:
            answer(render(error.status, str(error)))
        except _BadPath as error:
            answer(render(error.status, str(error)))
        except Refused as refused:
            answer(_refusal(refused))
        else:
            _append(broker, prepared, answer)


def _append(
    broker: Intake, events: Sequence[RenderedEvent], answer: Callable[[bytes], None]
) -> None:
    """Answer once all events of a request are durable (more than one only in a batch)."""
    started = monotonic()

    def done(refused: Refused | None) -> None:
        status = 202 if refused is None else refused.status
        broker.counters.dispatched(status, monotonic() - started)
        answer(ACCEPTED if refused is None else _refusal(refused))

    if not events:
        answer(ACCEPTED)
        return
    try:
        broker.append(events, done)
    except Refused as refused:
        done(refused)


def _refusal(refused: Refused) -> bytes:
    headers = f"retry-after: {refused.retry_after}\r\n"
    return render(refused.status, str(refused), headers=headers)


class _BadPath(ValueError):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def broker_key(target: bytes) -> Key:
    """Namespace and name of ``/ns/name`` (a slash at the end allowed, a query ignored)."""
    if not target.startswith(b"/"):  # absolute form, as sent to a proxy
        _, _, rest = target.partition(b"://")
        target = b"/" + rest.partition(b"/")[2]
    path = target.partition(b"?")[0].removesuffix(b"/")
    parts = path.split(b"/")
    if path == b"":
        raise _BadPath(404, "events are sent to /NAMESPACE/BROKER")
    if len(parts) != 3 or not all(parts[1:]):
        raise _BadPath(400, "malformed path, expected /NAMESPACE/BROKER")
    return parts[1].decode("latin-1"), parts[2].decode("latin-1")


class _Connection(asyncio.Protocol):
    """One client connection: reads requests, keeps answers in order."""

    def __init__(self, server: IngressServer) -> None:
        self._server = server
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpRequestParser(self)
        self._exchanges: deque[_Exchange] = deque()
        self._request: _Request | None = None
        self._ending = False
        self._paused = self._blocked = False
        self._active_at = monotonic()

    # -- transport ---------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by class
        self._server.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._ending = True
        self._server.left(self)

    def data_received(self, data: bytes) -> None:
        if self._ending:
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            # No other protocol is spoken here: the request counts, the wish is passed over.
            self._parser = httptools.HttpRequestParser(self)
            rest = data[upgrade.args[0] :] if upgrade.args else b""
            if rest:
                self.data_received(rest)
        except httptools.HttpParserError as error:
            self._refuse(400, f"malformed request: {error}")

    def eof_received(self) -> bool:
        self.finish()
        return bool(self._exchanges)

    def pause_writing(self) -> None:
        self._blocked = True
        self._flow()

    def resume_writing(self) -> None:
        self._blocked = False
        self._flow()

    def _flow(self) -> None:
        """Reads no further while answers are owed or not taken."""
        paused = self._blocked or len(self._exchanges) >= self._server.limits.pipelined
        if paused != self._paused and self._transport is not None:
            self._paused = paused
            if paused:
                self._transport.pause_reading()
            else:
                self._transport.resume_reading()

    # -- parser ------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        self._request = _Request()
        self._active_at = monotonic()

    def on_url(self, url: bytes) -> None:
        request = self._request
        if request is not None:
            request.url += url
            request.header_bytes += len(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        request = self._request
        if request is None:
            return
        request.headers.append((name.lower(), value))
        request.header_bytes += len(name) + len(value)
        limits = self._server.limits
        if request.header_bytes > limits.header_bytes or len(request.headers) > limits.headers:
            self._refuse(431, "the request's headers are too large")

    def on_headers_complete(self) -> None:
        request = self._request
        if request is None:
            return
        for name, value in request.headers:
            if name == b"content-length" and int(value) > self._server.limits.event_bytes:
                self._refuse_size()
                return
            if name == b"expect" and value.lower() == b"100-continue" and self._transport:
                self._transport.write(_CONTINUE)

    def on_body(self, body: bytes) -> None:
        request = self._request
        if request is None:
            return
        request.body.append(body)
        request.body_bytes += len(body)
        if request.body_bytes > self._server.limits.event_bytes:
            self._refuse_size()

    def on_message_complete(self) -> None:
        request, self._request = self._request, None
        if request is None or self._ending:
            return
        exchange = _Exchange(keep=self._parser.should_keep_alive())
        self._exchanges.append(exchange)
        if not exchange.keep:
            self._ending = True
        method = self._parser.get_method()
        if method == b"POST":
            body = request.body[0] if len(request.body) == 1 else b"".join(request.body)
            self._receive(exchange, request, body)
        elif method == b"OPTIONS":
            self._answer(exchange, _WEBHOOK)
        elif method == b"GET" and request.url == b"/healthz":
            self._answer(exchange, _HEALTHY)
        else:
            self._answer(exchange, render(405, "events are sent with POST"))
        self._flow()

    def _receive(self, exchange: _Exchange, request: _Request, body: bytes) -> None:
        try:
            self._server.receive(
                request.url,
                request.headers,
                body,
                answer=lambda data: self._answer(exchange, data),
            )
        except Exception:
            # A fault of ours must neither pass for the producer's nor leave it without an answer.
            log.exception("a request failed")
            exchange.keep = False
            self._ending = True
            self._answer(exchange, render(500, "internal error", close=True))

    # -- answers -----------------------------------------------------------------------------

    def _refuse_size(self) -> None:
        self._refuse(
            413, f"events of more than {self._server.limits.event_bytes} bytes are refused"
        )

    def _refuse(self, status: int, text: str) -> None:
        """Answers what cannot be read on from, after all that came before it."""
        if self._ending:
            return
        self._ending = True
        self._request = None
        exchange = _Exchange(keep=False)
        self._exchanges.append(exchange)
        self._answer(exchange, render(status, text, close=True))

    def _answer(self, exchange: _Exchange, data: bytes) -> None:
        exchange.answer = data
        transport, exchanges = self._transport, self._exchanges
        if transport is None:
            return
        while exchanges and exchanges[0].answer is not None:
            first = exchanges.popleft()
            transport.write(first.answer or b"")
            if not first.keep or (self._ending and not exchanges):
                transport.close()
                return
        if self._paused:
            self._flow()

    # -- endings -----------------------------------------------------------------------------

    def finish(self) -> None:
        """Takes no further request; closes when all answers are given."""
        self._ending = True
        if not self._exchanges and self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def sweep(self, now: float) -> None:
        """Closes when idle for long, or when a request does not get whole."""
        limits = self._server.limits
        patience = limits.idle_seconds if self._request is None else limits.request_seconds
        if not self._exchanges and now - self._active_at > patience:
            self.abort()
