"""How many events a second a namespace may send: a bucket that fills steadily. Pure.

It holds what a second gives, so that a burst of that size passes. A batch passes when the bucket is
not empty, however large it is: what it takes too much is waited for by those who come next.
"""

from __future__ import annotations


class Quota:
    """Shared by all addresses of a namespace. Times are on one monotonic clock, in seconds."""

    __slots__ = ("_at", "_rate", "_tokens")

    def __init__(self, rate: float, now: float) -> None:
        self._rate = rate
        self._tokens = self._most
        self._at = now

    @property
    def _most(self) -> float:
        return max(self._rate, 1.0)

    def take(self, count: int, now: float) -> float:
        """Return 0 where so many events may pass, else the seconds after which some may."""
        filled = self._tokens + max(0.0, now - self._at) * self._rate
        self._at = now
        self._tokens = min(filled, self._most)
        if self._tokens < 1.0:
            return (1.0 - self._tokens) / self._rate
        self._tokens -= count
        return 0.0
