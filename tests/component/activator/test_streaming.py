"""Bodies flow as fast as the slower side reads, and no faster."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from activator.dataplane import Limits
from activator.http.context import ServerLimits
from tests.component.activator import http2

# What sockets and transports of both hops may hold; far below what is sent.
HELD = 24 * 1024 * 1024
WHOLE = 96 * 1024 * 1024
PIECE = bytes(64 * 1024)


async def test_a_slow_client_slows_the_application_down(lab: Any) -> None:
    written = 0
    finished = asyncio.Event()

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal written
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % WHOLE)
        while written < WHOLE:
            writer.write(PIECE)
            await writer.drain()
            written += len(PIECE)
        finished.set()

    lab.revision("big", await lab.raw_app(handler))
    client = await lab.connect()
    client.reader._limit = 2**16
    await client.send(lab.get_bytes("big.test"))
    await client.head()
    await _until_still(lambda: written)
    assert 0 < written < HELD
    received = 0
    while received < WHOLE:
        received += len(await client.reader.read(2**20))
    await asyncio.wait_for(finished.wait(), 60)
    assert received == WHOLE


async def test_a_connection_held_back_for_one_client_serves_the_next(running_lab: Any) -> None:
    """The last piece of a response may be what fills the client's buffer (64 KiB)."""
    async with running_lab(Limits(server=ServerLimits(slow_clients=0))) as lab:
        await _hold_back(lab)


async def _hold_back(lab: Any) -> None:
    lab.plane.server.sockets()[0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    first, last = 60_000, 40_000
    first_is_through = asyncio.Event()

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (first + last))
            writer.write(bytes(first))
            await first_is_through.wait()
            writer.write(bytes(last))

    app = await lab.raw_app(handler)
    backend = lab.revision("big", app)
    slow = await lab.connect(receive_buffer=4096)
    await slow.send(lab.get_bytes("big.test"))
    await lab.until(lambda: len(lab.clients) == 1)
    [connection] = lab.clients
    await lab.until(lambda: connection.transport.get_write_buffer_size() > 30_000)
    first_is_through.set()
    await lab.until(lambda: backend.stats.active == 0)
    assert connection.is_blocked
    assert len((await lab.get("big.test")).body) == first + last
    assert app.connections == 1
    assert len((await slow.response()).body) == first + last


async def test_a_slow_application_slows_the_client_down(lab: Any) -> None:
    go_on = asyncio.Event()

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await go_on.wait()
        got = 0
        while got < WHOLE:
            got += len(await reader.read(2**20))
        writer.write(lab.text(str(got)))
        await writer.drain()

    lab.revision("slow", await lab.raw_app(handler))
    client = await lab.connect()
    sent = 0

    async def send() -> None:
        nonlocal sent
        head = b"POST / HTTP/1.1\r\nHost: slow.test\r\nContent-Length: %d\r\n\r\n" % WHOLE
        await client.send(head)
        while sent < WHOLE:
            await client.send(PIECE)
            sent += len(PIECE)

    sending = asyncio.create_task(send())
    await _until_still(lambda: sent)
    assert 0 < sent < HELD
    go_on.set()
    assert (await client.response()).body == str(WHOLE).encode()
    await sending


async def test_pieces_arrive_as_they_are_sent(lab: Any) -> None:
    """Server-sent events: nothing is held back until the end."""
    more = asyncio.Event()

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for number in range(5):
            writer.write(b"3\r\n=%d=\r\n" % number)
            await writer.drain()
            await more.wait()
            more.clear()
        writer.write(b"0\r\n\r\n")
        await writer.drain()

    lab.revision("events", await lab.raw_app(handler))
    client = await lab.connect()
    await client.send(lab.get_bytes("events.test"))
    await client.head()
    for number in range(5):
        piece = await asyncio.wait_for(client.reader.readexactly(8), 60)
        assert piece == b"3\r\n=%d=\r\n" % number
        more.set()
    assert await asyncio.wait_for(client.reader.readexactly(5), 60) == b"0\r\n\r\n"


EVENTS = [f"id: {number}\\ndata: {'x' * number}\\n\\n".encode() for number in range(1, 6)]


async def _told(lab: Any, framing: bytes) -> asyncio.Event:
    """An application that tells events, the next one when it is asked to."""
    more = asyncio.Event()

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n" + framing + b"\r\n")
        for event in EVENTS:
            writer.write(b"%x\r\n%b\r\n" % (len(event), event) if framing else event)
            await writer.drain()
            await more.wait()
            more.clear()
        writer.write(b"0\r\n\r\n" if framing else b"")
        await writer.drain()

    lab.revision("events", await lab.raw_app(handler))
    return more


@pytest.mark.parametrize("framing", [b"Transfer-Encoding: chunked\r\n", b""], ids=["chunks", "end"])
@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
async def test_server_sent_events_are_never_held_back(
    lab: Any, framing: bytes, version: bytes
) -> None:
    more = await _told(lab, framing)
    client = await lab.connect()
    await client.send(b"GET / HTTP/%b\r\nHost: events.test\r\n\r\n" % version)
    await client.head()
    is_chunked = version == b"1.1"
    for event in EVENTS:
        wire = b"%x\r\n%b\r\n" % (len(event), event) if is_chunked else event
        assert await asyncio.wait_for(client.reader.readexactly(len(wire)), 60) == wire
        more.set()
    if is_chunked:
        assert await asyncio.wait_for(client.reader.readexactly(5), 60) == b"0\r\n\r\n"
    else:
        assert await client.rest() == b""


@pytest.mark.parametrize("framing", [b"Transfer-Encoding: chunked\r\n", b""], ids=["chunks", "end"])
async def test_nor_are_they_over_http2(lab: Any, framing: bytes) -> None:
    more = await _told(lab, framing)
    client = await http2.connect(lab)
    answer = client.ask("events.test")
    so_far = b""
    for event in EVENTS:
        so_far += event
        wanted = len(so_far)
        await answer.until(lambda got, wanted=wanted: len(got.body) >= wanted)  # type: ignore[misc]
        assert answer.body == so_far
        more.set()
    await answer.done()
    assert answer.ended


async def test_full_duplex(lab: Any) -> None:
    """The application answers while the request still arrives."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            size = int(await reader.readline(), 16)
            data = await reader.readexactly(size + 2)
            writer.write(b"%x\r\n%b" % (size, data))
            if not size:
                break
        await writer.drain()

    lab.revision("duplex", await lab.raw_app(handler))
    client = await lab.connect()
    await client.send(b"POST / HTTP/1.1\r\nHost: duplex.test\r\nTransfer-Encoding: chunked\r\n\r\n")
    await client.head()
    for word in (b"one", b"three"):
        chunk = b"%x\r\n%b\r\n" % (len(word), word)
        await client.send(chunk)
        assert await asyncio.wait_for(client.reader.readexactly(len(chunk)), 60) == chunk
    await client.send(b"0\r\n\r\n")
    assert await asyncio.wait_for(client.reader.readexactly(5), 60) == b"0\r\n\r\n"


async def _until_still(count: Any) -> None:
    """Until a counter has moved and then stands still: the sender is held back."""
    async with asyncio.timeout(60):
        last, same = -1, 0
        while same < 10:
            await asyncio.sleep(0.02)  # that nothing comes cannot be waited for
            same = same + 1 if count() == last and last > 0 else 0
            last = count()
