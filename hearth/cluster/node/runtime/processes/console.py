"""The input and terminal of a container, for those who attach to it.

Both end with the node process: after its restart a container with an input has an ended one, and
one with a terminal has been hung up.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hearth.cluster.node.runtime.api import Streams
from hearth.cluster.node.runtime.backlog import Backlog
from hearth.cluster.node.runtime.processes.conversation import (
    feed,
    follow_size,
    open_terminal,
)
from hearth.cluster.node.runtime.processes.logpump import LogPump


@dataclass(slots=True)
class Given:
    """The descriptors that a container is started with, to close after the start."""

    stdin: int
    stdout: int
    stderr: int
    terminal: str = ""

    def close(self) -> None:
        """Closes them; none twice."""
        for fd in {self.stdin, self.stdout, self.stderr} - {subprocess.DEVNULL}:
            os.close(fd)


@dataclass(slots=True)
class Console:
    """Our side: ``stdin`` is what the container reads, None for an input that has ended."""

    pump: LogPump
    stdin: int | None = None
    is_terminal: bool = False
    is_stdin_once: bool = False

    def open(self, raw: Mapping[str, Any]) -> Given:
        """Makes what a container asks for, as its pod's object has it."""
        self.is_stdin_once = bool(raw.get("stdinOnce"))
        if raw.get("tty"):
            ours, theirs, path = open_terminal()
            self.use_terminal(ours)
            return Given(theirs, theirs, theirs, path)
        stdin = subprocess.DEVNULL
        if raw.get("stdin"):
            stdin, self.stdin = os.pipe2(os.O_CLOEXEC)
            os.set_blocking(self.stdin, False)
        return Given(stdin, *self.pump.open())

    def use_terminal(self, ours: int) -> None:
        """Our side of the container's terminal."""
        self.is_terminal = True
        self.pump.follow(ours)
        self.stdin = ours

    def close(self) -> None:
        """Takes the rest of the output and closes all, after the container's end."""
        self._end_input()
        self.pump.close()

    def _end_input(self) -> None:
        if self.stdin is not None and not self.is_terminal:  # the pump closes a terminal
            os.close(self.stdin)
        self.stdin = None

    async def attach(self, streams: Streams) -> None:
        """Shows the output from now on and takes input, until the container has ended."""
        backlog = Backlog()
        self.pump.listeners.add(backlog.add)
        try:
            async with asyncio.TaskGroup() as group:
                inward = []
                if self.is_terminal and self.stdin is not None:
                    size = follow_size(self.stdin, streams)
                    inward.append(group.create_task(size, name="attach-size"))
                inward.append(group.create_task(self._feed(streams), name="attach-input"))
                while (piece := await backlog.next())[0]:
                    await streams.write(piece[1], piece[0])
                for task in inward:
                    task.cancel()
        finally:
            self.pump.listeners.discard(backlog.add)

    async def _feed(self, streams: Streams) -> None:
        if self.stdin is None:
            with contextlib.suppress(ConnectionError):
                while await streams.read():
                    pass
            return
        await feed(self.stdin, streams)
        if self.is_stdin_once:
            self._end_input()
