"""Octets to and from a client, and the streams in them: what all protocols share."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Protocol

from hearth.cluster.node.streaming import websocket
from hearth.cluster.node.streaming.websocket import Piece, WebSocket

_CHUNK = 64 * 1024
_MOST_WAITING = 128 * 1024
"""Octets of one stream that have come and are not wanted yet: beyond, the client waits."""


class Wire(Protocol):
    """One connection with a client."""

    @property
    def used_at(self) -> float:
        """When something came or was sent last, but for ``is_ping``; of ``time.monotonic``."""

    async def read(self) -> bytes:
        """What comes next; empty at the end. Raises ConnectionError."""

    async def send(self, data: bytes, *, is_ping: bool = False) -> None:
        """Sends, as fast as the client takes it. Raises ConnectionError."""

    async def end(self) -> None:
        """Says that there is no more, where the protocol has a word for it."""


class RawWire:
    """The connection itself."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._used_at = time.monotonic()

    @property
    def used_at(self) -> float:
        """When something came or was sent last."""
        return self._used_at

    async def read(self) -> bytes:
        """What comes next."""
        data = await self._reader.read(_CHUNK)
        self._used_at = time.monotonic()
        return data

    async def send(self, data: bytes, *, is_ping: bool = False) -> None:
        """Sends, as fast as it is taken."""
        if not data:
            return
        if self._writer.is_closing():
            raise ConnectionResetError("the client has gone")
        self._writer.write(data)
        await self._writer.drain()
        if not is_ping:
            self._used_at = time.monotonic()

    async def end(self) -> None:
        """There is no word for it."""


class TunnelWire:
    """A connection inside of the messages of a WebSocket."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._websocket = WebSocket()

    @property
    def used_at(self) -> float:
        """When something came or was sent last."""
        return self._wire.used_at

    async def read(self) -> bytes:
        """What comes next, from one message or several."""
        while data := await self._wire.read():
            came = b""
            for event in self._websocket.receive(data):
                if isinstance(event, Piece):
                    came += event.data
                elif isinstance(event, websocket.Answer):
                    await self._wire.send(event.data)
                else:
                    return b""
            if came:
                return came
        return b""

    async def send(self, data: bytes, *, is_ping: bool = False) -> None:
        """Sends one message."""
        if data:
            await self._wire.send(websocket.frame(data), is_ping=is_ping)

    async def end(self) -> None:
        """Ends the connection as WebSockets do."""
        await self._wire.send(websocket.close())


class Line:
    """One stream of a client, both ways; what is sent goes by ``send`` of its connection."""

    def __init__(self, send: Callable[[bytes, bool], Awaitable[None]]) -> None:
        self._send = send
        self._pieces: deque[bytes] = deque()
        self._size = 0
        self._has_ended = False
        self._dropped = asyncio.Event()
        self._changed = asyncio.Event()

    async def put(self, data: bytes, *, is_last: bool = False) -> None:
        """Takes what has come, as soon as there is room for it."""
        while self._size >= _MOST_WAITING and not self._dropped.is_set():
            self._changed.clear()
            await self._changed.wait()
        if data and not self._dropped.is_set():
            self._pieces.append(data)
            self._size += len(data)
        self._has_ended = self._has_ended or is_last
        self._changed.set()

    def drop(self) -> None:
        """Nobody reads any more: what comes is thrown away."""
        self._has_ended = True
        self._dropped.set()
        self._pieces.clear()
        self._size = 0
        self._changed.set()

    async def dropped(self) -> None:
        """Returns once nobody is to read any more: the client has given the stream up."""
        await self._dropped.wait()

    async def read(self) -> bytes:
        """What comes next; empty at its end, and from then on."""
        while not self._pieces:
            if self._has_ended:
                return b""
            self._changed.clear()
            await self._changed.wait()
        data = self._pieces.popleft()
        self._size -= len(data)
        self._changed.set()
        return data

    async def send(self, data: bytes) -> None:
        """Sends on this stream."""
        await self._send(data, False)

    async def end(self) -> None:
        """Sends the end of this stream."""
        await self._send(b"", True)


class Connection(Protocol):
    """The streams of one client, in one of the protocols."""

    async def receive(self) -> None:
        """Takes what comes until the client goes, or breaks the protocol."""

    async def ping(self) -> None:
        """Asks whether the client is there. Raises ConnectionError, sooner or later, if not."""

    async def finish(self) -> None:
        """Ends all streams, and takes nothing from the client any more."""
