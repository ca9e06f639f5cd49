"""Averages and counts that lose nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activator.stats import BUCKETS, RequestStats
from hearth.observability.histogram import BOUNDS


def test_the_average_is_exact() -> None:
    stats = RequestStats(0.0)
    stats.enter(0.0)
    stats.enter(0.5)
    stats.leave(0.75, 200, 0.1)
    frame = stats.take(1.0, 3)
    assert (frame.average_concurrency, frame.requests, frame.queued) == (1.25, 2, 3)
    assert stats.take(2.0, 0).average_concurrency == 1.0


def test_an_end_is_traffic_until_it_is_reported() -> None:
    """A request that was reported as waiting and then ended must not be remembered as waiting."""
    stats = RequestStats(0.0)
    assert not stats.has_traffic()
    stats.enter(0.9)
    assert stats.take(1.0, 1).queued == 1
    stats.leave(1.5, 200, 0.6)
    assert stats.has_traffic()
    frame = stats.take(2.0, 0)
    assert (frame.average_concurrency, frame.requests, frame.queued) == (0.5, 0, 0)
    assert not stats.has_traffic()


def test_a_burst_after_a_pause_is_averaged_over_its_own_second() -> None:
    stats = RequestStats(0.0)
    for _ in range(100):
        stats.enter(60.25)
    for _ in range(100):
        stats.leave(60.75, 200, 0.5)
    frame = stats.take(61.0, 0, since=60.0)
    assert (frame.average_concurrency, frame.requests) == (50.0, 100)
    assert stats.take(62.0, 0, since=61.0).average_concurrency == 0.0


def test_a_pause_of_the_reporter_loses_nothing_and_adds_nothing() -> None:
    """Nobody was told for ten seconds: the average is that of all of them, not of the last one."""
    stats = RequestStats(0.0)
    stats.enter(5.0)
    assert stats.take(15.0, 0, since=14.0).average_concurrency == 1.0
    assert stats.take(25.0, 0, since=24.0).average_concurrency == 1.0


@given(st.lists(st.tuples(st.booleans(), st.floats(0.001, 1)), max_size=30))
def test_frames_lose_nothing(steps: list[tuple[bool, float]]) -> None:
    """However often frames are taken, integral and count are the same in the end."""
    whole, parts = RequestStats(0.0), RequestStats(0.0)
    now = integral = 0.0
    requests = taken_at = 0.0
    for enters, pause in steps:
        now += pause
        for stats in (whole, parts):
            if enters:
                stats.enter(now)
            elif stats.active:
                stats.leave(now, 200, 0.1)
        frame = parts.take(now, 0)
        integral += frame.average_concurrency * (now - taken_at)
        requests, taken_at = requests + frame.requests, now
    if now:
        frame = whole.take(now, 0)
        assert frame.average_concurrency * now == pytest.approx(integral, abs=1e-6)
        assert frame.requests == requests


def test_answers_are_told_once_failures_apart() -> None:
    stats = RequestStats(0.0)
    for status in (0, 101, 200, 204, 404, 500, 599):
        stats.enter(0.0)
        stats.leave(0.1, status, 0.02)
    place = BOUNDS.index(0.025)
    assert stats.take_answered() == {place: 3, BUCKETS + place: 2}
    assert stats.take_answered() == {}
    stats.enter(1.0)
    stats.leave(2.0, 503, 1e9)
    assert stats.take_answered() == {2 * BUCKETS - 1: 1}


def test_durations_by_class() -> None:
    stats = RequestStats(0.0)
    stats.leave(1.0, 200, 0.001)
    stats.leave(1.0, 204, 1000.0)
    stats.leave(1.0, 0, 0.1)
    ok, none = stats.durations[2], stats.durations[0]
    assert ok is not None and none is not None
    assert (ok.counts[0], ok.counts[len(BOUNDS)], ok.total) == (1, 1, 1000.001)
    assert stats.durations[5] is None
