from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.autoscaler.windows import MaxWindow, TimedBuckets, WeightedBuckets

values = st.floats(min_value=0, max_value=1e6)


def test_average_counts_only_observed_seconds() -> None:
    buckets = TimedBuckets(60)
    for second in range(6):
        buckets.record(100 + second, 10)
    assert buckets.average(105) == 10


def test_seconds_without_a_record_between_two_count_as_zero() -> None:
    buckets = TimedBuckets(60)
    buckets.record(100, 10)
    buckets.record(103, 10)
    assert buckets.average(103) == 5


def test_seconds_after_the_last_record_do_not_count() -> None:
    buckets = TimedBuckets(10)
    for second in range(10):
        buckets.record(100 + second, second)
    assert buckets.average(109) == 4.5
    assert buckets.average(114) == pytest.approx(sum(range(5, 10)) / 5)


def test_a_window_of_silence_starts_anew() -> None:
    buckets = TimedBuckets(6)
    buckets.record(100, 100)
    buckets.record(110, 2)
    assert buckets.average(110) == 2
    assert buckets.first_write == 110


def test_empty_after_more_than_a_window() -> None:
    buckets = TimedBuckets(6)
    assert buckets.is_empty(0)
    buckets.record(100, 1)
    assert not buckets.is_empty(106)
    assert buckets.is_empty(107)
    assert buckets.average(107) == 0


def test_several_records_of_one_second_add_up() -> None:
    buckets = TimedBuckets(6)
    buckets.record(100.1, 1)
    buckets.record(100.9, 2)
    assert buckets.average(100.95) == 3


def test_a_late_record_lands_in_its_second_and_a_too_late_one_is_dropped() -> None:
    buckets = TimedBuckets(6)
    buckets.record(100, 1)
    buckets.record(103, 1)
    buckets.record(101, 2)
    buckets.record(97, 50)
    assert buckets.average(103) == 1


def test_resize_keeps_the_newest_seconds() -> None:
    buckets = TimedBuckets(10)
    for second in range(10):
        buckets.record(100 + second, second)
    buckets.resize(5, 109)
    assert buckets.average(109) == pytest.approx((5 + 6 + 7 + 8 + 9) / 5)
    buckets.resize(20, 109)
    assert buckets.average(109) == pytest.approx((5 + 6 + 7 + 8 + 9) / 5)


@given(st.lists(st.tuples(st.integers(0, 100), values), min_size=1), st.integers(1, 60))
def test_average_is_the_mean_of_a_plain_list(records: list[tuple[int, float]], window: int) -> None:
    buckets = TimedBuckets(window)
    records.sort(key=lambda record: record[0])
    for second, value in records:
        buckets.record(second, value)
    last = records[-1][0]
    first = buckets.first_write
    assert first is not None
    seconds = range(max(first, last - window + 1), last + 1)
    sums = [sum(v for at, v in records if at == second) for second in seconds]
    assert buckets.average(last) == pytest.approx(sum(sums) / len(sums), rel=1e-6, abs=1e-3)


@given(st.lists(values, min_size=1, max_size=100), st.integers(6, 60))
def test_weighted_average_lies_within_the_values(series: list[float], window: int) -> None:
    buckets = WeightedBuckets(window)
    for second, value in enumerate(series):
        buckets.record(second, value)
    assert 0 <= buckets.average(len(series) - 1) <= max(series) * 1.0001


def test_weighted_average_prefers_recent_values() -> None:
    rising, falling = WeightedBuckets(6), WeightedBuckets(6)
    for second in range(6):
        rising.record(second, second)
        falling.record(second, 5 - second)
    assert rising.average(5) > falling.average(5)


def test_weighted_average_of_a_constant_reaches_it() -> None:
    buckets = WeightedBuckets(60)
    for second in range(60):
        buckets.record(second, 10)
    assert math.isclose(buckets.average(59), 10, rel_tol=1e-3)


@given(
    st.integers(1, 20),
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 50)), min_size=1, max_size=50),
)
def test_max_window_is_the_maximum_of_a_plain_list(size: int, steps: list[tuple[int, int]]) -> None:
    window, tick, seen = MaxWindow(size), 0, []
    for gap, value in steps:
        tick += gap
        seen.append((tick, value))
        window = window.record(tick, value)
        assert window.current == max(v for t, v in seen if tick - t < size)
    assert len(window.entries) <= size


@given(
    window=st.sampled_from([1.0, 2.0, 5.0, 60.0]),
    records=st.lists(st.tuples(st.integers(0, 130), values), min_size=1, max_size=20),
    ticks=st.integers(1, 90),
    weighted=st.booleans(),
)
def test_recording_silence_at_once_is_recording_it_step_by_step(
    window: float, records: list[tuple[int, float]], ticks: int, weighted: bool
) -> None:
    kind = WeightedBuckets if weighted else TimedBuckets
    at_once, by_steps = kind(window), kind(window)
    begin = 0
    for second, value in sorted(records):
        begin = 1000 + second + second % 2
        for buckets in (at_once, by_steps):
            buckets.record(1000 + second, value)
    for tick in range(1, ticks + 1):
        by_steps.record(begin + 2 * tick, 0.0)
    end = begin + 2 * ticks
    at_once.record_silence(end, 2)
    assert at_once.first_write == by_steps.first_write
    assert at_once.empty_at == by_steps.empty_at
    for later in range(end, end + 70, 3):
        assert at_once.average(later) == by_steps.average(later)
        assert at_once.is_empty(later) == by_steps.is_empty(later)
        assert at_once.is_empty(later) == (later >= at_once.empty_at)
