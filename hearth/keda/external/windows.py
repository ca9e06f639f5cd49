"""Requests a second over a sliding window of buckets. Pure: time is an argument, in seconds.

The add-on's ``pkg/queue/bucketing.go``, which is Knative's: buckets are of ``granularity``, and
while the window has not been filled since the first request, the average is over what has been.
Unlike there, it is per second whatever the granularity, and a granularity may be below one second.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field


@dataclass(slots=True)
class RequestWindow:
    """The requests of one route."""

    window: float
    granularity: float
    _buckets: dict[int, float] = field(default_factory=dict)
    _first: int | None = None

    @property
    def _length(self) -> int:
        return max(1, math.ceil(self.window / self.granularity))

    def record(self, now: float, requests: float) -> None:
        """So many have come since the last record."""
        if not requests:
            return
        index = self._index(now)
        self._forget(index)
        if self._first is None:
            self._first = index
        self._buckets[index] = self._buckets.get(index, 0.0) + requests

    def average(self, now: float) -> float:
        """Requests a second, over the window or as much of it as there is."""
        index = self._index(now)
        self._forget(index)
        if self._first is None:
            return 0.0
        buckets = min(index - self._first + 1, self._length)
        return sum(self._buckets.values()) / (buckets * self.granularity)

    def _index(self, now: float) -> int:
        return math.floor(now / self.granularity)

    def _forget(self, index: int) -> None:
        """What lies before the window; after one without a request it begins anew."""
        oldest = index - self._length
        for passed in [each for each in self._buckets if each <= oldest]:
            del self._buckets[passed]
        if not self._buckets:
            self._first = None
