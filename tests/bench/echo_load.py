"""Sends messages through upgraded connections, one at a time each, and counts their echoes.

Usage: python -m tests.bench.echo_load PORT HOST CONNECTIONS SECONDS OCTETS. Messages have the form
of a masked WebSocket frame; what carries them looks into none.
"""

from __future__ import annotations

import asyncio
import os
import struct
import sys
from typing import cast

import uvloop


class Echoes(asyncio.Protocol):
    """One connection: a message at a time."""

    def __init__(self, message: bytes, host: str) -> None:
        self.message, self.host = message, host
        self.count = self.left = 0
        self.is_open = asyncio.Event()
        self.is_head = True
        self.head = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        lines = (
            "GET /ws HTTP/1.1",
            f"Host: {self.host}",
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        )
        self.transport.write("\r\n".join((*lines, "", "")).encode())

    def begin(self) -> None:
        self.left = len(self.message)
        self.transport.write(self.message)

    def data_received(self, data: bytes) -> None:
        if self.is_head:
            self.head += data
            if self.head.endswith(b"\r\n\r\n"):
                assert self.head.startswith(b"HTTP/1.1 101 "), self.head
                self.is_head = False
                self.is_open.set()
            return
        self.left -= len(data)
        if not self.left:
            self.count += 1
            self.left = len(self.message)
            self.transport.write(self.message)


def frame(size: int) -> bytes:
    """A masked binary frame with a payload of so many octets."""
    length = struct.pack(">B", 0x80 | size) if size < 126 else struct.pack(">BH", 0xFE, size)
    return b"\x82" + length + os.urandom(4 + size)


async def main(port: int, host: str, connections: int, seconds: float, size: int) -> None:
    loop = asyncio.get_running_loop()
    made = []
    for _ in range(connections):
        _, echoes = await loop.create_connection(
            lambda: Echoes(frame(size), host), "127.0.0.1", port
        )
        await echoes.is_open.wait()
        made.append(echoes)
    began = loop.time()
    for echoes in made:
        echoes.begin()
    await asyncio.sleep(seconds)
    took = loop.time() - began
    print(sum(echoes.count for echoes in made), took, flush=True)
    for echoes in made:
        echoes.transport.abort()


if __name__ == "__main__":
    port, host, connections, seconds, size = sys.argv[1:]
    uvloop.run(main(int(port), host, int(connections), float(seconds), int(size)))
