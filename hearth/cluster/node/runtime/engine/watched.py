"""A container that runs, or is about to, and its first process as it is seen from outside."""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import signal
from dataclasses import dataclass

from hearth.cluster.node.pod.listening import Listening
from hearth.cluster.node.runtime.cgroups.files import Counters
from hearth.cluster.node.runtime.cgroups.group import Group, MemoryWatch
from hearth.cluster.node.runtime.engine.console import Console
from hearth.cluster.node.runtime.engine.seam import State
from hearth.cluster.node.runtime.processes.kernel import usage_by_session
from hearth.cluster.node.runtime.processes.procfs import PARENT, stat_fields
from hearth.cluster.node.runtime.sockets import of_network


class Watched:
    """The first process of a container, seen from outside: its end needs nobody's word.

    Where it cannot be seen (an engine in a machine of its own) the engine is asked.
    """

    def __init__(self, pid: int) -> None:
        self.group = _group_of_its_own(pid) if pid else None
        self.memory: MemoryWatch | None = self.group.watch_memory() if self.group else None
        self._pid = pid
        self._end = asyncio.get_running_loop().create_future()
        self._pidfd = -1
        with contextlib.suppress(OSError):
            self._pidfd = os.pidfd_open(pid) if pid else -1
        if self.is_seen:
            asyncio.get_running_loop().add_reader(self._pidfd, self._ended)

    @property
    def is_seen(self) -> bool:
        """Whether its end is seen here."""
        return self._pidfd >= 0

    def _ended(self) -> None:
        asyncio.get_running_loop().remove_reader(self._pidfd)
        if self.memory is not None:
            self.memory.look()
        if not self._end.done():
            self._end.set_result(None)

    @property
    def has_ended(self) -> bool:
        """Whether one that is seen has ended by now."""
        if not self.is_seen:
            return False
        ended = select.poll()
        ended.register(self._pidfd, select.POLLIN)
        return bool(ended.poll(0))

    async def ended(self) -> None:
        """Waits for the end of a process that is seen."""
        await asyncio.shield(self._end)

    def signal(self, number: signal.Signals) -> bool:
        """Whether it could be sent, or there is nobody left to send it to."""
        if not self.is_seen:
            return False
        try:
            signal.pidfd_send_signal(self._pidfd, number)
        except ProcessLookupError:
            return True
        except PermissionError:
            return False
        return True

    def usage(self) -> Counters | None:
        """What its control group uses now; its session, where it has no group of its own."""
        if self.group is not None:
            return self.group.read()
        session = usage_by_session().get(self._pid)
        return None if session is None else Counters(*session)

    def listening(self) -> Listening | None:
        """Where its network is listened in; None where it is not seen."""
        return of_network(self._pid) if self.is_seen else None

    async def was_killed_for_memory(self) -> bool:
        """To be asked once, after the end."""
        return self.memory is not None and await self.memory.has_killed()

    def close(self) -> None:
        """Frees what it holds."""
        if self.is_seen:
            asyncio.get_running_loop().remove_reader(self._pidfd)
            os.close(self._pidfd)
            self._pidfd = -1
        if self.memory is not None:
            self.memory.close()


def _group_of_its_own(pid: int) -> Group | None:
    """None where a container is in the group of who made it: rootless with groups of version 1."""
    group, fields = Group.of(pid), stat_fields(pid)
    maker = Group.of(fields[PARENT].decode()) if fields is not None else None
    is_shared = group is not None and maker is not None and group.folders == maker.folders
    return None if is_shared else group


@dataclass(frozen=True, slots=True)
class Ready:
    """A container whose program runs, or is about to; ``image`` is for the status."""

    state: State
    watched: Watched
    console: Console | None
    image: str = ""
    image_id: str = ""
    """The engine's own name of the image."""
    waits: bool = False
    """Whether its program is the waiter, until the word."""

    async def close(self) -> None:
        """Lets go of it."""
        self.watched.close()
        if self.console is not None:
            await self.console.close()
