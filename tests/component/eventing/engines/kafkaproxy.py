"""Between clients and a server that speaks Kafka's protocol: takes back versions that it offers.

Tansu answers a Fetch for a topic that has gone with an id of zeros beside the leader and where that
is. librdkafka 2.16 does not survive that; Apache Kafka says the id that it was asked for. With a
Fetch of version 12 at most, topics have names, as with Kafka before 3.1.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import struct
from collections.abc import AsyncIterator

FETCH, API_VERSIONS = 1, 18
_MOST = {FETCH: 12}


@contextlib.asynccontextmanager
async def proxied(port: int, to: int, tls: ssl.SSLContext | None = None) -> AsyncIterator[None]:
    """Listen on a port, with TLS where there is a context, and send on to the server."""
    tasks: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(_serve(reader, writer, to))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(connected, "127.0.0.1", port, ssl=tls)
    try:
        yield
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(list(tasks))


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, to: int) -> None:
    asked: dict[int, int] = {}
    """By correlation: the version in which versions were asked for."""
    with contextlib.suppress(OSError, asyncio.IncompleteReadError):
        from_server, to_server = await asyncio.open_connection("127.0.0.1", to)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(_requests(reader, to_server, asked))
                group.create_task(_answers(from_server, writer, asked))
        except* (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            to_server.close()
            writer.close()


async def _frame(reader: asyncio.StreamReader) -> bytes:
    size = await reader.readexactly(4)
    return await reader.readexactly(int.from_bytes(size, "big"))


def _send(writer: asyncio.StreamWriter, frame: bytes) -> None:
    writer.write(len(frame).to_bytes(4, "big") + frame)


async def _requests(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, asked: dict[int, int]
) -> None:
    while True:
        frame = await _frame(reader)
        key, version, correlation = struct.unpack_from(">hhi", frame)
        if key == API_VERSIONS:
            asked[correlation] = version
        _send(writer, frame)


async def _answers(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, asked: dict[int, int]
) -> None:
    while True:
        frame = await _frame(reader)
        version = asked.pop(int.from_bytes(frame[:4], "big"), None)
        _send(writer, frame if version is None else _capped(frame, version))


def _capped(frame: bytes, version: int) -> bytes:
    """The answer with no version above those that are wanted."""
    made = bytearray(frame)
    at, step = (7, 7) if version >= 3 else (10, 6)
    count = frame[6] - 1 if version >= 3 else int.from_bytes(frame[6:10], "big")
    assert count < 127, "one octet says how many there are"
    for number in range(count):
        key, _, most = struct.unpack_from(">hhh", made, at + number * step)
        struct.pack_into(">h", made, at + number * step + 4, min(most, _MOST.get(key, most)))
    return bytes(made)
