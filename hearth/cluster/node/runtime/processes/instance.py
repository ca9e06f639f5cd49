"""One container that runs as a process of this machine."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from hearth.cluster.node.pod.listening import Listening
from hearth.cluster.node.runtime.api import ExecResult, Exit, Streams, Usage
from hearth.cluster.node.runtime.cgroups.group import Group
from hearth.cluster.node.runtime.processes.commands import run_command
from hearth.cluster.node.runtime.processes.console import Console
from hearth.cluster.node.runtime.processes.conversation import run_with_client
from hearth.cluster.node.runtime.processes.environment import CONTAINER_MARK
from hearth.cluster.node.runtime.processes.isolation.isolation import (
    Isolation,
    check_program,
    signal_inside,
)
from hearth.cluster.node.runtime.processes.marks import find_marked, kill_marked
from hearth.cluster.node.runtime.processes.process import Process
from hearth.cluster.node.runtime.sockets import of_processes

SCHEME = "hearth://"
_BY_SIGNAL = 128
_KILLED = _BY_SIGNAL + signal.SIGKILL


@dataclass(slots=True, kw_only=True)
class ProcessInstance:
    """A process, its output, and what a command beside it needs.

    ``prefix`` holds the words that put a command into the container's mounts.
    """

    container_id: str
    image_id: str
    handle: str
    started_at: float
    pod_uid: str
    names: tuple[str, str, str]
    """Namespace, pod and container."""
    process: Process
    console: Console
    env: Mapping[str, str]
    cwd: str
    prefix: Sequence[str]
    has_run_out_of_memory: Callable[[], bool]
    """Whether the kernel has killed for memory since it was last asked."""
    on_close: Callable[[], object]
    isolation: Isolation | None = None
    group: Group | None = None
    """The control group that is its own."""
    _was_killed: bool = False
    _end: Exit | None = None

    async def wait(self) -> Exit:
        """Returns how it ended; the first to learn of it asks whether the kernel killed it."""
        how = await self.process.wait()
        if self.isolation and how.code is not None and how.code > _BY_SIGNAL:
            how = replace(how, signal=how.code - _BY_SIGNAL)  # bubblewrap tells it by its code
        if self._end is None:
            may_be_memory = how.code == _KILLED and not self._was_killed
            is_out_of_memory = may_be_memory and self._has_run_out_of_memory()
            self._end = replace(how, is_out_of_memory=is_out_of_memory)
        return self._end

    def _has_run_out_of_memory(self) -> bool:
        counters = self.group.read() if self.group else None
        return self.has_run_out_of_memory() if counters is None else counters.oom_kills > 0

    def usage(self, sessions: Mapping[int, tuple[float, int]]) -> Usage:
        """By its control group, where it has one, else what its session uses."""
        counters = self.group.read() if self.group else None
        if counters is not None:
            return Usage(*self.names, counters.cpu_seconds, counters.memory_bytes)
        return Usage(*self.names, *sessions.get(self.process.pid, (0.0, 0)))

    async def exec(self, command: Sequence[str], *, timeout: float) -> ExecResult:
        """Runs a command with the container's environment, folder and mounts."""
        return await run_command(self._beside(command), env=self.env, cwd=self.cwd, timeout=timeout)

    async def stream(self, command: Sequence[str], streams: Streams) -> int:
        """Runs a command as ``exec`` does, for a client that talks with it."""
        return await run_with_client(self._beside(command), streams, env=self.env, cwd=self.cwd)

    def _beside(self, command: Sequence[str]) -> Sequence[str]:
        if self.isolation is not None:
            check_program(self.process.pid, command[0], self.env, self.cwd)
        return (*self.prefix, *command)

    async def attach(self, streams: Streams) -> None:
        """Connects a client with output, input and terminal of the container."""
        await self.console.attach(streams)

    def listening(self) -> Listening:
        """Where what bears its mark listens."""
        mark = self.container_id.removeprefix(SCHEME)
        return of_processes(find_marked(f"{CONTAINER_MARK}={mark}"))

    def terminate(self) -> None:
        """Sends SIGTERM to the process group; of an isolated one to the program inside.

        One that has not come as far as its program is killed.
        """
        if self.isolation and signal_inside(self.process.pid, signal.SIGTERM):
            return
        self.process.signal_group(signal.SIGTERM)

    def kill(self) -> None:
        """Sends SIGKILL to the process group."""
        self._was_killed = True
        self.process.signal_group(signal.SIGKILL)

    async def close(self, *, sweep: bool) -> None:
        """Takes the rest of the output; ``sweep`` ends what left the group, by its mark."""
        if sweep:
            mark = self.container_id.removeprefix(SCHEME)
            await asyncio.to_thread(kill_marked, f"{CONTAINER_MARK}={mark}")
        self.console.close()
        if self.group is not None:
            await asyncio.to_thread(self.group.remove)
        self.on_close()


def parse_handle(handle: str) -> tuple[int, int, str]:
    """Pid, start time and kind; a pid that cannot be for a handle that somebody has broken."""
    pid, _, rest = handle.partition(":")
    ticks, _, kind = rest.partition(":")
    try:
        return int(pid), int(ticks), kind
    except ValueError:
        return -1, 0, ""
