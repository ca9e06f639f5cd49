"""A client's end of a command, as the suite needs it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from hearth.cluster.node.runtime.api import STDERR, STDOUT, Size


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
        async with asyncio.timeout(10), self.changed:
            await self.changed.wait_for(lambda: text in self.sent.get(stream, b""))
