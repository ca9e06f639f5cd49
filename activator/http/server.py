"""A server: listeners, the connections that they accept, and an orderly end."""

from __future__ import annotations

import asyncio
import contextlib
import select
import socket
import ssl
import time
from collections.abc import Callable

from activator.http.context import ServerContext
from activator.http.events import NewSession
from activator.http.h1.server import ServerConnection
from hearth.listening import BACKLOG, HANDSHAKE_SECONDS, bind, stop_new
from hearth.timeouts import time_limit

_ACCEPT_SECONDS = 2.0
"""How long a queue is emptied: where the kernel lets nobody stop it, more may come for ever."""
_FIRST_REQUEST_SECONDS = 0.5
"""What a client takes from connecting to its request, on a busy machine."""

Door = Callable[[asyncio.Protocol], asyncio.Protocol]
"""Makes the protocol of a connection out of one that speaks HTTP."""


class HttpServer:
    """Listens for one application, perhaps at several addresses."""

    def __init__(self, context: ServerContext) -> None:
        self._context = context
        self._servers: list[tuple[asyncio.Server, bool]] = []
        """And whether others have its socket open, too."""
        self._takes_requests = False

    async def listen(
        self,
        host: str,
        port: int,
        new_session: NewSession,
        *,
        tls: ssl.SSLContext | None = None,
        door: Door | None = None,
        held: socket.socket | None = None,
    ) -> tuple[str, int]:
        """Open a listener (port 0: a free one), with TLS by ``tls``; returns its address.

        The address may be taken again at once after a restart. A ``door`` sees what arrives first.
        ``held`` is a listening socket that others have open, too: it is used instead of an address,
        and what is in its queue is not lost with this process.
        """
        sock = held or bind(host, port)

        def connection() -> asyncio.Protocol:
            return ServerConnection(self._context, new_session)

        server = await asyncio.get_running_loop().create_server(
            connection if door is None else lambda: door(connection()),
            sock=sock,
            backlog=BACKLOG,
            ssl=tls,
        )
        self._servers.append((server, held is not None))
        self._takes_requests = True
        name = server.sockets[0].getsockname()
        return str(name[0]), int(name[1])

    @property
    def takes_requests(self) -> bool:
        """Whether requests may still come: by new connections, or those that are open."""
        return self._takes_requests

    def sockets(self) -> list[socket.socket]:
        """The listening sockets."""
        return [sock for server, _ in self._servers for sock in server.sockets]

    async def drain(self, seconds: float, *, delay_seconds: float = 0.0) -> int:
        """Accept no more and let responses under way end; returns how many connections were cut.

        In the delay before that every response says that it is the last of its connection, so that
        clients come back elsewhere instead of meeting a connection that ends. Who came last gets a
        moment to say what for.
        """
        context = self._context
        context.is_draining = True
        for connection in list(context.connections):
            connection.end_with_response()
        if delay_seconds:
            await asyncio.sleep(delay_seconds)
        await self._stop_listening()
        if delay_seconds:
            await self._emptied(_FIRST_REQUEST_SECONDS)
        self._takes_requests = False
        for connection in list(context.connections):
            connection.drain()
        await self._emptied(seconds)
        context.is_over = True
        cut = list(context.connections)
        for connection in cut:
            connection.abort()
        await context.empty()
        return len(cut)

    async def _emptied(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with time_limit(seconds):
                await self._context.empty()

    async def _stop_listening(self) -> None:
        """Accept what has come, and no more: closing a queue resets whom it holds.

        uvloop accepts one in a turn, and a loop that is late looks at its timers first.
        """
        servers, self._servers = self._servers, []
        own = [server for server, is_held in servers if not is_held]
        for server in own:
            for sock in server.sockets:
                stop_new(sock)
        if own:
            await asyncio.sleep(HANDSHAKE_SECONDS)
            await _taken_in([sock for server in own for sock in server.sockets])
        for server, _ in servers:
            server.close()


async def _taken_in(listeners: list[socket.socket]) -> None:
    """Returns once nobody waits to be accepted, and the last has been heard."""
    queues = select.poll()
    for sock in listeners:
        queues.register(sock.fileno(), select.POLLIN)
    until = time.monotonic() + _ACCEPT_SECONDS
    turns = 3
    while turns:
        turns = 3 if queues.poll(0) and time.monotonic() < until else turns - 1
        await asyncio.sleep(0)
