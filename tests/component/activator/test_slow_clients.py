"""Clients that send or read slowly hold no slot at an application, within bounds."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from activator.dataplane import Limits
from activator.gateway import GatewayLimits
from activator.http.context import ServerLimits

POST = b"POST /slow HTTP/1.1\r\nHost: hello.test\r\n"
BEGUN = POST + b"Content-Length: 10\r\n\r\n12345"


async def test_a_short_body_is_here_before_its_request_takes_a_slot(lab: Any) -> None:
    app = await lab.app()
    backend = lab.revision("hello", app, container_concurrency=1)
    slow = await lab.connect()
    await slow.send(BEGUN)
    await lab.until(lambda: backend.stats.active == 1)
    for _ in range(3):
        assert (await lab.get("hello.test", "/other")).body == b"hello"
    await slow.send(b"67")
    await slow.send(b"890")
    assert (await slow.response()).body == b"hello"
    assert (await slow.get("hello.test", "/next")).body == b"hello"
    seen = [(request.target, request.body) for request in app.requests]
    assert seen == [("/other", b"")] * 3 + [("/slow", b"1234567890"), ("/next", b"")]
    assert (backend.stats.active, lab.gateway.awaited_octets) == (0, 0)


@pytest.mark.parametrize(
    ("limit", "begun"),
    [
        pytest.param(0, BEGUN, id="no-limit"),
        pytest.param(1, POST + b"Content-Length: 70000\r\n\r\n12345", id="long"),
        pytest.param(1, POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n", id="unknown"),
        pytest.param(1, POST + b"Content-Length: 10\r\nExpect: 100-continue\r\n\r\n", id="expect"),
    ],
)
async def test_others_are_sent_on_as_they_come(lab: Any, limit: int, begun: bytes) -> None:
    heads: list[bytes] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        await reader.read()

    lab.revision("hello", await lab.raw_app(handler), container_concurrency=limit)
    client = await lab.connect()
    await client.send(begun)
    await lab.until(lambda: heads)
    assert heads[0].startswith(b"POST /slow ")


async def test_a_body_that_does_not_come_in_time_is_the_clients_fault(lab: Any) -> None:
    app = await lab.app()
    backend = lab.revision("hello", app, container_concurrency=1, timeout_seconds=0.1)
    client = await lab.connect()
    await client.send(BEGUN)
    response = await client.response()
    assert (response.status, response.error) == (408, "body-timeout")
    assert response.header("connection") == "close"
    assert await client.rest() == b""
    assert app.requests == []
    assert (backend.stats.active, lab.gateway.awaited_octets) == (0, 0)


async def test_a_client_that_goes_leaves_nothing(lab: Any) -> None:
    app = await lab.app()
    backend = lab.revision("hello", app, container_concurrency=1)
    client = await lab.connect()
    await client.send(BEGUN)
    await lab.until(lambda: lab.gateway.awaited_octets == 5)
    client.writer.transport.abort()
    await lab.until(lambda: backend.stats.active == 0)
    assert lab.gateway.awaited_octets == 0
    assert (await lab.get("hello.test")).body == b"hello"
    assert len(app.requests) == 1


async def test_all_that_is_awaited_has_a_bound(running_lab: Any) -> None:
    limits = Limits(gateway=GatewayLimits(awaited_octets=8))
    async with running_lab(limits) as lab:
        app = await lab.app()
        lab.revision("hello", app, container_concurrency=2)
        first, second = await lab.connect(), await lab.connect()
        await first.send(BEGUN)
        await lab.until(lambda: lab.gateway.awaited_octets == 5)
        # That is too much: this one goes on, as if its application had no limit.
        await second.send(BEGUN)
        await lab.until(lambda: app.connections == 1)
        assert lab.gateway.awaited_octets == 5
        for client in (second, first):
            await client.send(b"67890")
            assert (await client.response()).body == b"hello"
        assert [request.body for request in app.requests] == [b"1234567890"] * 2
        assert lab.gateway.awaited_octets == 0


async def test_a_pod_is_woken_while_the_body_comes(running_lab: Any) -> None:
    woken: list[Any] = []

    class Waker:
        def wake(self, backend: Any) -> None:
            woken.append(backend)

    async with running_lab(wakers=[Waker()]) as lab:
        backend = lab.revision("hello", container_concurrency=1)
        client = await lab.connect()
        await client.send(BEGUN)
        await lab.until(lambda: woken)
        app = await lab.app()
        lab.endpoints(backend, {app.port: lab.State.READY})
        await client.send(b"67890")
        assert (await client.response()).body == b"hello"
        assert app.requests[0].body == b"1234567890"


SIZE = 900_000


async def slow_reader(lab: Any) -> tuple[Any, Any, Any]:
    """A client that reads nothing, and an application with one slot that answers it."""
    lab.plane.server.sockets()[0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    app = await lab.app(lambda request: lab.text(bytes(SIZE) if request.target == "/" else "next"))
    backend = lab.revision("hello", app, container_concurrency=1)
    client = await lab.connect(receive_buffer=4096)
    await client.send(lab.get_bytes("hello.test"))
    return client, backend, app


async def test_a_response_that_is_read_slowly_is_kept_and_its_slot_free(lab: Any) -> None:
    client, backend, app = await slow_reader(lab)
    await lab.until(lambda: app.requests and backend.stats.active == 0)
    assert lab.plane.clients.slow_clients == 1
    assert (await lab.get("hello.test", "/next")).body == b"next"
    assert len((await client.response()).body) == SIZE
    await lab.until(lambda: lab.plane.clients.slow_clients == 0)
    assert (await client.get("hello.test", "/next")).body == b"next"


async def test_a_slow_client_that_goes_makes_room_for_others(lab: Any) -> None:
    client, backend, app = await slow_reader(lab)
    await lab.until(lambda: app.requests and backend.stats.active == 0)
    client.writer.transport.abort()
    await lab.until(lambda: lab.clients == [])
    assert lab.plane.clients.slow_clients == 0


@pytest.mark.parametrize(
    "bounds", [ServerLimits(slow_clients=0), ServerLimits(slow_octets=300_000)]
)
async def test_what_is_kept_has_a_bound(running_lab: Any, bounds: ServerLimits) -> None:
    async with running_lab(Limits(server=bounds)) as lab:
        client, backend, _ = await slow_reader(lab)
        await lab.until(lambda: [each for each in lab.clients if each.is_blocked])
        assert backend.stats.active == 1
        assert len((await client.response()).body) == SIZE
        await lab.until(lambda: backend.stats.active == 0)
        assert lab.plane.clients.slow_clients == 0
