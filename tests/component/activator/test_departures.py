"""Writing to real sockets at the end of a turn: all of it, a part of it, nobody there."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from activator.http.departures import descriptor_of, send_now

MORE_THAN_A_SOCKET_HOLDS = b"x" * (8 * 1024 * 1024)


@asynccontextmanager
async def connected() -> AsyncIterator[tuple[asyncio.Transport, socket.socket]]:
    """A transport, and the other end as a bare socket."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_connection(asyncio.Protocol, sock=ours)
    try:
        yield transport, theirs
    finally:
        transport.abort()
        theirs.close()


async def received(end: socket.socket, size: int) -> bytes:
    end.setblocking(False)
    data = bytearray()
    async with asyncio.timeout(60):
        while len(data) < size:
            data += await asyncio.get_running_loop().sock_recv(end, 1 << 20)
    return bytes(data)


async def test_a_small_message_is_with_the_other_end_at_once() -> None:
    async with connected() as (transport, end):
        send_now(transport, descriptor_of(transport), b"hello")
        assert end.recv(10) == b"hello"


async def test_what_the_socket_does_not_take_follows_in_order() -> None:
    async with connected() as (transport, end):
        descriptor = descriptor_of(transport)
        send_now(transport, descriptor, MORE_THAN_A_SOCKET_HOLDS)
        assert transport.get_write_buffer_size() > 0
        send_now(transport, descriptor, b"the end")
        whole = MORE_THAN_A_SOCKET_HOLDS + b"the end"
        assert await received(end, len(whole)) == whole


async def test_a_client_that_is_gone_is_the_transports_to_tell() -> None:
    lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    class Protocol(asyncio.Protocol):
        def connection_lost(self, exc: Exception | None) -> None:
            lost.set_result(None)

    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_connection(Protocol, sock=ours)
    theirs.close()
    send_now(transport, descriptor_of(transport), b"hello")
    async with asyncio.timeout(60):
        await lost
    assert transport.is_closing()


@pytest.mark.parametrize("name", ["ssl_object", "socket"])
async def test_what_has_tls_or_no_socket_goes_through_the_transport(name: str) -> None:
    class Transport(asyncio.BaseTransport):
        def get_extra_info(self, asked: str, default: object = None) -> object:
            return {"ssl_object": object(), "socket": None}[asked] if asked == name else socket

    assert descriptor_of(Transport()) == -1
