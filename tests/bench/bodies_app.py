"""An application of bodies: GET /N answers N octets, anything sent is read to its end and counted.

Answers an upgrade with an echo of the bytes behind it. Prints its port.
"""

from __future__ import annotations

import asyncio
import re
from functools import cache
from typing import cast

import uvloop

_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked", re.IGNORECASE)
_SWITCH = (
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Accept: x\r\n\r\n"
)
PIECE = bytes(256 * 1024)


@cache
def head(size: int) -> bytes:
    return (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\n"
        b"Date: Thu, 01 Jan 2026 00:00:00 GMT\r\n\r\n" % size
    )


@cache
def small(size: int) -> bytes:
    return head(size) + bytes(size)


class Answer(asyncio.Protocol):
    """One connection, without pipelining."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.head = b""
        self.left = 0
        self.is_chunked = self.is_echo = False
        self.to_send = 0
        self.is_full = False
        self.answer = b""

    def data_received(self, data: bytes) -> None:
        if self.is_echo:
            self.transport.write(data)
        elif self.is_chunked:
            self.head = (self.head + data)[-7:] if len(data) < 7 else data[-7:]
            if self.head.endswith(b"\r\n0\r\n\r\n"):
                self.finish()
        elif self.left:
            self.left -= len(data)
            if not self.left:
                self.finish()
        else:
            self.read_head(data)

    def read_head(self, data: bytes) -> None:
        found, end, rest = (self.head + data).partition(b"\r\n\r\n")
        self.head = b"" if end else found
        if not end:
            return
        method, target, _ = found.split(b" ", 2)
        if b"\nupgrade:" in found.lower():
            self.is_echo = True
            self.transport.write(_SWITCH)
            return
        self.to_send = int(target[1:]) if method == b"GET" and target[1:].isdigit() else 0
        length = _LENGTH.search(found)
        self.is_chunked = _CHUNKED.search(found) is not None
        if self.is_chunked:
            self.data_received(rest)
            return
        self.left = (int(length[1]) if length else 0) - len(rest)
        if not self.left:
            self.finish()

    def finish(self) -> None:
        self.is_chunked, self.head = False, b""
        if self.to_send <= 4 * len(PIECE):
            self.transport.write(small(self.to_send))
            return
        self.transport.write(head(self.to_send))
        self.send()

    def send(self) -> None:
        while self.to_send and not self.is_full:
            size = min(self.to_send, len(PIECE))
            self.to_send -= size
            self.transport.write(PIECE[:size])

    def pause_writing(self) -> None:
        self.is_full = True

    def resume_writing(self) -> None:
        self.is_full = False
        if self.to_send > 4 * len(PIECE) or self.to_send:
            self.send()


async def main() -> None:
    server = await asyncio.get_running_loop().create_server(Answer, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
