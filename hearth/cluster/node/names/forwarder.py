"""Listens where Services are and hands connections on to their endpoints.

A Service's ports are opened when its name is asked for, so those that nobody asks for cost nothing;
past a bound the one that was asked for longest ago, and has no connections, is closed again.
"""

from __future__ import annotations

import asyncio
import random
import socket
import struct
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import cast

from hearth.cluster.node.names.way import Address
from hearth.kube.meta import Key
from hearth.timeouts import time_limit

_BACKLOG = 1024
_CONNECT_SECONDS = 5.0
_TRIES = 3
MOST_SERVICES, MOST_CONNECTIONS, MOST_OF_ONE = 512, 8192, 2048
"""Services that are open; connections in all, and of one container."""

Listen = Callable[[Address], socket.socket]
"""Opens a listening socket; raises OSError."""
Destinations = Callable[[Key, int], Sequence[Address]]
"""Where a port of a Service leads at the moment."""


@dataclass(slots=True)
class _Service:
    address: str
    servers: dict[int, asyncio.Server] = field(default_factory=dict)
    connections: int = 0


class Forwarder:
    """The open ports of one bridge's Services."""

    def __init__(self, listen: Listen, destinations: Destinations) -> None:
        self._listen = listen
        self._destinations = destinations
        self._services: dict[Key, _Service] = {}  # the one asked for longest ago comes first
        self._clients: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()
        self._open: set[asyncio.Transport] = set()

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self._open)

    async def open(self, key: Key, address: str, ports: Sequence[int]) -> bool:
        """Has a Service's ports open, and no others of it; raises OSError where one cannot be.

        Returns whether another Service had to be closed for it.
        """
        service = self._services.pop(key, None)
        if service is not None and service.address != address:
            self._close(service)
            service = None
        service = self._services[key] = service or _Service(address)
        for port in service.servers.keys() - set(ports):
            service.servers.pop(port).close()
        for port in ports:
            if port not in service.servers:
                service.servers[port] = await self._serve(key, service, port)
        return len(self._services) > MOST_SERVICES and self._close_one()

    def forget(self, key: Key) -> None:
        """A Service is no more: nothing new comes by it."""
        service = self._services.pop(key, None)
        if service is not None:
            self._close(service)

    async def close(self) -> None:
        """Closes everything."""
        for key in list(self._services):
            self.forget(key)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for transport in list(self._open):
            transport.abort()

    def _close_one(self) -> bool:
        idle = (key for key, service in self._services.items() if not service.connections)
        key = next(idle, None)
        if key is not None:
            self.forget(key)
        return key is not None

    @staticmethod
    def _close(service: _Service) -> None:
        for server in service.servers.values():
            server.close()

    async def _serve(self, key: Key, service: _Service, port: int) -> asyncio.Server:
        sock = self._listen((service.address, port))
        loop = asyncio.get_running_loop()
        return await loop.create_server(
            lambda: _Near(self, key, service, port), sock=sock, backlog=_BACKLOG
        )

    # -- connections -----------------------------------------------------------------------

    def admit(self, near: _Near, client: str) -> bool:
        """Counts a connection, unless there are too many."""
        if len(self._open) >= MOST_CONNECTIONS or self._clients[client] >= MOST_OF_ONE:
            return False
        self._clients[client] += 1
        self._open.add(near.transport)
        near.service.connections += 1
        task = asyncio.get_running_loop().create_task(self._connect(near), name="names-forward")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True

    def gone(self, near: _Near, client: str) -> None:
        """An admitted connection has ended."""
        self._open.discard(near.transport)
        near.service.connections -= 1
        self._clients[client] -= 1
        if not self._clients[client]:
            del self._clients[client]

    async def _connect(self, near: _Near) -> None:
        """Joins it to an endpoint; where none takes it, it ends as one that nobody listens to."""
        places = list(self._destinations(near.key, near.port))
        for place in random.sample(places, min(_TRIES, len(places))):
            try:
                async with time_limit(_CONNECT_SECONDS):
                    await asyncio.get_running_loop().create_connection(lambda: _Half(near), *place)
                return
            except (OSError, TimeoutError):
                continue
        _reset(near.transport)


def _reset(transport: asyncio.Transport) -> None:
    """Ends a connection so that the other side takes it for an error, not for an end of data."""
    sock = transport.get_extra_info("socket")
    if sock is not None and not transport.is_closing():
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


class _Half(asyncio.Protocol):
    """One end: what comes here leaves at the other."""

    transport: asyncio.Transport

    def __init__(self, other: _Half | None = None) -> None:
        self.other = other
        self._early = b""  # what came before the other end was there; then nothing more is read
        self._is_ended = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports have the methods and not the base class.
        self.transport = cast(asyncio.Transport, transport)
        if self.other is not None:
            self.other.join(self)

    def join(self, other: _Half) -> None:
        """The other end is there."""
        self.other = other
        if self.transport.is_closing():
            other.transport.abort()
            return
        if self._early:
            other.transport.write(self._early)
            self._early = b""
            self.transport.resume_reading()
        if self._is_ended:
            other.transport.write_eof()

    def data_received(self, data: bytes) -> None:
        if self.other is not None:
            self.other.transport.write(data)
        else:
            self._early += data
            self.transport.pause_reading()

    def eof_received(self) -> bool:
        """One direction ends; the other one may go on."""
        self._is_ended = True
        if self.other is None:
            return True
        if self.other._is_ended:
            return False
        self.other.transport.write_eof()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        if self.other is not None:
            if exc is None:
                self.other.transport.close()
            else:
                _reset(self.other.transport)

    def pause_writing(self) -> None:
        if self.other is not None:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.other is not None and not self.other.transport.is_closing():
            self.other.transport.resume_reading()


class _Near(_Half):
    """The end of the container that has connected."""

    def __init__(self, forwarder: Forwarder, key: Key, service: _Service, port: int) -> None:
        super().__init__()
        self.key, self.service, self.port = key, service, port
        self._forwarder = forwarder
        self._client = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        client = str((transport.get_extra_info("peername") or ("",))[0])
        if self._forwarder.admit(self, client):
            self._client = client
        else:
            _reset(self.transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._client:
            self._forwarder.gone(self, self._client)
        super().connection_lost(exc)
