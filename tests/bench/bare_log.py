"""The least that a broker with a log could do, as a yardstick: append, sync, answer, forward.

No attributes are looked at beyond the required ones, there are no filters, cursors, retries,
replies, limits, journeys or metrics, and what it wrote it cannot read again.

Usage: bare_log.py LISTEN_PORT SINK_PORT   (writes seg.log into the working directory)
"""

from __future__ import annotations

import asyncio
import os
import struct
import sys
import time
import zlib
from collections import deque
from concurrent.futures import ThreadPoolExecutor

import httptools
import uvloop

CONNECTIONS = 16
_ACCEPTED = b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n"
_REFUSED = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n"


class Log:
    """Writes groups in one thread; what is written goes to whichever connection is idle."""

    def __init__(self) -> None:
        self._fd = os.open("seg.log", os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
        self._thread = ThreadPoolExecutor(1)
        self._pending: list[tuple[bytes, Producer, bytes]] = []
        self._is_writing = False
        self.ready: deque[bytes] = deque()
        self.idle: list[Forward] = []

    def append(self, record: bytes, producer: Producer, request: bytes) -> None:
        self._pending.append((record, producer, request))
        if not self._is_writing:
            self._is_writing = True
            self._task = asyncio.create_task(self._write())

    async def _write(self) -> None:
        loop = asyncio.get_running_loop()
        while self._pending:
            group, self._pending = self._pending, []
            await loop.run_in_executor(self._thread, self._commit, [each[0] for each in group])
            for _, producer, request in group:
                producer.transport.write(_ACCEPTED)
                self.ready.append(request)
            while self.ready and self.idle:
                self.idle.pop().send(self.ready.popleft())
        self._is_writing = False

    def _commit(self, records: list[bytes]) -> None:
        os.write(self._fd, b"".join(records))
        os.fdatasync(self._fd)


class Forward(asyncio.Protocol):
    """A connection to the sink."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._parser = httptools.HttpResponseParser(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._log.idle.append(self)

    def send(self, request: bytes) -> None:
        self._transport.write(request)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        if self._log.ready:
            self.send(self._log.ready.popleft())
        else:
            self._log.idle.append(self)


class Producer(asyncio.Protocol):
    """A connection from who sends events."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._parser = httptools.HttpRequestParser(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.WriteTransport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_begin(self) -> None:
        self._lines: list[bytes] = []
        self._seen: set[bytes] = set()
        self._body: list[bytes] = []

    def on_header(self, name: bytes, value: bytes) -> None:
        lowered = name.lower()
        if lowered[:3] == b"ce-" or lowered == b"content-type":
            self._seen.add(lowered)
            self._lines.append(lowered + b": " + value)

    def on_body(self, data: bytes) -> None:
        self._body.append(data)

    def on_message_complete(self) -> None:
        if not {b"ce-id", b"ce-source", b"ce-type", b"ce-specversion"} <= self._seen:
            self.transport.write(_REFUSED)
            return
        body, head = b"".join(self._body), b"\r\n".join(self._lines)
        record = struct.pack("<IIQ", len(head), len(body), time.time_ns()) + head + body
        record += struct.pack("<I", zlib.crc32(record))
        request = (
            b"POST / HTTP/1.1\r\nhost: sink\r\nprefer: reply\r\n%b\r\n"
            b"ce-knativearrivaltime: 2026-11-20T00:00:00Z\r\ncontent-length: %d\r\n\r\n%b"
        ) % (head, len(body), body)
        self._log.append(record, self, request)


async def main(listen: int, sink: int) -> None:
    loop, log = asyncio.get_running_loop(), Log()
    for _ in range(CONNECTIONS):
        await loop.create_connection(lambda: Forward(log), "127.0.0.1", sink)
    server = await loop.create_server(lambda: Producer(log), "127.0.0.1", listen)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), int(sys.argv[2])))
