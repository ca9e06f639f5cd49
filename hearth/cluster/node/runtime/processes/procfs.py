"""What /proc says of one process."""

from __future__ import annotations

PARENT, SESSION, _FLAGS, START_TICKS, _ENV_START, _ENV_END = 1, 3, 6, 19, 47, 48
"""Positions in ``stat_fields``."""
_KERNEL_THREAD = 0x00200000  # PF_KTHREAD


def start_ticks(pid: int) -> int | None:
    """Start time in clock ticks since boot (field 22 of /proc/PID/stat); None for no process."""
    fields = stat_fields(pid)
    return None if fields is None or fields[0] in (b"Z", b"X") else int(fields[START_TICKS])


def stat_fields(pid: int) -> list[bytes] | None:
    """The fields of /proc/PID/stat after the program's name: state first."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()
    except OSError:
        return None


def runs_a_program(pid: int) -> bool:
    """Whether there could be an environment: not of a kernel thread, nor of what has ended."""
    fields = stat_fields(pid)
    if fields is None or fields[0] in (b"Z", b"X"):
        return False
    return not int(fields[_FLAGS]) & _KERNEL_THREAD


def may_be_in_exec(pid: int) -> bool:
    """Whether an environment that reads as empty may be one that is not there yet.

    A process that has none has a place for it all the same. So has one, for a moment, whose place
    is known and not yet how much goes there.
    """
    fields = stat_fields(pid)
    if fields is None:
        return False
    start, end = int(fields[_ENV_START]), int(fields[_ENV_END])
    return start == 0 or start != end
