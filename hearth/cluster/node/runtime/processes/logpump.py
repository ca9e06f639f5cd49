"""Carries the output of processes into their log files: no thread, bounded in rate.

Output goes through named pipes in the pod's folder, which the container itself holds open for
reading too: when the node process dies, a container neither gets SIGPIPE nor loses a line; it
waits, at worst, until the next node process reads on.

A container that prints without end is read at most so fast: its own writes then wait, and nobody
else's do.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from hearth.cluster.node.runtime.crilog import LineFormatter
from hearth.cluster.node.runtime.logs import RotatingFile

RATE_LIMIT = 4 * 1024 * 1024  # bytes a second of one container
_CHUNK = 64 * 1024
_REST_LIMIT = 1024 * 1024  # what is read at the end, however much a stray child still prints
_NUMBERS = {"stdout": 1, "stderr": 2}
Listener = Callable[[int, bytes], None]
"""Gets what is printed, with the stream's number; nothing at its end, with 0."""


@dataclass(slots=True)
class _Stream:
    fd: int
    number: int
    lines: LineFormatter
    is_open: bool = True


@dataclass(slots=True)
class LogPump:
    """The output of one container instance, both streams into one file."""

    fifos: Path  # the folder of the named pipes
    file: RotatingFile
    rate: int = RATE_LIMIT
    listeners: set[Listener] = field(default_factory=set)
    _streams: list[_Stream] = field(default_factory=list)
    _allowance: float = 0.0
    _filled_at: float = 0.0
    _resume: asyncio.TimerHandle | None = None

    def open(self) -> tuple[int, int]:
        """Begins to read; returns the write ends for stdout and stderr, to close after the start.

        The write ends are opened for reading as well (see above).
        """
        ends: list[int] = []
        for name in ("stdout", "stderr"):
            path = self.fifos / name
            if not path.exists():
                os.mkfifo(path, 0o600)
            self._follow(_open(path), name)
            ends.append(os.open(path, os.O_RDWR | os.O_CLOEXEC))
        return ends[0], ends[1]

    def reopen(self) -> None:
        """Reads on from a container that a former node process started."""
        for name in ("stdout", "stderr"):
            path = self.fifos / name
            if path.exists():
                self._follow(_open(path), name)

    def follow(self, terminal: int) -> None:
        """Begins to read from a terminal, which is closed in the end."""
        self._follow(terminal, "stdout")

    def _follow(self, fd: int, name: str) -> None:
        stream = _Stream(fd, _NUMBERS[name], LineFormatter(name))
        self._streams.append(stream)
        self._filled_at, self._allowance = time.monotonic(), float(self.rate)
        asyncio.get_running_loop().add_reader(stream.fd, self._on_readable, stream)

    def _on_readable(self, stream: _Stream) -> None:
        if self._take(stream) == 0:
            return
        now = time.monotonic()
        self._allowance += (now - self._filled_at) * self.rate
        self._allowance = min(self._allowance, float(self.rate))
        self._filled_at = now
        if self._allowance < 0:
            self._pause(-self._allowance / self.rate)

    def _take(self, stream: _Stream) -> int:
        """Reads once; returns the bytes read."""
        try:
            data = os.read(stream.fd, _CHUNK)
        except BlockingIOError:
            return 0
        except OSError:
            data = b""
        if not data:
            self._close_stream(stream)
            return 0
        self.file.write(stream.lines.feed(data, time.time_ns()))
        for listener in self.listeners:
            listener(stream.number, data)
        self._allowance -= len(data)
        return len(data)

    def _pause(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        for stream in self._streams:
            if stream.is_open:
                loop.remove_reader(stream.fd)
        if self._resume is None:
            self._resume = loop.call_later(max(seconds, 0.01), self._continue)

    def _continue(self) -> None:
        self._resume = None
        loop = asyncio.get_running_loop()
        for stream in self._streams:
            if stream.is_open:
                loop.add_reader(stream.fd, self._on_readable, stream)

    def _close_stream(self, stream: _Stream) -> None:
        if stream.is_open:
            stream.is_open = False
            asyncio.get_running_loop().remove_reader(stream.fd)
            os.close(stream.fd)
            rest = stream.lines.finish(time.time_ns())
            if rest:
                self.file.write(rest)

    def close(self) -> None:
        """The container ended: takes what is left in the pipes and closes all."""
        if self._resume is not None:
            self._resume.cancel()
            self._resume = None
        for stream in self._streams:
            taken = 0
            while stream.is_open and taken < _REST_LIMIT:
                got = self._take(stream)
                if got == 0:
                    break
                taken += got
            self._close_stream(stream)
        self._streams.clear()
        self.file.close()
        for listener in self.listeners:
            listener(0, b"")


def _open(path: Path) -> int:
    return os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
