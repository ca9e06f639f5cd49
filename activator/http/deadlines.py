"""Coarse deadlines for many things at once. Pure: time is an argument.

A timer per request costs more than the request's own bookkeeping. Here a deadline is a set
insertion; one tick looks only at the buckets that are due. A deadline fires at most one
``granularity`` late and never early.
"""

from __future__ import annotations

from typing import Generic, TypeVar

T = TypeVar("T")


class DeadlineWheel(Generic[T]):
    """Items by the bucket in which they are due."""

    __slots__ = ("_buckets", "granularity")

    def __init__(self, granularity: float = 0.1) -> None:
        self.granularity = granularity
        self._buckets: dict[int, set[T]] = {}

    def __bool__(self) -> bool:
        return bool(self._buckets)

    def add(self, item: T, deadline: float) -> None:
        """Note a deadline. The same item may have several."""
        bucket = int(deadline / self.granularity) + 1
        items = self._buckets.get(bucket)
        if items is None:
            self._buckets[bucket] = {item}
        else:
            items.add(item)

    def due(self, now: float) -> list[T]:
        """Take out everything whose bucket has passed."""
        current = int(now / self.granularity)
        passed = sorted(bucket for bucket in self._buckets if bucket <= current)
        return [item for bucket in passed for item in self._buckets.pop(bucket)]
