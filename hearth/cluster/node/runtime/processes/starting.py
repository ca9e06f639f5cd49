"""A container's program is started, with pipes or a terminal for what it says."""

from __future__ import annotations

from pathlib import Path

from hearth.cluster.node.pod.spec import Container
from hearth.cluster.node.runtime.api import ContainerFiles
from hearth.cluster.node.runtime.logs import RotatingFile
from hearth.cluster.node.runtime.processes.console import Console
from hearth.cluster.node.runtime.processes.launch import Command
from hearth.cluster.node.runtime.processes.logpump import LogPump
from hearth.cluster.node.runtime.processes.process import Launch, Process, start

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


def launch(command: Command, console: Console, container: Container) -> Process:
    """Starts a container's program on what its console gives it; raises StartError."""
    given = console.open(container)
    env = {"TERM": "xterm", **command.env} if given.terminal else command.env
    try:
        return start(
            Launch(
                command.argv,
                env,
                command.cwd,
                given.stdout,
                given.stderr,
                stdin=given.stdin,
                terminal=given.terminal,
            )
        )
    except BaseException:
        console.close()
        raise
    finally:
        given.close()
