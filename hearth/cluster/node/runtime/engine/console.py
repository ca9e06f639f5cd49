"""The input and terminal of a container: one connection of the node, which clients share.

An engine ends a container's input with the first client that goes, so clients do not have
connections of their own. After a restart of the node the input has ended.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hearth.cluster.node.runtime.api import Streams
from hearth.cluster.node.runtime.backlog import Backlog
from hearth.cluster.node.runtime.engine.client import Hijacked
from hearth.cluster.node.runtime.engine.commands import Commands, pieces


@dataclass(slots=True)
class Console:
    """Of one container that takes input or has a terminal."""

    commands: Commands
    stream: Hijacked
    is_terminal: bool
    is_stdin_once: bool
    _listeners: set[Callable[[int, bytes], None]] = field(default_factory=set)
    _reading: asyncio.Task[None] | None = None

    @classmethod
    async def open(cls, commands: Commands, raw: Mapping[str, Any]) -> Console | None:
        """Before the program begins, so that nothing is missed; None where it has neither.

        ``raw`` is the container as its pod's object has it.
        """
        if not (raw.get("stdin") or raw.get("tty")):
            return None
        stream = await commands.open(stdin=bool(raw.get("stdin")))
        made = cls(commands, stream, bool(raw.get("tty")), bool(raw.get("stdinOnce")))
        made._reading = asyncio.create_task(made._read(), name="console")
        return made

    async def _read(self) -> None:
        with contextlib.suppress(OSError):
            async for number, piece in pieces(self.stream, is_raw=self.is_terminal):
                self._tell(number, piece)
        self._tell(0, b"")

    def _tell(self, number: int, piece: bytes) -> None:
        for listener in list(self._listeners):
            listener(number, piece)

    async def attach(self, streams: Streams) -> None:
        """Shows the output from now on and takes input, until the container has ended."""
        backlog = Backlog()
        self._listeners.add(backlog.add)
        resize = f"/containers/{self.commands.container}/resize"
        try:
            async with asyncio.TaskGroup() as group:
                inward = [
                    group.create_task(self._feed(streams), name="attach-input"),
                    group.create_task(self.commands.follow_size(streams, resize), name="size"),
                ]
                while (piece := await backlog.next())[0]:
                    await streams.write(piece[1], piece[0])
                for task in inward:
                    task.cancel()
        finally:
            self._listeners.discard(backlog.add)

    async def _feed(self, streams: Streams) -> None:
        writer = self.stream.writer
        while data := await streams.read():
            writer.write(data)
            await writer.drain()
        if self.is_stdin_once and writer.can_write_eof():
            writer.write_eof()

    async def close(self) -> None:
        """After the end of the container."""
        if self._reading is not None:
            with contextlib.suppress(TimeoutError, asyncio.CancelledError):
                await asyncio.wait_for(self._reading, 1)
        await self.stream.close()
