"""Processes found by what marks their environment, and ended."""

from __future__ import annotations

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


def find_marked(marker: str) -> list[int]:
    """Pids of processes whose initial environment holds ``marker`` (``NAME=value``)."""
    pids = [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]
    return [pid for pid in pids if _is_marked(pid, marker)]


def _is_marked(pid: int, marker: str) -> bool:
    return b"\0" + marker.encode() + b"\0" in b"\0" + _environ(pid)


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


def kill_marked(marker: str, *, but: frozenset[int] = frozenset()) -> int:
    """Kills all processes of that marker; returns of how many sessions. Those in ``but`` stay."""
    return len({_kill_if_marked(pid, marker, but) for pid in find_marked(marker)} - {None})


def _kill_if_marked(pid: int, marker: str, but: frozenset[int]) -> int | None:
    """Kills one process and returns its session; None where it is not to be killed."""
    try:
        pidfd = os.pidfd_open(pid)
    except OSError:
        return None
    try:
        # Read again behind the pidfd: the number may have changed hands since the scan.
        fields = stat_fields(pid)
        if fields is None or int(fields[SESSION]) in but or not _is_marked(pid, marker):
            return None
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    except OSError:
        return None
    finally:
        os.close(pidfd)
    return int(fields[SESSION])
