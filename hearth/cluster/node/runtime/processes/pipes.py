"""File descriptors of pipes and terminals, read and written without blocking the loop."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import struct
import termios

from hearth.cluster.node.runtime.api import Size

_CHUNK = 32 * 1024
_REST_LIMIT = 1024 * 1024
"""What is read after the end of a program, however much a stray child of it still prints."""


def resize(terminal: int, size: Size) -> None:
    """Tells a terminal its size, and those who run in it; nothing happens when it is gone."""
    fields = (min(each, 0xFFFF) for each in (size.rows, size.columns, 0, 0))
    with contextlib.suppress(OSError):
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", *fields))


async def write_all(fd: int, data: bytes) -> None:
    """Writes as fast as the other side reads; OSError when there is none any more."""
    loop, rest = asyncio.get_running_loop(), memoryview(data)
    while rest:
        try:
            rest = rest[os.write(fd, rest) :]
        except BlockingIOError:
            room: asyncio.Future[None] = loop.create_future()
            loop.add_writer(fd, _wake, room)
            try:
                await room
            finally:
                loop.remove_writer(fd)


def _wake(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_result(None)


class Output:
    """What a program prints to a descriptor. It ends with the last that has the other side open;

    once ``finish`` was called, with what is there.
    """

    def __init__(self, fd: int, stream: int) -> None:
        self.fd = fd
        self.stream = stream
        self._rest: int | None = None
        self._waiting: asyncio.Future[None] | None = None

    def finish(self) -> None:
        """The program has ended: nobody else is waited for."""
        self._rest = _REST_LIMIT
        if self._waiting is not None:
            _wake(self._waiting)

    async def read(self) -> bytes:
        """The next of it; empty at its end."""
        while self._rest is None or self._rest > 0:
            try:
                data = os.read(self.fd, _CHUNK)
            except BlockingIOError:
                if self._rest is not None:
                    break
                await self._until_readable()
                continue
            except OSError:  # EIO: nobody has the terminal open any more
                break
            if self._rest is not None:
                self._rest -= len(data)
            return data
        return b""

    async def _until_readable(self) -> None:
        loop = asyncio.get_running_loop()
        self._waiting = loop.create_future()
        loop.add_reader(self.fd, _wake, self._waiting)
        try:
            await self._waiting
        finally:
            loop.remove_reader(self.fd)
