"""A container's program is started, with pipes or a terminal for what it says."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from hearth.cluster.node.runtime.api import ContainerFiles
from hearth.cluster.node.runtime.logs import RotatingFile
from hearth.cluster.node.runtime.processes.console import Console
from hearth.cluster.node.runtime.processes.launch import Command
from hearth.cluster.node.runtime.processes.logpump import LogPump
from hearth.cluster.node.runtime.processes.process import Launch, Process, start

Fork = Callable[[Launch], Awaitable[Process | None]]

_STREAMS = ("stdout", "stderr")


def pipes_of(files: ContainerFiles) -> Path:
    """The folder of a container's named pipes."""
    return files.folder / "io"


def make_pump(files: ContainerFiles) -> LogPump:
    """Fresh pipes: what an earlier instance left in its own is not this one's output."""
    pipes = pipes_of(files)
    pipes.mkdir(parents=True, exist_ok=True)
    for stream in _STREAMS:
        (pipes / stream).unlink(missing_ok=True)
    return LogPump(pipes, RotatingFile(files.log))


async def launch(
    command: Command, console: Console, raw: Mapping[str, Any], fork: Fork | None = None
) -> Process:
    """Starts a container's program on what its console gives it; raises StartError.

    ``fork`` may have another way to start it.
    """
    given = console.open(raw)
    env = {"TERM": "xterm", **command.env} if given.terminal else command.env
    wanted = Launch(
        command.argv,
        env,
        command.cwd,
        given.stdout,
        given.stderr,
        stdin=given.stdin,
        terminal=given.terminal,
    )
    try:
        process = None if fork is None else await fork(wanted)
        return process or start(wanted)
    except BaseException:
        console.close()
        raise
    finally:
        given.close()
