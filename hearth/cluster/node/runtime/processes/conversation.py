"""Commands that talk with a client, by pipes or in a terminal."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hearth.cluster.node.runtime.api import STDERR, STDOUT, StartError, Streams
from hearth.cluster.node.runtime.processes.marks import kill_marked
from hearth.cluster.node.runtime.processes.pipes import Output, resize, write_all
from hearth.cluster.node.runtime.processes.process import Launch, Process, start

_MARK = "HEARTH_EXEC_ID"
_UNSEEN = 137


@dataclass(slots=True)
class _Line:
    """The descriptors between us and a command: ours, and those it gets."""

    stdin: int | None = None
    outputs: list[Output] = field(default_factory=list)
    given: dict[int, int] = field(default_factory=dict)
    terminal: str = ""

    def hang_up(self) -> None:
        """Closes our side; a terminal then sends SIGHUP."""
        ours = {output.fd for output in self.outputs}
        for fd in ours if self.stdin is None else ours | {self.stdin}:
            os.close(fd)
        self.stdin, self.outputs = None, []

    def let_go(self) -> None:
        """Closes what the command has by now."""
        for fd in set(self.given.values()):
            os.close(fd)
        self.given = {}


def open_terminal() -> tuple[int, int, str]:
    """A new terminal: our side, which does not block, the other side, and its path."""
    try:
        ours, theirs = os.openpty()
    except OSError as error:
        raise StartError(f"no terminal: {error.strerror}") from error
    os.set_blocking(ours, False)
    return ours, theirs, os.ttyname(theirs)


def _terminal() -> _Line:
    ours, theirs, path = open_terminal()
    given = dict.fromkeys((0, STDOUT, STDERR), theirs)
    return _Line(ours, [Output(ours, STDOUT)], given, path)


def _pipes(streams: Streams) -> _Line:
    line = _Line()
    for stream in sorted(streams.outputs):
        ours, line.given[stream] = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(ours, False)
        line.outputs.append(Output(ours, stream))
    if streams.has_stdin:
        line.given[0], line.stdin = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(line.stdin, False)
    return line


async def run_with_client(
    argv: Sequence[str], streams: Streams, *, env: Mapping[str, str], cwd: str
) -> int:
    """Runs a command to its end, for a client; returns its exit code.

    Cancelled, or when the client cannot be reached, it kills the command and all it has started.
    """
    mark = uuid.uuid4().hex
    line = _terminal() if streams.is_terminal else _pipes(streams)
    process = None
    try:
        process = _start(argv, line, {**env, _MARK: mark}, cwd)
        return await _converse(process, line, streams)
    finally:
        line.hang_up()
        if process is not None and not process.has_ended:
            process.signal_group(signal.SIGKILL)
            await asyncio.to_thread(kill_marked, f"{_MARK}={mark}")
            await process.wait()


def _start(argv: Sequence[str], line: _Line, env: Mapping[str, str], cwd: str) -> Process:
    given = {stream: line.given.get(stream, subprocess.DEVNULL) for stream in (0, 1, 2)}
    if line.terminal:
        env = {"TERM": "xterm", **env}  # as container runtimes give it
    try:
        return start(
            Launch(argv, env, cwd, given[1], given[2], stdin=given[0], terminal=line.terminal)
        )
    finally:
        line.let_go()


async def _converse(process: Process, line: _Line, streams: Streams) -> int:
    async with asyncio.TaskGroup() as group:
        for output in line.outputs:
            group.create_task(_show(output, streams), name="exec-output")
        inward = []
        if line.terminal:  # before the input: who types sees the size that is known
            size = follow_size(line.outputs[0].fd, streams)
            inward.append(group.create_task(size, name="exec-size"))
        inward.append(group.create_task(_feed(line, streams), name="exec-input"))
        how = await process.wait()
        for task in inward:
            task.cancel()
        for output in line.outputs:
            output.finish()
    return _UNSEEN if how.code is None else how.code


async def _show(output: Output, streams: Streams) -> None:
    while data := await output.read():
        await streams.write(data, output.stream)


async def _feed(line: _Line, streams: Streams) -> None:
    """Gives a command its input and, but for a terminal, tells it of its end."""
    if line.stdin is None:
        return
    await feed(line.stdin, streams)
    if not line.terminal:
        os.close(line.stdin)
        line.stdin = None


async def feed(fd: int, streams: Streams) -> None:
    """Writes a client's input; what nobody reads any more is read and dropped."""
    with contextlib.suppress(OSError):
        while data := await streams.read():
            await write_all(fd, data)
        return
    while await streams.read():
        pass


async def follow_size(terminal: int, streams: Streams) -> None:
    """Gives a terminal each size of the client's own, until cancelled."""
    while True:
        resize(terminal, await streams.resized())
