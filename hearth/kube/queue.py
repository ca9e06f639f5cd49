"""A keyed work queue: each key at most once waiting and at most once in work.

The semantics of client-go's rate-limited work queue: a key added while in work runs once more
afterwards; a failed key waits 5 ms, doubling to 1000 s. What has not changed, and is only looked at
once more, waits behind what has (as in controller-runtime's priority queue), but not for ever.
"""

from __future__ import annotations

import asyncio
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

BASE_DELAY_SECONDS = 0.005
MAX_DELAY_SECONDS = 1000.0
_LATE_SHARE = 8
"""One key in so many is one that can wait, though there are others."""


def backoff(failures: int) -> float:
    """Return seconds to wait after so many failures in a row (1 or more)."""
    return min(BASE_DELAY_SECONDS * 2.0 ** min(failures - 1, 60), MAX_DELAY_SECONDS)


class WorkQueue(Generic[K]):
    """Keys to work on; ``get`` and ``done`` bracket the work on one."""

    def __init__(self) -> None:
        self._waiting: dict[K, None] = {}
        self._late: dict[K, None] = {}
        """Both in their order; a key is in one of them at most."""
        self._active: set[K] = set()
        self._again: set[K] = set()
        self._failures: dict[K, int] = {}
        self._timers: dict[K, asyncio.TimerHandle] = {}
        self._wakeup = asyncio.Event()
        self._turn = 0

    def __len__(self) -> int:
        return len(self._waiting) + len(self._late)

    def add(self, key: K, *, late: bool = False) -> None:
        """Add a key, unless it waits already; a ``late`` one goes behind all others."""
        if key in self._active:
            self._again.add(key)
        elif not late:
            self._late.pop(key, None)
            self._waiting.setdefault(key)
            self._wakeup.set()
        elif key not in self._waiting:
            self._late.setdefault(key)
            self._wakeup.set()

    def add_after(self, key: K, seconds: float) -> None:
        """Adds the key later; of two delays the earlier one counts, and work on it ends them."""
        if seconds <= 0:
            self.add(key)
            return
        loop = asyncio.get_running_loop()
        pending = self._timers.get(key)
        if pending is not None:
            if pending.when() <= loop.time() + seconds:
                return
            pending.cancel()
        self._timers[key] = loop.call_later(seconds, self._due, key)

    def _due(self, key: K) -> None:
        self._timers.pop(key, None)
        self.add(key)

    def retry(self, key: K, *, at_most: float = MAX_DELAY_SECONDS) -> float:
        """Adds a failed key after its back-off; returns the seconds until then."""
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        delay = min(backoff(failures), at_most)
        self.add_after(key, delay)
        return delay

    def forget(self, key: K) -> None:
        """The key succeeded: its next failure starts from the shortest delay."""
        self._failures.pop(key, None)

    async def get(self) -> K:
        """Wait for a key and take it. Whoever works on it says anew when to look again."""
        while not len(self):
            self._wakeup.clear()
            await self._wakeup.wait()
        key = self._take()
        self._active.add(key)
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()
        return key

    def _take(self) -> K:
        self._turn = (self._turn + 1) % _LATE_SHARE
        is_late = not self._waiting or (bool(self._late) and not self._turn)
        chosen = self._late if is_late else self._waiting
        key = next(iter(chosen))
        del chosen[key]
        return key

    def done(self, key: K) -> None:
        """End the work on a key; it runs again when it was added meanwhile."""
        self._active.discard(key)
        if key in self._again:
            self._again.discard(key)
            self.add(key)

    def close(self) -> None:
        """Cancels the delayed additions."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
