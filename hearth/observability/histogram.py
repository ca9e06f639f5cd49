"""A histogram for hot paths: two additions to observe, made readable only on scrape."""

from __future__ import annotations

from bisect import bisect_left
from typing import NamedTuple

BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Upper bounds in seconds; a last bucket takes the rest."""
_EDGES = (*(str(bound) for bound in BOUNDS), "+Inf")


class Exemplar(NamedTuple):
    """An observation with the trace that it was made in."""

    trace_id: bytes
    """32 hexadecimal digits."""
    seconds: float
    at: float
    """In seconds since 1970."""


class Histogram:
    """Counts observations by bucket, and sums them."""

    __slots__ = ("counts", "exemplars", "total")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS) + 1)
        self.total = 0.0
        # The last observation of each bucket that can be looked up, by the bucket's place.
        self.exemplars: dict[int, Exemplar] | None = None

    def observe(self, seconds: float) -> None:
        """Adds one observation."""
        self.counts[bisect_left(BOUNDS, seconds)] += 1
        self.total += seconds

    def exemplify(self, seconds: float, trace_id: bytes, at: float) -> None:
        """Say which trace an observation was made in; ``at`` is in seconds since 1970."""
        if self.exemplars is None:
            self.exemplars = {}
        self.exemplars[bisect_left(BOUNDS, seconds)] = Exemplar(trace_id, seconds, at)

    def buckets(self) -> list[tuple[str, float]]:
        """Returns cumulative counts by upper bound, as Prometheus has them."""
        buckets, so_far = [], 0
        for edge, count in zip(_EDGES, self.counts, strict=True):
            so_far += count
            buckets.append((edge, float(so_far)))
        return buckets
