"""CONNECT on the in-cluster listener: the way to in-cluster names for who speaks TLS.

A machine has no resolver for in-cluster names, and TLS may not end on the way: a pod's
``https_proxy`` is asked for a tunnel to ``NAME.NAMESPACE.svc:443`` and the bytes go to an endpoint
of that Service, unseen. Other hosts are reached as they are, as with ``http_proxy``. Not for
clusters, where pods have a resolver.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from http import HTTPStatus
from typing import cast

from activator import failures
from activator.forwarding import PROXY_AUTHORIZATION, asking_namespace
from activator.http import refusals
from activator.http.events import Refusal
from activator.pods import Address
from activator.routes import is_cluster_local, is_host, near_host, service_host
from hearth.timeouts import time_limit

_METHOD = b"CONNECT "
_END = b"\r\n\r\n"
_LINE = re.compile(rb"CONNECT ([!-~]+) HTTP/1\.[01]")
# No line about framing: what follows the head belongs to the tunnel (RFC 9110, section 9.3.6), and
# somebody before us may have read it as a body.
_FIELD = re.compile(
    rb"(?!(?:content[-_]length|transfer[-_]encoding):)[!#$%&'*+\-.^_`|~0-9a-z]+:[\t -~\x80-\xff]*",
    re.IGNORECASE,
)
_MOST_OCTETS = 8 * 1024
_SECONDS = 10.0
"""For the head of a request, and then for the connection to where it leads."""
_ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"

Way = Address | Refusal
AddressOf = Callable[[str, str, int], Way]
"""Of a port of a Service, by namespace and name."""


def way_to(
    authority: bytes, address_of: AddressOf, *, cluster_domain: bytes, namespace: str = ""
) -> Way:
    """Return where a tunnel leads, or why there is none; ``namespace`` is where one looks from."""
    name, _, digits = authority.rpartition(b":")
    if not is_host(authority) or not name or not digits.isdigit() or int(digits) > 65535:
        return refusals.BAD_REQUEST
    port, named = int(digits), service_host(name, cluster_domain) or near_host(name, namespace)
    way = address_of(*named, port) if named is not None else failures.UNKNOWN_HOST
    if way is not failures.UNKNOWN_HOST or is_cluster_local(name, cluster_domain):
        return way
    return name.strip(b"[]").decode("ascii"), port


class Tunnels:
    """The tunnels of one listener."""

    def __init__(
        self,
        way: Callable[[bytes, str], Way],
        *,
        refused: Callable[[Refusal], object] = lambda refusal: None,
    ) -> None:
        """``way`` says where an authority leads, from a namespace (or nowhere that is known).

        ``refused`` is told why there is no tunnel.
        """
        self._way = way
        self._refused = refused
        self._open: set[asyncio.BaseTransport] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def door(self, http: asyncio.Protocol) -> asyncio.Protocol:
        """Return the protocol of a new connection, which is ``http`` unless a tunnel is wanted."""
        return _Door(self, http)

    def dig(self, client: asyncio.Transport, sent: bytes) -> None:
        """Serve a connection that has begun with CONNECT; what it sends is read until it ends."""
        entrance = _Entrance(self, client)
        self._open.add(client)
        client.set_protocol(entrance)
        entrance.data_received(sent)

    def connect(self, entrance: _Entrance, target: bytes, namespace: str, rest: bytes) -> None:
        """Open the other half."""
        task = asyncio.get_running_loop().create_task(
            self._connected(entrance, target, namespace, rest), name="tunnel"
        )
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connected(
        self, entrance: _Entrance, target: bytes, namespace: str, rest: bytes
    ) -> None:
        way = self._way(target, namespace)
        if isinstance(way, Refusal):
            self.refuse(entrance.client, way)
            return
        far = _Half()
        try:
            async with time_limit(_SECONDS):
                await asyncio.get_running_loop().create_connection(lambda: far, *way)
        except (OSError, TimeoutError, UnicodeError):
            self.refuse(entrance.client, failures.CONNECT_FAILED)
            return
        client, near = entrance.client, _Half()
        if client.is_closing():
            far.transport.close()
            return
        near.transport, near.other, far.other = client, far, near
        self._open.add(far.transport)
        near.lost = far.lost = self._open.discard
        client.write(_ESTABLISHED)
        if rest:
            far.transport.write(rest)
        client.set_protocol(near)
        client.resume_reading()

    def refuse(self, client: asyncio.Transport, refusal: Refusal) -> None:
        """Say why there is no tunnel, and close."""
        self._refused(refusal)
        text, phrase = refusal.text.encode(), HTTPStatus(refusal.status).phrase.encode()
        client.write(
            b"HTTP/1.1 %d %b\r\nx-hearth-error: %b\r\ncontent-type: text/plain; charset=utf-8\r\n"
            b"content-length: %d\r\nconnection: close\r\n\r\n%b"
            % (refusal.status, phrase, refusal.reason.encode(), len(text), text)
        )
        client.close()
        self._open.discard(client)

    def ended(self, client: asyncio.BaseTransport) -> None:
        """A client went before its tunnel was there."""
        self._open.discard(client)

    async def close(self) -> None:
        """Cut what is left."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for transport in list(self._open):
            transport.close()


