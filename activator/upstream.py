"""One connection to a pod. Thin: the response's rules are in ``relay``.

Belongs to an exchange while it carries a request, else to its pod's list of idle connections.
"""

from __future__ import annotations

import asyncio
import select
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from activator.pods import Pod
from activator.relay import BadResponse, ResponseRelay

if TYPE_CHECKING:
    from activator.exchange import Exchange

# A connection unused for longer is looked at before it is used again: its application may have
# closed it (uvicorn and Node do so after 5 s) without the loop having read of it yet.
FRESH_SECONDS = 0.2


class UpstreamConnection(asyncio.Protocol):
    __slots__ = ("_clock", "exchange", "idle_since", "is_open", "pod", "relay", "transport")

    def __init__(self, pod: Pod, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.pod = pod
        self.relay = ResponseRelay()
        self.exchange: Exchange | None = None
        self.transport: asyncio.Transport
        self.is_open = False
        self.idle_since = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports have the methods and not the base class.
        self.transport = cast(asyncio.Transport, transport)
        self.is_open = True
        self.idle_since = self._clock()

    def data_received(self, data: bytes) -> None:
        exchange = self.exchange
        if exchange is None:
            # An answer to nothing: whatever it is, it must not become the next request's answer.
            self.close()
            return
        relay = self.relay
        if exchange.is_special and not relay.head_seen:
            exchange.before_head(relay)
        try:
            out = relay.feed(data)
        except BadResponse:
            exchange.response_broken()
            return
        if out:
            exchange.client.transport.write(out)
        if exchange.idle_seconds:
            exchange.last_byte_at = self._clock()
        if relay.complete:
            exchange.response_done()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_open = False
        exchange = self.exchange
        if exchange is not None:
            exchange.upstream_lost(exc)
        elif self in self.pod.idle:
            self.pod.idle.remove(self)

    # Back-pressure: the pod reads slowly, so the client has to wait.

    def pause_writing(self) -> None:
        if self.exchange is not None:
            self.exchange.client.pause("upstream")

    def resume_writing(self) -> None:
        if self.exchange is not None:
            self.exchange.client.resume("upstream")

    def close(self) -> None:
        self.is_open = False
        self.transport.close()

    def abort(self) -> None:
        self.is_open = False
        self.transport.abort()

    def is_stale(self) -> bool:
        """The peer has closed, or said something unasked, and the loop has not read it yet."""
        descriptor = self.transport.get_extra_info("socket").fileno()
        if descriptor < 0:
            return True
        poll = select.poll()
        poll.register(descriptor, select.POLLIN | select.POLLRDHUP)
        return bool(poll.poll(0))


def take_idle(pod: Pod, now: float) -> UpstreamConnection | None:
    """The most recently used idle connection that is still good."""
    idle = pod.idle
    while idle:
        connection: UpstreamConnection = idle.pop()
        if connection.transport.is_closing():
            continue
        if now - connection.idle_since > FRESH_SECONDS and connection.is_stale():
            connection.close()
            continue
        return connection
    return None
