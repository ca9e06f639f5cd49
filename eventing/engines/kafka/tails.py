"""The newest events of one partition, kept for all consumers of its log. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple

from eventing.engines.event import StoredEvent


class Portion(NamedTuple):
    """Events, and where to go on after them."""

    events: Sequence[StoredEvent]
    following: int
    oldest: int = 0
    """What lay before this has gone, where that is known."""


class Tail:
    """All events from ``start`` on, up to ``end``; nothing is known while ``end`` is None."""

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._offsets: list[int] = []
        self._events: list[StoredEvent] = []
        self._bytes = 0
        self.start = 0
        self.end: int | None = None

    def add(self, offset: int, event: StoredEvent | None) -> None:
        """Take the next record in; None for one that carries no event."""
        self.reach(offset)
        self.end = offset + 1
        if event is not None:
            self._offsets.append(offset)
            self._events.append(event)
            self._bytes += event.size
        if self._bytes > self._most:
            self._trim()

    def reach(self, offset: int) -> None:
        """Note that there is nothing between what is known and an offset."""
        if self.end is None:
            self.start = offset
        self.end = max(offset, self.end or 0)

    def _trim(self) -> None:
        """Let go of the older half."""
        gone = max(1, len(self._events) // 2)
        self._bytes -= sum(event.size for event in self._events[:gone])
        self.start = self._offsets[gone - 1] + 1
        del self._offsets[:gone], self._events[:gone]

    def has(self, offset: int) -> bool:
        """Whether all from an offset on is known here."""
        return self.end is not None and offset >= self.start

    def since(self, offset: int, max_bytes: int) -> Portion:
        """Return events from an offset on that ``has`` is true of, at least one if there is one."""
        first = at = bisect_left(self._offsets, offset)
        size = 0
        while at < len(self._events) and (at == first or size < max_bytes):
            size += self._events[at].size
            at += 1
        if at < len(self._events):
            return Portion(self._events[first:at], self._offsets[at])
        return Portion(self._events[first:], max(offset, self.end or 0))