class _Door(asyncio.Protocol):
    """Decides by its first bytes what a connection is for."""

    def __init__(self, tunnels: Tunnels, http: asyncio.Protocol) -> None:
        self._tunnels = tunnels
        self._http = http
        self._sent = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports have the methods and not the base class.
        self._transport = cast(asyncio.Transport, transport)
        self._http.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        self._sent += data
        if self._sent.startswith(_METHOD):
            self._http.connection_lost(None)
            self._tunnels.dig(self._transport, self._sent)
        elif not _METHOD.startswith(self._sent):
            self._transport.set_protocol(self._http)
            self._http.data_received(self._sent)

    def eof_received(self) -> bool | None:
        if self._sent:
            self._http.data_received(self._sent)
        return self._http.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._http.connection_lost(exc)

    def pause_writing(self) -> None:
        self._http.pause_writing()

    def resume_writing(self) -> None:
        self._http.resume_writing()


class _Entrance(asyncio.Protocol):
    """Reads the head of a CONNECT request, in a bounded time."""

    def __init__(self, tunnels: Tunnels, client: asyncio.Transport) -> None:
        self.client = client
        self._tunnels = tunnels
        self._head = b""
        self._late = asyncio.get_running_loop().call_later(_SECONDS, self._is_late)

    def data_received(self, data: bytes) -> None:
        self._head += data
        head, end, rest = self._head.partition(_END)
        if len(head) > _MOST_OCTETS:
            self._late.cancel()
            self._tunnels.refuse(self.client, refusals.BAD_REQUEST)
        elif end:
            self._late.cancel()
            self.client.pause_reading()
            opening, *lines = head.split(b"\r\n")
            found = _LINE.fullmatch(opening)
            is_good = found is not None and all(map(_FIELD.fullmatch, lines))
            target = found[1] if found is not None and is_good else b""
            self._tunnels.connect(self, target, _namespace_in(lines), rest)

    def connection_lost(self, exc: Exception | None) -> None:
        self._late.cancel()
        self._tunnels.ended(self.client)

    def _is_late(self) -> None:
        self._tunnels.refuse(self.client, refusals.HEAD_TIMEOUT)


def _namespace_in(lines: list[bytes]) -> str:
    for line in lines:
        name, _, value = line.partition(b":")
        if name.lower() == PROXY_AUTHORIZATION:
            return asking_namespace(value.strip())
    return ""


class _Half(asyncio.Protocol):
    """One end of a tunnel: what comes here leaves at the other."""

    transport: asyncio.Transport
    other: _Half | None = None
    _is_ended = False
    lost: Callable[[asyncio.BaseTransport], object] = staticmethod(lambda transport: None)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self.other is not None:
            self.other.transport.write(data)

    def eof_received(self) -> bool:
        """One direction ends; the other one may go on."""
        self._is_ended = True
        if self.other is None or self.other._is_ended:
            return False
        self.other.transport.write_eof()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost(self.transport)
        if self.other is not None and not self.other.transport.is_closing():
            self.other.transport.close()

    def pause_writing(self) -> None:
        if self.other is not None:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.other is not None:
            self.other.transport.resume_reading()
