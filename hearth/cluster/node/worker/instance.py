"""One running instance of a container: its process, its output, its way to an end."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from dataclasses import dataclass
from pathlib import Path

from hearth.cluster.node.pod.records import UNKNOWN_EXIT_CODE, Terminated
from hearth.cluster.node.pod.spec import Container
from hearth.cluster.node.probes.handlers import Outcome, Target, run_handler
from hearth.cluster.node.runtime.crilog import last_lines
from hearth.cluster.node.runtime.processes.logpump import LogPump
from hearth.cluster.node.runtime.processes.process import Exit, Process
from hearth.cluster.node.worker.context import CONTAINER_MARK, CONTAINER_SCHEME

_MESSAGE_LIMIT = 4096
_LOG_MESSAGE_LIMIT, _LOG_MESSAGE_LINES = 2048, 80
_LOG_TAIL = 64 * 1024


@dataclass(slots=True)
class Instance:
    """What the worker holds while a container runs."""

    container: Container
    process: Process
    pump: LogPump
    target: Target
    started_at: float
    container_id: str
    termination_log: Path
    _kill: asyncio.TimerHandle | None = None
    _kill_in: float = float("inf")
    was_killed: bool = False

    async def stop(self, grace: float, *, delay: float) -> Outcome | None:
        """preStop, SIGTERM, and SIGKILL when the grace is over; the outcome of the hook.

        Without a hook SIGTERM waits for ``delay``: those who send requests hear of a deletion when
        we do, and turn away first.
        """
        self.kill_after(grace)
        outcome = None
        hook = self.container.pre_stop
        if hook is not None and grace > 0:
            outcome = await run_handler(hook, self.target, timeout=grace)
        elif delay and grace > 0:
            await asyncio.sleep(min(delay, grace / 2))
        self.terminate()
        return outcome

    @property
    def mark(self) -> str:
        """In the environment of all that the container started, also in sessions of their own."""
        return f"{CONTAINER_MARK}={self.container_id.removeprefix(CONTAINER_SCHEME)}"

    def terminate(self) -> None:
        self.process.signal_group(signal.SIGTERM)

    def kill(self) -> None:
        self.was_killed = True
        self.process.signal_group(signal.SIGKILL)

    def kill_after(self, seconds: float) -> None:
        """SIGKILL then, unless an earlier moment was set before."""
        loop = asyncio.get_running_loop()
        at = loop.time() + max(seconds, 0.0)
        if at < self._kill_in:
            self._kill_in = at
            if self._kill is not None:
                self._kill.cancel()
            self._kill = loop.call_at(at, self.kill)

    def close(self) -> None:
        """After the end of the process."""
        if self._kill is not None:
            self._kill.cancel()
        self.pump.close()

    def release(self) -> None:
        """Lets the process run on without us."""
        if self._kill is not None:
            self._kill.cancel()
        self.pump.release()
        self.process.release()

    def terminated(self, how: Exit, *, now: float, is_out_of_memory: bool) -> Terminated:
        """How this instance ended, for the status."""
        if how.code is None:
            return self._result(
                UNKNOWN_EXIT_CODE, "ContainerStatusUnknown", now, message="exit code not seen"
            )
        reason = "Completed" if how.code == 0 else "Error"
        if is_out_of_memory:
            reason = "OOMKilled"
        message = self._message(failed=how.code != 0)
        return self._result(how.code, reason, now, message=message, number=how.signal)

    def _result(
        self, code: int, reason: str, now: float, *, message: str, number: int = 0
    ) -> Terminated:
        return Terminated(
            exit_code=code,
            reason=reason,
            finished_at=now,
            started_at=self.started_at,
            signal=number,
            message=message,
            container_id=self.container_id,
        )

    def _message(self, *, failed: bool) -> str:
        """The termination message: the container's own, or its last words where asked for."""
        with contextlib.suppress(OSError):
            with open(self.termination_log, "rb") as file:
                own = file.read(_MESSAGE_LIMIT).decode(errors="replace")
            if own:
                return own
        if not (failed and self.container.termination_from_logs):
            return ""
        with contextlib.suppress(OSError), open(self.pump.file.path, "rb") as file:
            file.seek(max(0, file.seek(0, 2) - _LOG_TAIL))
            return last_lines(file.read(), lines=_LOG_MESSAGE_LINES, size=_LOG_MESSAGE_LIMIT)
        return ""
