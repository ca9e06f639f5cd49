"""Connections to Services, on loopback: whole, bounded, and refused where nobody serves."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from hearth.cluster.node.names import forwarder as forwarding
from hearth.cluster.node.names.forwarder import Forwarder
from hearth.cluster.node.names.service import _bound
from tests.ports import free_port
from tests.waiting import until

HERE = "127.0.0.1"
WEB, OTHER = ("default", "web"), ("default", "other")


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while told := await reader.read(65536):
            writer.write(told)
            await writer.drain()
    writer.close()


@pytest.fixture
async def place() -> AsyncIterator[tuple[str, int]]:
    async with await asyncio.start_server(echo, HERE, 0) as server:
        yield HERE, server.sockets[0].getsockname()[1]


@contextlib.asynccontextmanager
async def forwarding_to(*places: tuple[str, int]) -> AsyncIterator[Forwarder]:
    made = Forwarder(_bound, lambda key, port: places)
    try:
        yield made
    finally:
        await made.close()


async def ask(port: int, text: bytes = b"hello") -> bytes:
    """What comes back once our direction has ended."""
    reader, writer = await asyncio.open_connection(HERE, port)
    try:
        writer.write(text)
        writer.write_eof()
        async with asyncio.timeout(60):
            return await reader.read()
    finally:
        writer.close()


async def test_all_octets_come_through_however_many(place: tuple[str, int]) -> None:
    port, much = free_port(), bytes(range(256)) * 40_000
    async with forwarding_to(place) as made:
        await made.open(WEB, HERE, [port])
        reader, writer = await asyncio.open_connection(HERE, port)
        writer.write(much)
        writer.write_eof()
        got = bytearray()
        while told := await reader.read(1000):  # slower than it is sent
            got += told
        assert bytes(got) == much
        writer.close()


async def test_an_endpoint_that_refuses_is_passed_over(place: tuple[str, int]) -> None:
    port = free_port()
    async with forwarding_to((HERE, free_port()), place) as made:
        await made.open(WEB, HERE, [port])
        assert [await ask(port) for _ in range(6)] == [b"hello"] * 6


async def test_without_endpoints_a_connection_is_reset() -> None:
    port = free_port()
    async with forwarding_to() as made:
        await made.open(WEB, HERE, [port])
        with pytest.raises(ConnectionResetError):
            await ask(port)


async def test_ports_follow_the_service(place: tuple[str, int]) -> None:
    first, second = free_port(), free_port()
    async with forwarding_to(place) as made:
        await made.open(WEB, HERE, [first])
        await made.open(WEB, HERE, [second])
        assert await ask(second) == b"hello"
        with pytest.raises(ConnectionRefusedError):
            await ask(first)
        made.forget(WEB)
        with pytest.raises(ConnectionRefusedError):
            await ask(second)


async def test_the_service_asked_for_longest_ago_makes_room(
    place: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forwarding, "MOST_SERVICES", 1)
    first, second = free_port(), free_port()
    async with forwarding_to(place) as made:
        assert not await made.open(WEB, HERE, [first])
        assert await made.open(OTHER, HERE, [second])
        assert await ask(second) == b"hello"
        with pytest.raises(ConnectionRefusedError):
            await ask(first)


async def test_one_client_gets_so_many_connections_and_no_more(
    place: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forwarding, "MOST_OF_ONE", 1)
    port = free_port()
    async with forwarding_to(place) as made:
        await made.open(WEB, HERE, [port])
        reader, writer = await asyncio.open_connection(HERE, port)
        writer.write(b"a")
        assert await reader.read(1) == b"a"
        with pytest.raises(ConnectionResetError):
            await ask(port)
        writer.close()
        await writer.wait_closed()
        await until(lambda: not made.connections)
        assert await ask(port) == b"hello"
