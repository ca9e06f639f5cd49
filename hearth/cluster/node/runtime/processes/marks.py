"""Processes found by what marks their environment, and ended."""

from __future__ import annotations

import asyncio
import os
import signal
import time

from hearth.cluster.node.runtime.processes.procfs import (
    SESSION,
    may_be_in_exec,
    runs_a_program,
    stat_fields,
)

_EXEC_READS, _EXEC_SECONDS = 1000, 0.001
_LOOKS_WITHOUT = 3


class Sweeps:
    """Ends processes by their marks; one walk through /proc serves all who ask meanwhile.

    A walk looks at all processes, so where many pods end at once each would pay for all others.
    """

    def __init__(self) -> None:
        self._wanted: set[str] = set()
        self._walking = asyncio.Lock()

    async def kill(self, marker: str) -> None:
        """Return when all processes of that marker have been killed that were there."""
        self._wanted.add(marker)
        async with self._walking:
            if marker not in self._wanted:
                return  # a walk that began after we asked has taken it along
            taken, self._wanted = self._wanted, set()
            try:
                await asyncio.to_thread(kill_marked, *taken)
            except BaseException:
                self._wanted |= taken
                raise


def find_marked(*markers: str) -> list[int]:
    """Pids of processes whose initial environment holds one of them (``NAME=value``)."""
    pids = [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]
    return [pid for pid in pids if _is_marked(pid, markers)]


def _is_marked(pid: int, markers: tuple[str, ...]) -> bool:
    environ = b"\0" + _environ(pid)
    return any(b"\0" + marker.encode() + b"\0" in environ for marker in markers)


def _environ(pid: int) -> bytes:
    """The initial environment of a process; empty where there is none, or none to be read.

    In the middle of an exec it reads as empty and is waited for: a process must not escape because
    it was looked at just then. Before its new environment is in place there is a moment in which it
    looks like one that has none, so that is believed only when it is seen again.
    """
    seen_without = 0
    for _ in range(_EXEC_READS):
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                environ = file.read()
        except OSError:
            return b""
        if environ or not runs_a_program(pid):
            return environ
        seen_without = 0 if may_be_in_exec(pid) else seen_without + 1
        if seen_without == _LOOKS_WITHOUT:
            return environ
        time.sleep(_EXEC_SECONDS)
    return b""


def kill_marked(*markers: str, but: frozenset[int] = frozenset()) -> int:
    """Kills all processes of these markers; returns of how many sessions. Those in ``but`` stay."""
    return len({_kill_if_marked(pid, markers, but) for pid in find_marked(*markers)} - {None})


def _kill_if_marked(pid: int, markers: tuple[str, ...], but: frozenset[int]) -> int | None:
    """Kills one process and returns its session; None where it is not to be killed."""
    try:
        pidfd = os.pidfd_open(pid)
    except OSError:
        return None
    try:
        # Read again behind the pidfd: the number may have changed hands since the scan.
        fields = stat_fields(pid)
        if fields is None or int(fields[SESSION]) in but or not _is_marked(pid, markers):
            return None
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    except OSError:
        return None
    finally:
        os.close(pidfd)
    return int(fields[SESSION])
