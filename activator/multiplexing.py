"""Connections to one pod that carry many requests each, and who waits for another. No I/O.

Used by ``pools`` for pods that speak HTTP/2. A connection is handed out while its pod allows more
streams on it; when all are full another is opened, one at a time, however many wait.
"""

from __future__ import annotations

from collections import deque
from typing import Protocol

from activator.http.events import Connection
from activator.pods import Pod


class SharedConnection(Connection, Protocol):
    """A connection that carries several requests."""

    @property
    def has_room(self) -> bool:
        """Whether it takes another request."""

    @property
    def is_idle(self) -> bool:
        """Whether it carries nothing now."""

    @property
    def is_foreign(self) -> bool:
        """Whether its peer speaks something else."""

    def check(self) -> None:
        """See whether the peer is still there."""


class Caller(Protocol):
    """Who waits for a connection."""

    def on_connected(self, pod: Pod, connection: Connection) -> bool:
        """A connection is there; False when it is not needed any more."""

    def on_refused(self, pod: Pod) -> None:
        """The pod cannot be reached."""


class SharedPool:
    """The connections of one pod, oldest first: the younger ones may end when a burst is over."""

    __slots__ = ("connections", "is_closed", "is_dialing", "waiters")

    def __init__(self, *, is_closed: bool) -> None:
        self.connections: list[SharedConnection] = []
        self.waiters: deque[Caller] = deque()
        self.is_dialing = False
        self.is_closed = is_closed

    @property
    def idle(self) -> list[SharedConnection]:
        """Connections that nobody uses."""
        return [connection for connection in self.connections if connection.is_idle]

    def take(self, now: float) -> SharedConnection | None:
        """The oldest one that takes another request."""
        for connection in self.connections:
            if connection.is_usable(now):
                return connection
        return None

    def hand_out(self, pod: Pod, connection: SharedConnection) -> None:
        """A new connection: as many of those who wait may have it as it takes."""
        waiters = self.waiters
        if waiters and not connection.has_room:
            # It takes none at all: all hear of it, from the connection itself.
            self.waiters = deque()
            for caller in waiters:
                caller.on_connected(pod, connection)
            return
        while waiters and connection.has_room:
            waiters.popleft().on_connected(pod, connection)

    def refuse(self, pod: Pod) -> None:
        """The pod cannot be reached; who is told so may come back at once."""
        waiters, self.waiters = self.waiters, deque()
        for caller in waiters:
            caller.on_refused(pod)

    def keep(self, connection: SharedConnection) -> None:
        """Keep a connection, unless there will be no next request."""
        if self.is_closed or not connection.has_room:
            connection.close()
        else:
            self.connections.append(connection)

    def lose(self, connection: SharedConnection) -> None:
        """A connection has ended."""
        if connection in self.connections:
            self.connections.remove(connection)

    def trim(self, oldest: float) -> None:
        """Close those that were not used since then, and look after the others."""
        for connection in self.connections:
            connection.check()
        for connection in self.idle:
            if connection.idle_since() < oldest:
                self.connections.remove(connection)
                connection.close()

    def close(self) -> None:
        """Close all, each once its streams are over, and keep none from here on."""
        self.is_closed = True
        connections, self.connections = self.connections, []
        for connection in connections:
            connection.close()
