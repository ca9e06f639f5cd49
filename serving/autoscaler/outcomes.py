"""How a new revision's requests end, and whether that is within its Service's bounds. Pure.

Answers are counted by bucket of the time they took, as activators do; those of failures (5xx) come
after all others. What counts is the last minute, or longer where that has too few requests to say
anything: nothing is ever said of fewer than the bounds ask for.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping

from hearth.kube.durations import format_go_duration
from hearth.observability.histogram import BOUNDS
from serving.api.rollouts import Rollback

BUCKETS = len(BOUNDS) + 1
WINDOW_SECONDS = 60.0
_EDGES = (0.0, *BOUNDS, BOUNDS[-1])
"""What took longer than the last bound counts as that."""


class Tally:
    """What activators reported of one revision, as far back as it counts."""

    def __init__(self, least: int) -> None:
        """``least`` requests are kept, however long ago."""
        self._least = least
        self._reports: deque[tuple[float, Mapping[int, int]]] = deque()
        self._counts: Counter[int] = Counter()

    def add(self, now: float, counts: Mapping[int, int]) -> None:
        """Take a report; buckets that nobody knows are left out."""
        known = {bucket: n for bucket, n in counts.items() if 0 <= bucket < 2 * BUCKETS}
        self._reports.append((now, known))
        self._counts.update(known)
        total = self.requests
        while self._reports[0][0] <= now - WINDOW_SECONDS:
            oldest = self._reports[0][1]
            total -= sum(oldest.values())
            if total < self._least:
                return
            self._reports.popleft()
            self._counts.subtract(oldest)

    @property
    def requests(self) -> int:
        """How many requests have been answered."""
        return self._counts.total()

    @property
    def errors(self) -> int:
        """How many of them by a failure of the server."""
        return sum(self._counts[bucket] for bucket in range(BUCKETS, 2 * BUCKETS))

    def percentile(self, percent: int) -> float:
        """Return the seconds that so many of the requests took at most, estimated in a bucket."""
        wanted, seen = self.requests * percent / 100, 0
        for bucket in range(BUCKETS):
            here = self._counts[bucket] + self._counts[bucket + BUCKETS]
            if here and seen + here >= wanted:
                low, high = _EDGES[bucket], _EDGES[bucket + 1]
                return low + (high - low) * (wanted - seen) / here
            seen += here
        return 0.0


def verdict(bounds: Rollback, tally: Tally) -> str:
    """Return which bound is exceeded, with the numbers; "" for none, or too few requests."""
    if tally.requests < bounds.requests:
        return ""
    share = 100 * tally.errors / tally.requests
    if bounds.error_percent is not None and share > bounds.error_percent:
        return (
            f"{share:.1f}% of {tally.requests} requests failed ({tally.errors} of them), more than "
            f"{bounds.error_percent:g}%"
        )
    for bound in bounds.latencies:
        seconds = tally.percentile(bound.percentile)
        if seconds > bound.seconds:
            return (
                f"p{bound.percentile} of {tally.requests} requests was "
                f"{format_go_duration(round(seconds, 3))}, more than "
                f"{format_go_duration(bound.seconds)}"
            )
    return ""
