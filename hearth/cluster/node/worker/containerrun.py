"""A running container as its pod's worker holds it: the instance, and its way to an end."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass

from hearth.cluster.node.pod.records import UNKNOWN_EXIT_CODE, Terminated
from hearth.cluster.node.pod.spec import Container
from hearth.cluster.node.probes.handlers import Outcome, Target, run_handler
from hearth.cluster.node.runtime.api import ContainerFiles, Exit, Instance
from hearth.cluster.node.runtime.crilog import last_lines

_MESSAGE_LIMIT = 4096
_LOG_MESSAGE_LIMIT, _LOG_MESSAGE_LINES = 2048, 80
_LOG_TAIL = 64 * 1024


@dataclass(slots=True)
class ContainerRun:
    """One run of a container, whatever the runtime."""

    container: Container
    instance: Instance
    target: Target
    files: ContainerFiles
    _kill: asyncio.TimerHandle | None = None
    _kill_at: float = float("inf")

    async def stop(self, grace: float, *, delay: float) -> Outcome | None:
        """Runs preStop, sends SIGTERM, and SIGKILL after ``grace`` seconds; the hook's outcome.

        Without a hook SIGTERM waits for ``delay`` seconds: those who send requests hear of a
        deletion when we do, and send them elsewhere first.
        """
        self.kill_after(grace)
        outcome = None
        hook = self.container.pre_stop
        if hook is not None and grace > 0:
            outcome = await run_handler(hook, self.target, timeout=grace)
        elif delay and grace > 0:
            await asyncio.sleep(min(delay, grace / 2))
        self.instance.terminate()
        return outcome

    def kill_after(self, seconds: float) -> None:
        """Sends SIGKILL then, unless an earlier moment was set before."""
        loop = asyncio.get_running_loop()
        kill_at = loop.time() + max(seconds, 0.0)
        if kill_at < self._kill_at:
            self._kill_at = kill_at
            if self._kill is not None:
                self._kill.cancel()
            self._kill = loop.call_at(kill_at, self.instance.kill)

    async def close(self, *, sweep: bool) -> None:
        """Frees what the instance held, after its end."""
        if self._kill is not None:
            self._kill.cancel()
        await self.instance.close(sweep=sweep)

    def terminated(self, how: Exit, *, now: float) -> Terminated:
        """How this run ended, for the status."""
        if how.code is None:
            message = own_message(self.files) or "exit code not seen"
            return self._terminated(
                UNKNOWN_EXIT_CODE, "ContainerStatusUnknown", now, message=message
            )
        reason = "Completed" if how.code == 0 else "Error"
        if how.is_out_of_memory:
            reason = "OOMKilled"
        message = self._message(failed=how.code != 0)
        return self._terminated(how.code, reason, now, message=message, signal=how.signal)

    def _terminated(
        self, code: int, reason: str, now: float, *, message: str, signal: int = 0
    ) -> Terminated:
        return Terminated(
            exit_code=code,
            reason=reason,
            finished_at=now,
            started_at=self.instance.started_at,
            signal=signal,
            message=message,
            container_id=self.instance.container_id,
        )

    def _message(self, *, failed: bool) -> str:
        """The termination message: the container's own, or its last words where asked for."""
        if own := own_message(self.files):
            return own
        if not (failed and self.container.termination_from_logs):
            return ""
        with contextlib.suppress(OSError), open(self.files.log, "rb") as file:
            file.seek(max(0, file.seek(0, 2) - _LOG_TAIL))
            return last_lines(file.read(), lines=_LOG_MESSAGE_LINES, size=_LOG_MESSAGE_LIMIT)
        return ""


def own_message(files: ContainerFiles) -> str:
    """Return what a container has written to its termination log; "" for nothing."""
    with contextlib.suppress(OSError), open(files.termination_log, "rb") as file:
        return file.read(_MESSAGE_LIMIT).decode(errors="replace")
    return ""
