"""After an upgrade: two sockets spliced, with back-pressure and half close in both directions.

Takes the place of the HTTP protocols on both transports; the exchange counts as in flight until
both ends are closed.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from activator.exchange import Exchange


class TunnelEnd(asyncio.Protocol):
    """One of the two sockets; ``peer`` is the other."""

    __slots__ = ("_is_ended", "_tunnel", "is_closed", "peer", "transport")

    def __init__(self, tunnel: Tunnel, transport: asyncio.Transport) -> None:
        self._tunnel = tunnel
        self.transport = transport
        self.peer: TunnelEnd
        self.is_closed = False
        self._is_ended = False

    def data_received(self, data: bytes) -> None:
        if not self.peer.is_closed:
            self.peer.transport.write(data)
        self._tunnel.touched(self)

    def eof_received(self) -> bool:
        """This side has said all it wanted; the other may still speak."""
        self._is_ended = True
        peer = self.peer
        if peer.is_closed or peer._is_ended:
            return False
        peer.transport.write_eof()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_closed = True
        if not self.peer.is_closed:
            self.peer.transport.close()
        self._tunnel.end_closed()

    def pause_writing(self) -> None:
        if not self.peer.is_closed:
            self.peer.transport.pause_reading()

    def resume_writing(self) -> None:
        if not self.peer.is_closed:
            self.peer.transport.resume_reading()


class Tunnel:
    """A spliced pair."""

    __slots__ = ("_client", "_exchange", "_upstream", "has_answered")

    def __init__(
        self, exchange: Exchange, client: asyncio.Transport, upstream: asyncio.Transport
    ) -> None:
        self._exchange = exchange
        self._client = TunnelEnd(self, client)
        self._upstream = TunnelEnd(self, upstream)
        self._client.peer, self._upstream.peer = self._upstream, self._client
        self.has_answered = False  # whether the application has sent a byte since it agreed

    def start(self, *, from_client: bytes, from_upstream: bytes) -> None:
        """Splice; the bytes are what each side had sent before."""
        self._client.transport.set_protocol(self._client)
        self._upstream.transport.set_protocol(self._upstream)
        if from_upstream:
            self.has_answered = True
            self._client.transport.write(from_upstream)
        if from_client:
            self._upstream.transport.write(from_client)
        self._client.transport.resume_reading()
        self._upstream.transport.resume_reading()

    def touched(self, end: TunnelEnd) -> None:
        if end is self._upstream:
            self.has_answered = True
        exchange = self._exchange
        if exchange.idle_seconds:
            exchange.last_byte_at = exchange.gateway.clock()

    def end_closed(self) -> None:
        if self._client.is_closed and self._upstream.is_closed:
            self._exchange.tunnel_closed()
            self._exchange.client.tunnel_closed()

    def abort(self) -> None:
        self._client.transport.abort()
        self._upstream.transport.abort()
