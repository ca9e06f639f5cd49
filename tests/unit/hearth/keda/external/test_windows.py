"""The average of a sliding window, held against a model that keeps every request."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearth.keda.external.windows import RequestWindow


def naive(
    records: list[tuple[float, float]], window: float, granularity: float, now: float
) -> float:
    length = math.ceil(window / granularity)
    current = math.floor(now / granularity)
    since: int | None = None
    seen: list[tuple[int, float]] = []
    for at, requests in records:
        index = math.floor(at / granularity)
        if requests:
            if not seen or index - seen[-1][0] >= length:
                since = index
            seen.append((index, requests))
    if since is None or current - seen[-1][0] >= length:
        return 0.0
    valid = [(index, requests) for index, requests in seen if index > current - length]
    buckets = min(current - since + 1, length)
    return sum(requests for _, requests in valid) / (buckets * granularity)


STEPS = st.lists(
    st.tuples(st.integers(0, 40).map(lambda n: n / 4), st.integers(0, 5).map(float)), max_size=30
)


@given(
    STEPS,
    st.sampled_from([1.0, 5.0, 10.0, 2.5]),
    st.sampled_from([0.5, 1.0, 2.0]),
    st.integers(0, 60).map(lambda n: n / 4),
)
def test_it_is_the_average_over_what_has_been_of_the_window(
    steps: list[tuple[float, float]], window: float, granularity: float, later: float
) -> None:
    kept = RequestWindow(window, granularity)
    now, records = 1000.0, []
    for pause, requests in steps:
        now += pause
        kept.record(now, requests)
        records.append((now, requests))
    now += later
    assert kept.average(now) == pytest.approx(naive(records, window, granularity, now))


def test_a_steady_rate_is_told_from_the_first_second_on() -> None:
    kept = RequestWindow(60.0, 1.0)
    for second in range(100):
        kept.record(second + 0.5, 7.0)
        assert kept.average(second + 0.5) == 7.0


def test_it_is_per_second_whatever_the_granularity() -> None:
    kept = RequestWindow(10.0, 2.0)
    for half in range(20):
        kept.record(half / 2, 3.0)
    assert kept.average(9.9) == 6.0


def test_a_window_without_requests_begins_anew() -> None:
    kept = RequestWindow(10.0, 1.0)
    kept.record(0.0, 100.0)
    assert kept.average(9.0) == 10.0
    assert kept.average(10.0) == 0.0
    kept.record(11.0, 5.0)
    assert kept.average(11.0) == 5.0
