"""Clients of commands, attachments and forwarded ports, as tests need them."""

from __future__ import annotations

import asyncio
import struct
from dataclasses import dataclass, field

from aiohttp import ClientWebSocketResponse as WebSocket

from hearth.cluster.node.runtime.api import STDERR, STDOUT, Size
from hearth.cluster.node.streaming.headers import Packer


@dataclass(slots=True)
class Client:
    """Its input is given in advance and by ``say``; it keeps what it is sent."""

    is_terminal: bool = False
    has_stdin: bool = True
    outputs: frozenset[int] = frozenset({STDOUT, STDERR})
    said: asyncio.Queue[bytes] = field(default_factory=asyncio.Queue)
    sizes: asyncio.Queue[Size] = field(default_factory=asyncio.Queue)
    sent: dict[int, bytes] = field(default_factory=dict)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    has_ended: bool = False

    def say(self, *pieces: bytes) -> Client:
        """More input; an empty piece ends it."""
        for piece in pieces:
            self.said.put_nowait(piece)
        return self

    async def read(self) -> bytes:
        if self.has_ended:
            return b""
        data = await self.said.get()
        self.has_ended = not data
        return data

    async def write(self, data: bytes, stream: int = STDOUT) -> None:
        if data and stream in self.outputs:
            async with self.changed:
                self.sent[stream] = self.sent.get(stream, b"") + data
                self.changed.notify_all()

    async def resized(self) -> Size:
        return await self.sizes.get()

    async def until(self, text: bytes, stream: int = STDOUT) -> None:
        """Waits until it was sent something."""
        async with asyncio.timeout(60), self.changed:
            await self.changed.wait_for(lambda: text in self.sent.get(stream, b""))


class SpdyClient:
    """A client's half of SPDY/3.1, as far as the tests speak it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.reset: set[int] = set()
        self._packer = Packer()
        self._next = 1
        self._told: dict[int, bytes] = {}
        self._ended: set[int] = set()
        self._replied: set[int] = set()
        self._buffer = b""
        self._outer: WebSocket | None = None

    @classmethod
    def inside(cls, opened: WebSocket) -> SpdyClient:
        """A connection inside of the messages of a WebSocket."""
        made = cls(None, None)  # type: ignore[arg-type]
        made._outer = opened
        return made

    async def upgrade(self, path: str, host: str, token: str, version: str) -> SpdyClient:
        """Asks for it and reads the answer."""
        fields = {"Host": host, "Authorization": f"Bearer {token}", "Content-Length": "0"}
        fields |= {"Connection": "Upgrade", "Upgrade": "SPDY/3.1"}
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        head += f"X-Stream-Protocol-Version: v9.x\r\nX-Stream-Protocol-Version: {version}\r\n"
        self.writer.write(f"POST {path} HTTP/1.1\r\n{head}\r\n".encode())
        answer = (await self.reader.readuntil(b"\r\n\r\n")).decode().lower()
        assert answer.startswith("http/1.1 101 "), answer
        assert f"x-stream-protocol-version: {version}\r\n" in answer
        return self

    async def open(self, **fields: str) -> int:
        """Opens a stream and waits for the reply."""
        number, self._next = self._next, self._next + 2
        body = struct.pack(">IIBB", number, 0, 0, 0) + self._packer.write(fields)
        await self._write(struct.pack(">HHI", 0x8003, 1, len(body)) + body)
        while number not in self._replied:
            if number in self.reset or not await self._read():
                raise ConnectionResetError(f"stream {number} was refused")
        self._told[number] = b""
        return number

    async def send(self, stream: int, data: bytes, *, is_last: bool = False) -> None:
        """Sends on a stream."""
        await self._write(struct.pack(">II", stream, is_last << 24 | len(data)) + data)

    async def until_gone(self) -> dict[int, bytes]:
        """What came by stream, once the server says that it goes."""
        async with asyncio.timeout(30):
            while await self._read():
                pass
        return self._told

    async def until_ended(self, *streams: int) -> dict[int, bytes]:
        """What came by stream, once these have ended."""
        async with asyncio.timeout(30):
            while not self._ended.issuperset(streams):
                assert await self._read(), f"only {self._ended} have ended"
        return self._told

    async def until_reset(self, stream: int) -> None:
        """Waits until the server has given a stream up."""
        async with asyncio.timeout(30):
            while stream not in self.reset:
                assert await self._read(), "the server has gone"

    async def _write(self, data: bytes) -> None:
        if self._outer is not None:
            await self._outer.send_bytes(data)
        else:
            self.writer.write(data)
            await self.writer.drain()

    async def _exactly(self, size: int) -> bytes:
        if self._outer is None:
            return await self.reader.readexactly(size)
        while len(self._buffer) < size:
            self._buffer += await self._outer.receive_bytes()
        data, self._buffer = self._buffer[:size], self._buffer[size:]
        return data

    async def _read(self) -> bool:
        """Takes one frame; False when there will be none."""
        try:
            first, second = struct.unpack(">II", await self._exactly(8))
        except asyncio.IncompleteReadError:
            return False
        body = await self._exactly(second & 0xFFFFFF)
        if not first >> 31:
            self._told[first] += body
            if second >> 24:
                self._ended.add(first)
            return True
        kind = first & 0xFFFF
        if kind in (2, 3):
            (number,) = struct.unpack_from(">I", body)
            (self._replied if kind == 2 else self.reset).add(number)
        return bool(kind != 7)
