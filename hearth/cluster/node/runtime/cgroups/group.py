"""Reads control groups, and makes them where we may: the thin shell over ``files``.

For a container of an engine: ``Group.of(pid)`` while it runs, ``read()`` for its usage,
``watch_memory()`` to learn at its end whether the kernel killed for memory. For groups of our own:
``child``, ``make``, ``limit``, ``remove``.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from hearth.cluster.node.runtime.cgroups.files import (
    FILES,
    Counters,
    Folders,
    Limits,
    limit_files,
    parse_counters,
    parse_groups,
    parse_mounts,
)

_REMOVE_TRIES, _REMOVE_SECONDS = 200, 0.005
_REMOVAL_SECONDS = 0.2


class Group:
    """One control group, in all trees."""

    def __init__(self, folders: Folders) -> None:
        self.folders = folders

    @classmethod
    def of(cls, pid: int | str = "self") -> Group | None:
        """The group of a process; None where it is gone."""
        try:
            text = Path(f"/proc/{pid}/cgroup").read_text()
            return cls(parse_groups(text, parse_mounts(Path("/proc/self/mountinfo").read_text())))
        except OSError:
            return None

    def read(self) -> Counters | None:
        """What the group uses now; None where it is gone. A fifth of a millisecond."""
        texts = {name: text for name in FILES if (text := self._read(name)) is not None}
        return parse_counters(texts) if texts else None

    def _read(self, name: str) -> str | None:
        controller = {"memory.stat": "memory", "oom": "memory"}.get(name, name)
        folder = self.folders.of(controller)
        if folder is None:
            return None
        try:
            return (folder / FILES[name][controller not in self.folders.v1]).read_text()
        except OSError:
            return None

    def watch_memory(self) -> MemoryWatch:
        """To be made while the group is there, closed when it is of no use any more."""
        return MemoryWatch(self)

    # -- groups of our own -----------------------------------------------------------------

    def child(self, *names: str) -> Group:
        """A group below this one, which may not be there yet."""
        return Group(self.folders.child(*names))

    def is_there(self) -> bool:
        """Whether it is there, in each tree."""
        return all(folder.is_dir() for folder in self.folders.all)

    def make(self) -> None:
        """Makes the group, in each tree; raises OSError where that is not allowed."""
        for folder in self.folders.all:
            folder.mkdir(parents=True, exist_ok=True)

    def limit(self, limits: Limits) -> None:
        """Sets limits; raises OSError where one cannot be set."""
        for file, text, may_be_missing in limit_files(limits, self.folders):
            try:
                file.write_text(text)
            except FileNotFoundError:
                if not may_be_missing:
                    raise

    def join_files(self) -> list[Path]:
        """Whoever writes a pid (0: its own) to all of these is in the group, children as well."""
        return [folder / "cgroup.procs" for folder in self.folders.all]

    def pids(self) -> set[int]:
        """The processes in the group itself."""
        found: set[int] = set()
        for file in self.join_files():
            with contextlib.suppress(OSError):
                found |= {int(each) for each in file.read_text().split()}
        return found

    def remove(self) -> bool:
        """Removes the group and those below it; whether it is gone.

        Waits for the kernel (1 s) to be through with processes that have just been killed.
        """
        for _ in range(_REMOVE_TRIES):
            if all([_removed(folder) for folder in self.folders.all]):
                return True
            time.sleep(_REMOVE_SECONDS)
        return False


def _removed(folder: Path) -> bool:
    try:
        for below in [each for each in folder.iterdir() if each.is_dir()]:
            _removed(below)
        folder.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


class MemoryWatch:
    """Knows whether the kernel has killed in a group for lack of memory.

    Also when the group has been removed since: of v1 by an eventfd that counts, of v2 by a look
    at the end of the first process, which takes an engine longer to clear up after than us to see.
    """

    def __init__(self, group: Group) -> None:
        self._group = group
        self._events = -1
        self._last: Counters | None = None
        if folder := group.folders.v1.get("memory"):
            with contextlib.suppress(OSError):
                self._listen(folder)

    def _listen(self, folder: Path) -> None:
        """Asks for a count for each lack of memory, and one for the removal of the group."""
        events = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        try:
            with open(folder / "memory.oom_control", "rb") as control:
                line = f"{events} {control.fileno()}"
                (folder / "cgroup.event_control").write_text(line)
        except BaseException:
            os.close(events)
            raise
        self._events = events

    def look(self) -> None:
        """To be called as soon as the first process has ended."""
        self._last = self._group.read()

    async def has_killed(self) -> bool:
        """Whether it has since the group was made; asked once, after the end of the container."""
        counters = self._group.read() or (self._last if self._events < 0 else None)
        if counters is not None:
            return counters.oom_kills > 0
        if self._events < 0:
            return False
        return self._count() + await asyncio.to_thread(self._later) > 1

    def _later(self) -> int:
        """The removal of a group is counted some milliseconds after it."""
        select.select([self._events], [], [], _REMOVAL_SECONDS)
        return self._count()

    def _count(self) -> int:
        try:
            return os.eventfd_read(self._events)
        except BlockingIOError:
            return 0

    def close(self) -> None:
        """Frees what it holds."""
        if self._events >= 0:
            os.close(self._events)
            self._events = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
