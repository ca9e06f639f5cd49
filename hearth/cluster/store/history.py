"""The recent changes in memory, so that watches and paged lists seldom need the disk. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from hearth.cluster.model.objects import Change

MAX_CHANGES = 4096
MAX_BYTES = 4 * 1024 * 1024
"""Kubernetes' watch cache keeps up to 102,400 events per resource; older ones are on disk here."""


class History:
    """The newest changes, bounded in number and bytes; all of those after ``floor``."""

    def __init__(
        self, floor: int, *, max_changes: int = MAX_CHANGES, max_bytes: int = MAX_BYTES
    ) -> None:
        self._changes: deque[Change] = deque()
        self._bytes = 0
        self._max_changes = max_changes
        self._max_bytes = max_bytes
        self.floor = floor

    def append(self, change: Change) -> None:
        """Adds the newest change and drops the oldest ones beyond the bounds."""
        self._changes.append(change)
        self._bytes += change.size
        while len(self._changes) > self._max_changes or self._bytes > self._max_bytes:
            oldest = self._changes.popleft()
            self._bytes -= oldest.size
            self.floor = oldest.revision

    def after(self, revision: int, resource: str) -> list[Change] | None:
        """The changes of a resource after a revision, or None where they are not all here."""
        if revision < self.floor:
            return None
        return list(self._newest_first(revision, resource))[::-1]

    def _newest_first(self, revision: int, resource: str) -> Iterator[Change]:
        for change in reversed(self._changes):
            if change.revision <= revision:
                return
            if change.now.key.resource == resource:
                yield change
