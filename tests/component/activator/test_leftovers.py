"""A limit on requests at a time holds for those, too, that nobody waits for any more."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from activator.members import HAUNTED_SECONDS


class Worker:
    """An application that takes no notice of callers that go, and counts what it does."""

    def __init__(self, lab: Any) -> None:
        self._lab = lab
        self.now = self.most = self.begun = 0
        self.go_on = asyncio.Event()

    async def answer(self, _: Any) -> bytes:
        self.begun += 1
        self.now += 1
        self.most = max(self.most, self.now)
        await self.go_on.wait()
        self.now -= 1
        return bytes(self._lab.text("done"))


async def _asked(lab: Any, name: str, worker: Worker) -> Any:
    """A client whose request the application is working on."""
    begun = worker.begun
    client = await lab.connect()
    await client.send(lab.get_bytes(f"{name}.test"))
    await lab.until(lambda: worker.begun == begun + 1)
    return client


async def test_a_slot_is_kept_until_the_application_has_answered(lab: Any) -> None:
    worker = Worker(lab)
    backend = lab.revision("busy", await lab.app(worker.answer), container_concurrency=1)
    first = await _asked(lab, "busy", worker)
    first.writer.transport.abort()
    await lab.until(lambda: backend.stats.active == 0)
    second = await lab.connect()
    await second.send(lab.get_bytes("busy.test"))
    await lab.until(lambda: backend.throttler.waiting == 1)
    assert worker.begun == 1
    worker.go_on.set()
    assert (await second.response()).body == b"done"
    assert (worker.begun, worker.most) == (2, 1)


async def test_an_application_that_notices_has_its_slot_free_at_once(lab: Any) -> None:
    asked = asyncio.Event()

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked.set()
        assert await reader.read() == b""

    backend = lab.revision("keen", await lab.raw_app(handler), container_concurrency=1)
    client = await lab.connect()
    await client.send(lab.get_bytes("keen.test"))
    await asyncio.wait_for(asked.wait(), 60)
    [pod] = backend.throttler.pods.values()
    assert pod.in_flight == 1
    client.writer.transport.abort()
    await lab.until(lambda: pod.in_flight == 0)


async def test_one_that_goes_on_for_long_has_its_slot_free_after_a_while(lab: Any) -> None:
    worker = Worker(lab)
    app = await lab.app(worker.answer)
    backend = lab.revision("deaf", app, container_concurrency=1)
    first = await _asked(lab, "deaf", worker)
    first.writer.transport.abort()
    await lab.until(lambda: backend.stats.active == 0)
    await lab.pass_time(HAUNTED_SECONDS)
    await _asked(lab, "deaf", worker)
    assert worker.begun == 2


async def test_the_same_after_a_timeout(lab: Any) -> None:
    worker = Worker(lab)
    app = await lab.app(worker.answer)
    backend = lab.revision("slow", app, container_concurrency=1, timeout_seconds=0.1)
    response = await lab.get("slow.test")
    assert (response.status, response.error) == (504, "request-timeout")
    [pod] = backend.throttler.pods.values()
    assert pod.in_flight == 1
    worker.go_on.set()
    await lab.until(lambda: pod.in_flight == 0)


async def test_the_same_of_a_tunnel_that_is_cut(lab: Any) -> None:
    said = asyncio.Event()
    over = asyncio.Event()

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = "HTTP/1.1 101 Switching Protocols", "Connection: upgrade", "Upgrade: x", "", ""
        writer.write("\r\n".join(head).encode())
        assert await reader.read() == b""
        said.set()
        await over.wait()

    app = await lab.raw_app(handler)
    backend = lab.revision("tunnel", app, container_concurrency=1, timeout_seconds=0.1)
    client = await lab.connect()
    await client.send(lab.get_bytes("tunnel.test", "/", "Connection: upgrade", "Upgrade: x"))
    assert (await client.head()).status == 101
    assert await client.rest() == b""
    await asyncio.wait_for(said.wait(), 60)
    [pod] = backend.throttler.pods.values()
    assert (backend.stats.active, pod.in_flight) == (0, 1)
    over.set()
    await lab.until(lambda: pod.in_flight == 0)


@pytest.mark.parametrize("size", [0, 20_000_000])
async def test_what_is_still_said_is_read_and_forgotten(lab: Any, size: int) -> None:
    """A response that nobody gets may be long; the connection is not used again."""
    connections = list[int]()
    go_on = asyncio.Event()

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(0)
        while await reader.readuntil(b"\r\n\r\n"):
            head = f"HTTP/1.1 200 OK\r\nContent-Length: {size + 1}\r\n\r\nx"
            writer.write(head.encode())
            await go_on.wait()
            writer.write(b"x" * size)
            await writer.drain()

    backend = lab.revision("long", await lab.raw_app(handler), container_concurrency=1)
    client = await lab.connect()
    await client.send(lab.get_bytes("long.test"))
    [pod] = backend.throttler.pods.values()
    if size:
        await client.head()
        client.writer.transport.abort()
        await lab.until(lambda: backend.stats.active == 0)
        assert pod.in_flight == 1
    go_on.set()
    await lab.until(lambda: pod.in_flight == 0)
    assert len((await lab.get("long.test")).body) == size + 1
    assert len(connections) == (2 if size else 1)
