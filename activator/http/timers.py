"""Deadlines on the event loop: one timer for all of them, ticking only while there are any."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Protocol

from activator.http.deadlines import DeadlineWheel


class Expiring(Protocol):
    """What can wait for a deadline."""

    def expire(self, now: float) -> None:
        """A deadline may have passed."""


class Timers:
    """A clock, and a wheel that it turns."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self._wheel: DeadlineWheel[Expiring] = DeadlineWheel()
        self._is_ticking = False

    def watch(self, item: Expiring, deadline: float) -> None:
        """Call ``item.expire`` when this moment has passed."""
        if not self._is_ticking:
            self._is_ticking = True
            asyncio.get_running_loop().call_later(self._wheel.granularity, self._tick)
        self._wheel.add(item, deadline)

    def _tick(self) -> None:
        now = self.clock()
        for item in self._wheel.due(now):
            item.expire(now)
        if self._wheel:
            asyncio.get_running_loop().call_later(self._wheel.granularity, self._tick)
        else:
            self._is_ticking = False
