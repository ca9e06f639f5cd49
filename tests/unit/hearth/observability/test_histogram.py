from __future__ import annotations

from hearth.observability.histogram import BOUNDS, Histogram


def test_buckets_are_cumulative() -> None:
    found = Histogram()
    for seconds in (0.001, 0.02, 0.02, 99):
        found.observe(seconds)
    counts = dict(found.buckets())
    assert (counts["0.001"], counts["0.01"], counts["0.025"]) == (1, 1, 3)
    assert (counts[str(BOUNDS[-1])], counts["+Inf"]) == (3, 4)
    assert found.total == 99.041
