"""What subscriptions hold in memory: each for itself, and all of a process together.

An event held by several subscriptions counts for each.
"""

from __future__ import annotations

import asyncio

from eventing.engines.event import StoredEvent
from eventing.runtime.config import SubscriptionLimits


class MemoryBudget:
    """What all subscriptions of a process hold together."""

    __slots__ = ("held_bytes", "limits")

    def __init__(self, limits: SubscriptionLimits) -> None:
        self.limits = limits
        self.held_bytes = 0

    @property
    def is_short(self) -> bool:
        """Whether each subscription should hold little, and go on from its log."""
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
        if budget.held_bytes > limits.process_bytes:
            return self.bytes > limits.short_fetch_bytes
        return self.bytes > limits.held_bytes or self.events > limits.held_events

    @property
    def fetch_bytes(self) -> int:
        """How much to fetch at once."""
        limits = self._budget.limits
        return limits.short_fetch_bytes if self._budget.is_short else limits.fetch_bytes

    async def wait_for_room(self) -> None:
        """Wait until half of the limits is free.

        Whoever holds nothing need not wait, so that memory held by others stops nobody.
        """
        limits = self._budget.limits
        while (
            self.bytes > limits.held_bytes // 2
            or self.events > limits.held_events // 2
            or (self._budget.is_short and self.events)
        ):
            self._room.clear()
            await self._room.wait()
