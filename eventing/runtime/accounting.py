"""What subscriptions hold in memory: each for itself, and all of a process together.

An event held by several subscriptions counts for each. While there is plenty of memory each may
hold as much as its own limit; from then on only a part of what is free (dynamic thresholds, as
switches share a buffer among queues): those that are stuck never take the last of it, so one that
comes later finds room.
"""

from __future__ import annotations

import asyncio

from eventing.engines.event import StoredEvent
from eventing.runtime.config import SubscriptionLimits

_PART = 16
"""Whoever wants more may hold this part of what is free."""


class MemoryBudget:
    """What all subscriptions of a process hold together."""

    __slots__ = ("held_bytes", "limits", "plenty")

    def __init__(self, limits: SubscriptionLimits) -> None:
        self.limits = limits
        self.held_bytes = 0
        self.plenty = limits.process_bytes - _PART * limits.held_bytes
        """While less is held, nobody's limit is less than its own."""

    @property
    def most(self) -> int:
        """How much one subscription may hold now."""
        limits, held = self.limits, self.held_bytes
        if held <= self.plenty:
            return limits.held_bytes
        part = (limits.process_bytes - held) // _PART
        return min(max(part, limits.short_fetch_bytes), limits.held_bytes)

    @property
    def is_short(self) -> bool:
        """Whether more is held than should be: who holds anything waits till that is settled."""
        return self.held_bytes > self.limits.process_bytes


class HeldEvents:
    """What one subscription holds."""

    __slots__ = ("_budget", "_room", "bytes", "events")

    def __init__(self, budget: MemoryBudget) -> None:
        self._budget = budget
        self._room = asyncio.Event()
        self.bytes = 0
        self.events = 0

    def add(self, event: StoredEvent) -> None:
        """Count an event that was taken."""
        size = event.size
        self.bytes += size
        self.events += 1
        self._budget.held_bytes += size

    def remove(self, event: StoredEvent) -> None:
        """Count an event that is settled."""
        size = event.size
        self.bytes -= size
        self.events -= 1
        self._budget.held_bytes -= size
        if not self._room.is_set():
            self._room.set()

    def clear(self) -> None:
        """Count everything as gone."""
        self._budget.held_bytes -= self.bytes
        self.bytes = self.events = 0

    @property
    def is_full(self) -> bool:
        """Whether further events of the tail are better read from the log later."""
        budget = self._budget
        limits = budget.limits
        most = limits.held_bytes if budget.held_bytes <= budget.plenty else budget.most
        return self.bytes > most or self.events > limits.held_events

    @property
    def fetch_bytes(self) -> int:
        """How much to fetch at once."""
        return self.fetched_within(self._budget.limits.held_bytes)

    def fetched_within(self, ahead: int) -> int:
        """How much to fetch at once by who holds no more than so many bytes."""
        limits = self._budget.limits
        half = min(self._budget.most, ahead) // 2
        return min(max(half, limits.short_fetch_bytes), limits.fetch_bytes)

    async def wait_for_room(self, ahead: int | None = None) -> None:
        """Wait until half of the limits, and of ``ahead`` in bytes, is free.

        Whoever holds nothing need not wait, so that memory held by others stops nobody.
        """
        budget, events = self._budget, self._budget.limits.held_events // 2
        ahead = budget.limits.held_bytes if ahead is None else ahead
        while (
            self.bytes > min(budget.most, ahead) // 2
            or self.events > events
            or (budget.is_short and self.events)
        ):
            self._room.clear()
            await self._room.wait()
