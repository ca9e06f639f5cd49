"""One container that runc or crun has started."""

from __future__ import annotations

import contextlib
import os
import signal
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hearth.cluster.node.pod.listening import Listening
from hearth.cluster.node.runtime.api import ExecResult, Exit, StartError, Streams, Usage
from hearth.cluster.node.runtime.bundles.bundle import Bundle
from hearth.cluster.node.runtime.bundles.runc import ENVIRONMENT, Runc, error_in
from hearth.cluster.node.runtime.cgroups.group import Group, MemoryWatch
from hearth.cluster.node.runtime.processes.commands import run_command
from hearth.cluster.node.runtime.processes.console import Console
from hearth.cluster.node.runtime.processes.conversation import run_with_client
from hearth.cluster.node.runtime.processes.marks import kill_marked
from hearth.cluster.node.runtime.processes.process import Process
from hearth.cluster.node.runtime.sockets import of_network

_KILLED = 137
_MARK = "HEARTH_EXEC_ID"


@dataclass(slots=True, kw_only=True)
class BundleInstance:
    """``Instance`` by runc; the container's first process is a child of ours."""

    id: str
    scheme: str
    image_id: str
    handle: str
    started_at: float
    pod_uid: str
    names: tuple[str, str, str]
    """Namespace, pod and container."""
    runc: Runc
    bundle: Bundle
    process: Process
    console: Console
    stop_signal: signal.Signals
    group: Group | None
    memory: MemoryWatch | None
    on_close: Callable[[], object]
    _was_killed: bool = False
    _end: Exit | None = None

    @property
    def container_id(self) -> str:
        """The id with the runtime's scheme."""
        return f"{self.scheme}://{self.id}"

    async def wait(self) -> Exit:
        """Returns how it ended; whether for lack of memory its control group knows."""
        how = await self.process.wait()
        if self._end is None:
            may_be_memory = how.code in (_KILLED, None) and not self._was_killed
            is_memory = may_be_memory and self.memory is not None and await self.memory.has_killed()
            self._end = self._end or replace(how, is_out_of_memory=is_memory)
        return self._end

    def usage(self) -> Usage | None:
        """What its control group uses; from any thread."""
        counters = self.group.read() if self.group is not None and self._end is None else None
        if counters is None or self.process.has_ended:
            return None
        return Usage(*self.names, counters.cpu_seconds, counters.memory_bytes)

    async def exec(self, command: Sequence[str], *, timeout: float) -> ExecResult:
        """Runs a command inside."""
        with self._inside(command) as (argv, told):
            result = await run_command(argv, env=ENVIRONMENT, cwd="/", timeout=timeout)
            if result.code is not None:
                told.check()
        return result

    async def stream(self, command: Sequence[str], streams: Streams) -> int:
        """Runs a command inside for a client."""
        options = ["--tty", "--env", "TERM=xterm"] if streams.is_terminal else []
        with self._inside(command, *options) as (argv, told):
            code = await run_with_client(argv, streams, env=ENVIRONMENT, cwd="/")
            told.check()
        return code

    @contextlib.contextmanager
    def _inside(
        self, command: Sequence[str], *options: str
    ) -> Iterator[tuple[Sequence[str], _Told]]:
        """The command line, and what runc will have told; what still runs then is killed."""
        told = _Told(self.bundle.folder / f"exec-{uuid.uuid4().hex}")
        marked = (f"{_MARK}={told.mark}", "--pid-file", str(told.pid))
        words = ("exec", "--env", *marked, *options, self.id, *command)
        try:
            yield self.runc.command(told.log, *words), told
        except BaseException:
            kill_marked(f"{_MARK}={told.mark}")
            raise
        finally:
            told.finish()

    async def attach(self, streams: Streams) -> None:
        """Connects a client with output, input and terminal of the container."""
        await self.console.attach(streams)

    def listening(self) -> Listening | None:
        """Of all containers of its pod."""
        return of_network(self.process.pid)

    def terminate(self) -> None:
        """Sends the image's stop signal to the first process, as Kubernetes does."""
        self.process.signal(self.stop_signal)

    def kill(self) -> None:
        """Kills the first process, and with it all others of the container."""
        self._was_killed = True
        self.process.signal(signal.SIGKILL)

    async def close(self, *, sweep: bool) -> None:
        """Takes the rest of the output; the container is removed in its own time."""
        self.console.close()
        if self.memory is not None:
            self.memory.close()
        self.on_close()


class _Told:
    """Files by which runc tells of one command."""

    def __init__(self, prefix: Path) -> None:
        self.mark = prefix.name
        self.pid = prefix.with_suffix(".pid")
        self.log = prefix.with_suffix(".log")

    def check(self) -> None:
        """Raises StartError where the command has never run."""
        if not self.pid.exists():
            raise StartError(error_in(self.log) or "the container has ended")

    def finish(self) -> None:
        """Kills what runs on; its number is its group's as well, which ended with its session."""
        with contextlib.suppress(OSError, ValueError):
            pid = int(self.pid.read_text())
            if os.getsid(pid) == pid:
                os.killpg(pid, signal.SIGKILL)
        self.pid.unlink(missing_ok=True)
        self.log.unlink(missing_ok=True)
