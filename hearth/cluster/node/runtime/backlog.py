"""Output of a container for one client that is attached to it, for runtimes to share."""

from __future__ import annotations

import asyncio
from collections import deque

_MOST_WAITING = 1024 * 1024
"""Bytes of output that a client may be behind."""


class Backlog:
    """Output that a client has not been sent; a ConnectionError once it is too much."""

    def __init__(self) -> None:
        self._pieces: deque[tuple[int, bytes]] = deque()
        self._size = 0
        self._more = asyncio.Event()

    def add(self, stream: int, data: bytes) -> None:
        """Takes more of it, without waiting."""
        if self._size <= _MOST_WAITING:
            self._pieces.append((stream, data))
        self._size += len(data)
        self._more.set()

    async def next(self) -> tuple[int, bytes]:
        """The next piece with its stream; stream 0 at the end."""
        while not self._pieces:
            self._more.clear()
            await self._more.wait()
        if self._size > _MOST_WAITING:
            raise ConnectionAbortedError("the client did not keep up with the output")
        stream, data = self._pieces.popleft()
        self._size -= len(data)
        return stream, data
