"""Who watches what: a bounded backlog of changes for each watcher, and an index of them all.

The store fills the backlogs as it publishes changes; ``rest.handlers.watching`` empties them.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field

from hearth.cluster.model.objects import Change

MAX_CHANGES = 5000
MAX_BYTES = 32 * 1024 * 1024
"""How far a slow watcher may be behind before it is closed; its client resumes where it was."""


@dataclass(eq=False)
class Backlog:
    """The changes one watcher has not sent yet. ``closed`` ends the stream after them."""

    waiting: deque[Change] = field(default_factory=deque)
    size: int = 0
    """Bytes of the objects that wait."""
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    closed: bool = False

    def put(self, change: Change) -> None:
        """Adds a change; a backlog that grows beyond its bounds is dropped and closed."""
        if not self.closed:
            self.waiting.append(change)
            self.size += change.size
        if len(self.waiting) > MAX_CHANGES or self.size > MAX_BYTES:
            self.take()
            self.closed = True
        self.wake.set()

    def take(self) -> list[Change]:
        """All changes that wait, oldest first; none is left."""
        changes = list(self.waiting)
        self.waiting.clear()
        self.size = 0
        return changes

    def close(self) -> None:
        """Ends the watch once what waits is sent."""
        self.closed = True
        self.wake.set()


class Watchers:
    """All open watches, so that those of a removed kind, or all at the end, can be closed."""

    def __init__(self) -> None:
        self._backlogs: dict[str, set[Backlog]] = {}

    def add(self, resource: str, backlog: Backlog) -> None:
        """Registers a watch of a group resource such as ``deployments.apps``."""
        self._backlogs.setdefault(resource, set()).add(backlog)

    def remove(self, resource: str, backlog: Backlog) -> None:
        """Forgets a watch that has ended."""
        self._backlogs.get(resource, set()).discard(backlog)

    def close(self, resource: str) -> None:
        """Ends all watches of a group resource."""
        for backlog in self._backlogs.get(resource, ()):
            backlog.close()

    def close_all(self) -> None:
        """Ends all watches."""
        for resource in self._backlogs:
            self.close(resource)
