"""Connections to pods: opened, kept while nobody uses them, closed when their pod is over.

The only module that chooses a protocol for a pod. Who uses a connection sees ``Connection`` and
streams; a version that carries many streams on one connection hands the same one out again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Protocol

from activator.http.events import Connection
from activator.http.h1.client import ClientConnection
from activator.pods import Pod
from activator.tasks import TaskSet
from hearth.observability.histogram import Histogram


class Caller(Protocol):
    """Who waits for a connection."""

    def on_connected(self, pod: Pod, connection: Connection) -> bool:
        """A connection is there; False when it is not needed any more."""

    def on_refused(self, pod: Pod) -> None:
        """The pod cannot be reached."""


class Pools:
    """Idle connections by pod, the last used one at the end."""

    def __init__(
        self,
        clock: Callable[[], float],
        tasks: TaskSet,
        *,
        connect_seconds: float = 10.0,
        idle_seconds: float = 90.0,
    ) -> None:
        """``connect_seconds`` bounds opening a connection, ``idle_seconds`` its unused life."""
        self._clock = clock
        self._tasks = tasks
        self._connect_seconds = connect_seconds
        self._idle_seconds = idle_seconds
        self._idle: dict[Pod, list[ClientConnection]] = {}
        self._is_closed = False
        self.connect_durations = Histogram()
        self.connect_errors = 0

    def take(self, pod: Pod, now: float) -> Connection | None:
        """The most recently used idle connection that is good for a request."""
        try:
            idle = self._idle[pod]
            connection = idle.pop()
        except (KeyError, IndexError):
            return None
        if connection.is_usable(now):
            return connection
        return self._search(idle, connection, now)

    @staticmethod
    def _search(
        idle: list[ClientConnection], connection: ClientConnection, now: float
    ) -> Connection | None:
        """The next one that is good; those of which it cannot be told yet stay."""
        kept = []
        found = None
        idle.append(connection)
        while idle and found is None:
            connection = idle.pop()
            if connection.is_usable(now):
                found = connection
            elif connection.is_doubtful(now):
                kept.append(connection)
            else:
                connection.close()
        idle.extend(reversed(kept))
        return found

    def dial(self, pod: Pod, caller: Caller) -> None:
        """Open a connection for somebody."""
        name = f"dial-{pod.address[0]}:{pod.address[1]}"
        self._tasks.spawn(self._dial(pod, caller), name=name)

    async def _dial(self, pod: Pod, caller: Caller) -> None:
        started = self._clock()
        try:
            connection = await self._connect(pod, self._connect_seconds)
        except (OSError, TimeoutError, ValueError):
            # ValueError: a host of the forward proxy that no resolver can be asked for.
            self.connect_errors += 1
            caller.on_refused(pod)
            return
        self.connect_durations.observe(self._clock() - started)
        if not caller.on_connected(pod, connection):
            self.keep(pod, connection)

    async def warm(self, pod: Pod, seconds: float) -> None:
        """Open a connection to be there for the next request. Raises OSError or TimeoutError."""
        self.keep(pod, await self._connect(pod, seconds))

    async def _connect(self, pod: Pod, seconds: float) -> ClientConnection:
        async with asyncio.timeout(seconds):
            _, connection = await asyncio.get_running_loop().create_connection(
                lambda: ClientConnection(
                    self._clock, on_idle=partial(self.keep, pod), on_lost=partial(self._lose, pod)
                ),
                *pod.address,
            )
        return connection

    def keep(self, pod: Pod, connection: ClientConnection) -> None:
        """Keep a connection for the next request, unless its pod is over."""
        if pod.gone or self._is_closed or not connection.is_open:
            connection.close()
            return
        try:
            self._idle[pod].append(connection)
        except KeyError:
            self._idle[pod] = [connection]

    def _lose(self, pod: Pod, connection: ClientConnection) -> None:
        idle = self._idle.get(pod)
        if idle and connection in idle:
            idle.remove(connection)

    def idle(self, pod: Pod) -> int:
        """How many connections to a pod nobody uses."""
        return len(self._idle.get(pod, ()))

    def drop(self, pod: Pod) -> None:
        """A pod that gets no more requests needs no open connections."""
        for connection in self._idle.pop(pod, ()):
            connection.close()

    def trim(self) -> None:
        """Close connections that a burst has left behind; to be called now and then."""
        oldest = self._clock() - self._idle_seconds
        for idle in self._idle.values():
            stale = [connection for connection in idle if connection.idle_since() < oldest]
            for connection in stale:
                idle.remove(connection)
                connection.close()

    def close(self) -> None:
        """Close all, and keep none from here on."""
        self._is_closed = True
        for pod in list(self._idle):
            self.drop(pod)
