"""Sliding windows of one-second buckets, and a window that remembers its maximum.

Used by the collector (averages) and by ``decide`` (delayed scale down). Time is an argument.
Numbers and edge cases are those of Knative's ``pkg/autoscaler/aggregation``.
"""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass

_PRECISION = 6  # digits kept in an average, so that sums of floats do not drift
_WEIGHT_PRECISION = 0.9999  # share of the weights that must lie within the window
_LOWEST_DECAY = 0.2  # with very long windows the weighted average must not become a plain one


class TimedBuckets:
    """Sums per second over a window; the average counts only seconds that have been observed.

    Seconds without a record between two records count as zero. Seconds after the last record do
    not count at all, and a whole window without a record starts the series anew.
    """

    def __init__(self, window_seconds: float) -> None:
        self.window = window_seconds
        self._buckets = _zeros(bucket_count(window_seconds))
        self._total = 0.0
        self._first: int | None = None
        self._last: int | None = None

    @property
    def first_write(self) -> int | None:
        """The second since when the series has been observed without a gap of a window."""
        return self._first

    @property
    def empty_at(self) -> float:
        """The first second at which nothing is within the window, if nothing more is recorded."""
        return -math.inf if self._last is None else math.floor(self._last + self.window) + 1

    def is_empty(self, now: float) -> bool:
        """Whether nothing was recorded within the window."""
        return self._last is None or math.floor(now) - self._last > self.window

    def record(self, now: float, value: float) -> None:
        """Add a value to the bucket of its second."""
        second = math.floor(now)
        if second != self._last:
            if self._last is not None and second + self.window <= self._last:
                return  # a whole window late
            self._advance(second)
        self._buckets[second % len(self._buckets)] += value
        self._total += value

    def record_silence(self, until: float, step: float) -> None:
        """Do as if 0 had been recorded every ``step`` seconds, the last time at ``until``.

        For who skips moments in which nothing happens; there was a record before.
        """
        second = math.floor(until)
        if self._last is None or step >= self.window:
            self._advance(second)
            return
        for skipped in range(self._last + 1, min(second, self._last + len(self._buckets)) + 1):
            position = skipped % len(self._buckets)
            self._total -= self._buckets[position]
            self._buckets[position] = 0.0
        self._last = max(self._last, second)

    def _advance(self, second: int) -> None:
        if self._last is None or second - self._last >= self.window:
            self._clear()
            self._first = self._last = second
            return
        if self._first is None or second < self._first:
            self._first = second
        for skipped in range(self._last + 1, second + 1):
            position = skipped % len(self._buckets)
            self._total -= self._buckets[position]
            self._buckets[position] = 0.0
        self._last = max(self._last, second)

    def _clear(self) -> None:
        self._buckets = _zeros(len(self._buckets))
        self._total = 0.0

    def average(self, now: float) -> float:
        """Return the average over the window, in values a second."""
        if self._first is None or self._last is None:
            return 0.0
        age = math.floor(now) - self._last
        if age >= self.window:
            return 0.0
        size, total = len(self._buckets), self._total
        for expired in range(self._last + 1, self._last + 1 + max(age, 0)):
            total -= self._buckets[expired % size]
        observed = min(self._last - self._first + 1, size - max(age, 0))
        return round(total / observed, _PRECISION)

    def resize(self, window_seconds: float, now: float) -> None:
        """Keeps as many of the newest seconds as both windows hold."""
        if window_seconds == self.window:
            return
        old, last = self._buckets, self._last
        kept_first = self._first
        empty = self.is_empty(now)
        self.window = window_seconds
        self._buckets = _zeros(bucket_count(window_seconds))
        self._total, self._first, self._last = 0.0, None, None
        if empty or last is None or kept_first is None:
            return
        kept = min(len(old), len(self._buckets), last - kept_first + 1)
        for second in range(last - kept + 1, last + 1):
            self._buckets[second % len(self._buckets)] = old[second % len(old)]
        self._total = math.fsum(self._buckets)
        self._first, self._last = last - kept + 1, last


class WeightedBuckets(TimedBuckets):
    """The same seconds, averaged with weights that decay exponentially with age."""

    def average(self, now: float) -> float:
        """Return the average, in which older seconds count less."""
        if self._last is None or self.is_empty(now):
            return 0.0
        size = len(self._buckets)
        decay = _smoothing_coefficient(size)
        age = max(math.floor(now) - self._last, 0)
        weight: float = decay * math.pow(1 - decay, age)
        total = 0.0
        for back in range(size - age):
            total += self._buckets[(self._last - back) % size] * weight
            weight *= 1 - decay
        return total


def _zeros(count: int) -> array[float]:
    return array("d", bytes(8 * count))


def bucket_count(window_seconds: float) -> int:
    """Return how many seconds a window holds."""
    return max(1, math.ceil(window_seconds))


def _smoothing_coefficient(buckets: int) -> float:
    """Return the decay at which the weights within the window sum up to at least 0.9999."""
    return max(1 - math.pow(1 - _WEIGHT_PRECISION, 1 / buckets), _LOWEST_DECAY)


@dataclass(frozen=True, slots=True)
class MaxWindow:
    """The largest value of the last ``size`` ticks, by the ascending minima algorithm.

    ``entries`` are (tick, value), oldest first, values falling: a value that is smaller and older
    than another one can never be the maximum again and is dropped.
    """

    size: int
    entries: tuple[tuple[int, int], ...] = ()

    def record(self, tick: int, value: int) -> MaxWindow:
        """Return the window with the value of a tick; ticks do not go back."""
        kept = [e for e in self.entries if e[1] > value and tick - e[0] < self.size]
        if kept and kept[-1][0] == tick:
            return MaxWindow(self.size, tuple(kept))
        return MaxWindow(self.size, (*kept, (tick, value)))

    @property
    def current(self) -> int:
        """The largest value; there must have been one."""
        return self.entries[0][1]
