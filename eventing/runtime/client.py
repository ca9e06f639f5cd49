"""Sends deliveries over kept connections: callbacks instead of tasks, on ``activator.http``.

One request at a time on a connection. A request whose kept connection turns out to be closed
before any answer is sent once more on a new one, as the event contract (at least once) allows.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from functools import partial
from time import monotonic

from activator.http.events import RequestHead, Reset, ResponseHead
from activator.http.fields import Field, Trailers
from activator.http.h1.client import ClientConnection
from eventing.runtime.access.bearers import Bearers
from eventing.runtime.config import ClientLimits
from eventing.runtime.request import with_line
from eventing.runtime.target import Target
from eventing.runtime.tunnel import open_tunnel
from hearth.timeouts import time_limit


class Answer:
    """What came back; status 0 and an ``error`` when nothing did."""

    __slots__ = ("_head", "body", "error", "is_late", "status")

    def __init__(
        self,
        head: ResponseHead | None,
        body: bytes = b"",
        *,
        error: str = "",
        is_late: bool = False,
    ) -> None:
        self.status = 0 if head is None else head.status
        self.body = body
        self.error = error
        self.is_late = is_late
        """Whether the target had the request, and did not answer in time."""
        self._head = head

    @property
    def fields(self) -> list[Field]:
        """The header fields, names in lower case. Read off the head each time."""
        if self._head is None:
            return []
        return [(name.lower(), value) for name, value in self._head.fields]

    @property
    def capacity(self) -> int | None:
        """How many requests at once the gateway says that the target takes, where it says so."""
        head = self._head
        if head is None or (at := head.wire.find(_CAPACITY, 0, head.body_at)) < 0:
            return None
        start = at + len(_CAPACITY)
        told = head.wire[start : head.wire.index(b"\r\n", start)]
        return int(told) if told.isdigit() else None

    @property
    def may_be_event(self) -> bool:
        """Whether there is anything that could be an event, without reading fields."""
        head = self._head
        if head is None:
            return False
        return bool(self.body) or b"ce-specversion" in head.wire[: head.body_at].lower()


_CAPACITY = b"\r\nx-hearth-capacity: "
"""As the gateway writes it (``activator.exchange``)."""

Answered = Callable[[Answer], None]

_ANY_REQUEST = RequestHead.of(b"POST", b"/", b"")
"""For all that a response depends on its request, these are alike."""


class _Attempt:
    """One request and who waits for its answer. Defaults sit on the class: few set them all."""

    connection: ClientConnection | None = None
    is_fresh = False
    """Sent on a new connection: its failure is the target's, not a stale connection's."""
    _head: ResponseHead | None = None
    _body: list[bytes] | None = None
    _size = 0

    def __init__(
        self,
        client: DeliveryClient,
        target: Target,
        request: bytes,
        answered: Answered,
        deadline: float,
    ) -> None:
        self._client = client
        self.target = target
        self.request = request
        self.answered = answered
        self.deadline = deadline

    def give_up(self, error: str, *, is_late: bool = False) -> None:
        """End it without an answer, and its connection with it."""
        if self.connection is not None:
            self.connection.reset()
        self._client.ended(self, Answer(None, error=error, is_late=is_late))

    # -- the response ------------------------------------------------------------------------

    def on_informational(self, head: ResponseHead) -> None:
        """Nothing depends on it."""

    def on_response(self, head: ResponseHead, end: bool) -> None:
        """Take the head, and often the whole answer."""
        body = head.body
        if not end:
            self._head, self._body = head, []
            self.on_response_body(body)
        elif len(body) > self._client.limits.answer_bytes:
            self.give_up("the answer is too large")
        else:
            self._client.ended(self, Answer(head, body))

    def on_response_body(self, data: bytes) -> None:
        """Take a piece of the answer."""
        self._size += len(data)
        if self._size > self._client.limits.answer_bytes:
            self.give_up("the answer is too large")
        elif self._body is not None:
            self._body.append(data)

    def on_response_end(self, trailers: Trailers) -> None:
        """The answer is whole."""
        self._client.ended(self, Answer(self._head, b"".join(self._body or ())))

    def on_lost(self, reset: Reset) -> None:
        """There will be no answer on this connection."""
        self.connection = None
        if self.is_fresh or reset.has_begun:
            self._client.ended(self, Answer(None, error=reset.detail))
        else:
            self._client.connect(self)

    def on_request_window(self, is_open: bool) -> None:
        """Requests are written whole."""


def why_none(error: Exception, target: Target) -> str:
    """Return why there is no connection. Pure."""
    host = target.address[0]
    if isinstance(error, socket.gaierror) and "." not in host and ":" not in host:
        return f"{error}: a Service is NAME.NAMESPACE.svc.cluster.local, {host} is a name alone"
    return str(error)


class DeliveryClient:
    """Sends requests; use on one event loop. ``run`` must be running for time-outs to count."""

    def __init__(
        self,
        limits: ClientLimits,
        tls: ssl.SSLContext | None = None,
        *,
        bearers: Bearers | None = None,
    ) -> None:
        self.limits = limits
        self._trusted = ""
        self._tls: dict[str | None, ssl.SSLContext] = {} if tls is None else {None: tls}
        self._bearers = bearers
        self._idle: dict[str, list[ClientConnection]] = {}
        self._attempts: set[_Attempt] = set()
        self._connecting: set[asyncio.Task[None]] = set()

    def send(
        self,
        target: Target,
        request: bytes,
        answered: Answered,
        *,
        timeout_seconds: float,
    ) -> None:
        """Send one whole request; ``answered`` is called once, later, never from here."""
        now = monotonic()
        attempt = _Attempt(self, target, request, answered, now + timeout_seconds)
        self._attempts.add(attempt)
        if target.bearer is None or self._bearers is None:
            self._send(attempt, now)
            return
        token = self._bearers.get(target.bearer)
        if token is None:
            self._bearers.fetch(target.bearer, partial(self._identified, attempt))
        else:
            self._identified(attempt, token, "")

    def _identified(self, attempt: _Attempt, token: str | None, problem: str) -> None:
        """Send an attempt with a token; without one it has failed."""
        if attempt not in self._attempts:
            return
        if token is None:
            self.ended(attempt, Answer(None, error=problem))
            return
        line = b"authorization: Bearer %b\r\n" % token.encode()
        attempt.request = with_line(attempt.request, line)
        self._send(attempt, monotonic())

    def _send(self, attempt: _Attempt, now: float) -> None:
        idle = self._idle.get(attempt.target.peer)
        while idle:
            connection = idle.pop()
            if connection.is_usable(now):
                attempt.connection = connection
                connection.send(attempt, _ANY_REQUEST, attempt.request)
                return
            connection.close()
        self.connect(attempt)

    def connect(self, attempt: _Attempt) -> None:
        """Send an attempt on a new connection."""
        attempt.is_fresh = True
        task = asyncio.create_task(self._connected(attempt), name="event-connect")
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    async def _connected(self, attempt: _Attempt) -> None:
        target = attempt.target
        tls_name, peer = target.tls_name, target.peer
        limit = min(attempt.deadline - monotonic(), self.limits.connect_seconds)

        def make() -> ClientConnection:
            return ClientConnection(
                monotonic,
                on_idle=partial(self._release, peer),
                on_lost=partial(self._forget, peer),
            )

        try:
            tls = self._tls_context(target.ca_certs) if tls_name else None
            async with time_limit(limit):
                loop = asyncio.get_running_loop()
                if target.tunnel is None:
                    _, connection = await loop.create_connection(
                        make, *target.address, ssl=tls, server_hostname=tls_name
                    )
                else:
                    sock = await open_tunnel(target.tunnel, target.address)
                    _, connection = await loop.create_connection(
                        make, sock=sock, ssl=tls, server_hostname=tls_name
                    )
        except TimeoutError:
            self.ended(attempt, Answer(None, error="connecting timed out"))
        except (OSError, UnicodeError) as error:  # the latter: a name that cannot be one
            self.ended(attempt, Answer(None, error=why_none(error, target)))
        else:
            if attempt in self._attempts:
                attempt.connection = connection
                connection.send(attempt, _ANY_REQUEST, attempt.request)
            else:
                connection.close()

    def _release(self, peer: str, connection: ClientConnection) -> None:
        idle = self._idle.get(peer)
        if idle is None:
            self._idle[peer] = [connection]
        else:
            idle.append(connection)

    def _forget(self, peer: str, connection: ClientConnection) -> None:
        """A connection has ended that often was taken out before."""
        idle = self._idle.get(peer, [])
        if connection in idle:
            idle.remove(connection)

    def trust(self, pem: str) -> None:
        """Trust these authorities, too, from the next connection on."""
        self._trusted = pem
        self._tls.clear()

    def _tls_context(self, ca_certs: str | None) -> ssl.SSLContext:
        """Trust what the system does, and what is given beside it."""
        context = self._tls.get(ca_certs)
        if context is None:
            context = ssl.create_default_context()
            if self._trusted:
                context.load_verify_locations(cadata=self._trusted)
            if ca_certs is not None:
                context.load_verify_locations(cadata=ca_certs)
            self._tls[ca_certs] = context
        return context

    def ended(self, attempt: _Attempt, answer: Answer) -> None:
        """Tell who waits for an attempt, once."""
        if attempt in self._attempts:
            self._attempts.discard(attempt)
            attempt.answered(answer)

    async def run(self) -> None:
        """End attempts past their deadline and connections long idle, until cancelled."""
        while True:
            await asyncio.sleep(self.limits.sweep_seconds)
            now = monotonic()
            for attempt in [each for each in self._attempts if each.deadline <= now]:
                attempt.give_up("timed out waiting for the answer", is_late=True)
            self._close_idle(now - self.limits.idle_seconds)

    def _close_idle(self, before: float) -> None:
        for peer, idle in list(self._idle.items()):
            for connection in [each for each in idle if each.idle_since() <= before]:
                idle.remove(connection)
                connection.close()
            if not idle:
                del self._idle[peer]

    async def close(self) -> None:
        """Drop every connection; attempts under way end without an answer."""
        attempts, self._attempts = self._attempts, set()
        for task in list(self._connecting):
            task.cancel()
        if self._connecting:
            await asyncio.wait(list(self._connecting))
        for attempt in attempts:
            if attempt.connection is not None:
                attempt.connection.reset()
        idle, self._idle = self._idle, {}
        for connection in [each for kept in idle.values() for each in kept]:
            connection.close()
