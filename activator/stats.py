"""Counting requests of one target without touching anything slow. Pure: time is an argument.

The hot path calls ``enter`` and ``leave``; the reporter takes a frame each second and
the metrics collector reads totals on scrape.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from hearth.observability.histogram import BOUNDS, Histogram

BUCKETS = len(BOUNDS) + 1
SERVER_ERRORS = 5
"""Status codes 500 to 599."""


@dataclass(frozen=True, slots=True)
class Frame:
    """What happened since the last frame."""

    average_concurrency: float
    requests: int
    queued: int


class RequestStats:
    """In-flight requests as a time integral, so that an average needs no sampling.

    A waiting request counts as in flight: it is demand, and the autoscaler must see it.
    """

    __slots__ = (
        "_active_when_taken",
        "_answered",
        "_began_at",
        "_changed_at",
        "_integral",
        "_requests",
        "_requests_before",
        "_taken_at",
        "active",
        "durations",
    )

    def __init__(self, now: float) -> None:
        self.active = 0
        self._active_when_taken = 0
        self._requests = self._requests_before = 0
        self._integral = 0.0
        self._changed_at = now
        self._taken_at = now
        # When traffic began after there was none to be taken.
        self._began_at = now
        # By response code class: 0 for requests that got no answer, 1 to 5, and those that no
        # standard names.
        self.durations: list[Histogram | None] = [None] * 10
        self._answered: list[int] = []

    def enter(self, now: float) -> None:
        """A request has come."""
        if not self.active and not self.has_traffic():
            self._began_at = now
        self._integral += (now - self._changed_at) * self.active
        self._changed_at = now
        self.active += 1
        self._requests += 1

    def leave(self, now: float, status: int, seconds: float) -> None:
        """A request is over: its status (0 for none) and how long it took."""
        self._integral += (now - self._changed_at) * self.active
        self._changed_at = now
        self.active -= 1
        histogram = self.durations[status // 100]
        if histogram is None:
            histogram = self.durations[status // 100] = Histogram()
        histogram.observe(seconds)

    @property
    def entered(self) -> int:
        """How many requests have ever come."""
        return self._requests_before + self._requests

    def exemplify(self, status: int, seconds: float, trace_id: bytes, at: float) -> None:
        """Say in which trace a request was that is over."""
        histogram = self.durations[status // 100]
        if histogram is not None:
            histogram.exemplify(seconds, trace_id, at)

    def has_traffic(self) -> bool:
        """Whether requests are in flight or not yet reported, their end included.

        Whoever was told that requests are in flight, or wait, must be told that they are over.
        """
        return bool(self.active or self._requests or self._active_when_taken)

    def take_answered(self) -> dict[int, int]:
        """How many requests were answered since the last time, by bucket; failures come last.

        Those that got no answer or went over to another protocol say nothing.
        """
        counts = [0] * (2 * BUCKETS)
        for kind, histogram in enumerate(self.durations):
            if kind > 1 and histogram is not None:
                first = BUCKETS if kind == SERVER_ERRORS else 0
                for bucket, count in enumerate(histogram.counts, first):
                    counts[bucket] += count
        before = self._answered or [0] * (2 * BUCKETS)
        self._answered = counts
        return {at: n - before[at] for at, n in enumerate(counts) if n > before[at]}

    def take(self, now: float, queued: int, since: float = -math.inf) -> Frame:
        """The frame since the last one; begins the next.

        ``since`` is when a frame was last due. Whoever had no traffic then has it since: an average
        over all the time in which no frame was taken would hide a burst after a pause.
        """
        integral = self._integral + (now - self._changed_at) * self.active
        elapsed = now - max(self._taken_at, min(self._began_at, since))
        average = integral / elapsed if elapsed > 0 else float(self.active)
        frame = Frame(average, self._requests, queued)
        self._active_when_taken = self.active
        self._integral = 0.0
        self._requests_before += self._requests
        self._requests = 0
        self._changed_at = self._taken_at = now
        return frame
