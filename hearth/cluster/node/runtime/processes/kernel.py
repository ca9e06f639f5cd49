"""What only the kernel knows of processes: kills for lack of memory, and usage by session."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from hearth.cluster.node.runtime.processes.procfs import stat_fields

_SESSION, _RSS_PAGES = 3, 21  # positions in ``stat_fields``
_TICKS = slice(11, 15)
"""User and system time, then those of children that have ended: so a session's sum never falls."""


class OutOfMemoryWatch:
    """Counts the machine's kills for lack of memory."""

    def __init__(self) -> None:
        self._seen = _oom_kills()

    def has_killed(self) -> bool:
        """Whether there was one since this was last asked."""
        before, self._seen = self._seen, _oom_kills()
        return self._seen > before


def _oom_kills() -> int:
    try:
        for line in Path("/proc/vmstat").read_text().splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    except OSError:
        pass
    return 0


def usage_by_session() -> dict[int, tuple[float, int]]:
    """CPU seconds and resident bytes of each session of the machine, by the pid of its leader."""
    tick, page = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
    usage: dict[int, tuple[float, int]] = {}
    for fields in _all_processes(os.listdir("/proc")):
        session = int(fields[_SESSION])
        cpu, memory = usage.get(session, (0.0, 0))
        ticks = sum(map(int, fields[_TICKS]))
        usage[session] = (cpu + ticks / tick, memory + int(fields[_RSS_PAGES]) * page)
    return usage


def _all_processes(names: Iterable[str]) -> Iterator[list[bytes]]:
    for name in names:
        if name.isdigit():
            fields = stat_fields(int(name))
            if fields is not None:
                yield fields
