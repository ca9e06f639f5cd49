"""An activator of a cluster ends in order: whoever could connect is answered."""

from __future__ import annotations

import asyncio
import contextlib
import socket

import pytest

from activator.http.context import ServerContext
from activator.http.events import Handler, ServerStream
from activator.http.server import HttpServer
from activator.http.timers import Timers
from hearth.listening import bind
from tests.bench import activators
from tests.component.test_listening import needs_the_kernels_leave
from tests.waiting import until


async def test_every_connection_that_was_made_is_answered() -> None:
    """Also those that come to the last moment, and from load balancers that have not noticed."""
    needs_the_kernels_leave()
    answered, lost = 0, []
    async with activators.running(activators=1, pods=2, limit=50, work=5.0) as cluster:
        [(port, (process, _))] = cluster.activators.items()

        async def ask_until_refused() -> None:
            nonlocal answered
            while True:
                try:
                    reader, writer = await asyncio.open_connection("127.0.0.1", port)
                except OSError:
                    return
                writer.write(activators.REQUEST)
                try:
                    head = await reader.readuntil(b"\r\n\r\n")
                except (OSError, asyncio.IncompleteReadError) as error:
                    lost.append(repr(error))
                else:
                    answered += head.startswith(b"HTTP/1.1 200 ")
                finally:
                    writer.close()
                    with contextlib.suppress(OSError):
                        await writer.wait_closed()

        async with asyncio.TaskGroup() as group, asyncio.timeout(60):
            for _ in range(32):
                group.create_task(ask_until_refused())
            await until(lambda: answered > 50)
            process.terminate()
        assert await process.wait() == 0
    assert lost == []
    assert answered > 50


class Unasked:
    """An application that nobody asks for anything."""

    def request(self, stream: ServerStream) -> Handler:
        raise AssertionError(stream.head)


@pytest.mark.parametrize("turns", range(6))
async def test_who_is_accepted_in_the_last_moment_is_not_left_open(turns: int) -> None:
    """The loop tells of a connection some turns after it has accepted it."""
    with bind("127.0.0.1", 0) as held, contextlib.ExitStack() as stack:
        server = HttpServer(ServerContext(Timers()))
        address = await server.listen("127.0.0.1", 0, lambda peer: Unasked(), held=held.dup())
        clients = [stack.enter_context(socket.create_connection(address)) for _ in range(9)]
        for _ in range(turns):
            await asyncio.sleep(0)
        await server.drain(0)
        queued = {accepted.getpeername() for accepted in _queued(held, stack)}
        ended = [client for client in clients if client.getsockname() not in queued]
        assert bool(ended) == (turns > 0)
        for client in ended:
            client.setblocking(False)
            with contextlib.suppress(ConnectionResetError):
                async with asyncio.timeout(60):
                    assert await asyncio.get_running_loop().sock_recv(client, 1) == b""


def _queued(held: socket.socket, stack: contextlib.ExitStack) -> list[socket.socket]:
    """Connections that nobody has accepted."""
    held.setblocking(False)
    found: list[socket.socket] = []
    with contextlib.suppress(BlockingIOError):
        while True:
            found.append(stack.enter_context(held.accept()[0]))
    return found
