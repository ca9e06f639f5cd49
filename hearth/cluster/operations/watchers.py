"""Who watches what: a bounded line of changes for each watcher, and a list of all lines.

The store fills the lines as it publishes changes; ``handlers.watching`` empties them.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field

from hearth.cluster.model.objects import Change

MAX_WAITING = 5000
"""Changes a slow watcher may be behind before it is closed."""


@dataclass(eq=False)
class Line:
    """The changes one watcher has not sent yet. ``closed`` ends the stream after them."""

    waiting: deque[Change] = field(default_factory=deque)
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    closed: bool = False

    def put(self, change: Change) -> None:
        if len(self.waiting) >= MAX_WAITING:
            self.waiting.clear()
            self.closed = True
        if not self.closed:
            self.waiting.append(change)
        self.wake.set()

    def take(self) -> list[Change]:
        found = list(self.waiting)
        self.waiting.clear()
        return found

    def close(self) -> None:
        self.closed = True
        self.wake.set()


class Watchers:
    """All open watches, so that those of a removed kind, or all at the end, can be closed."""

    def __init__(self) -> None:
        self._lines: dict[str, set[Line]] = {}

    def add(self, resource: str, line: Line) -> None:
        self._lines.setdefault(resource, set()).add(line)

    def remove(self, resource: str, line: Line) -> None:
        self._lines.get(resource, set()).discard(line)

    def close(self, resource: str) -> None:
        for line in self._lines.get(resource, ()):
            line.close()

    def close_all(self) -> None:
        for resource in self._lines:
            self.close(resource)
