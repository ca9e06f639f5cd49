"""Forecasts: what a history says, how sure it is, and when it says nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.api.season import DAY, SLOT_SECONDS, parse_season
from serving.autoscaler.forecast import (
    LEAD_SECONDS,
    LEAST_SURE,
    MISSES,
    Forecast,
    Forecaster,
    History,
    changes_at,
)

DAILY = parse_season("daily")
EIGHT = 8 * 3600
PODS = st.floats(0, 4000)


def days(forecaster: Forecaster, needs: list[float], *, first: int = 0) -> None:
    """Let days pass with these needs from 8:00 to 9:00, a look every 10 s."""
    for day, need in enumerate(needs, first):
        for second in range(0, DAY, 10):
            now = float(day * DAY + second)
            forecaster.see(need if EIGHT <= second < EIGHT + 3600 else 0.0, now)


def a_forecaster(*needs: float) -> Forecaster:
    forecaster = Forecaster(DAILY, History(DAILY.slots), 0.0)
    days(forecaster, list(needs))
    return forecaster


def morning(forecaster: Forecaster, day: int, before: float = LEAD_SECONDS) -> Forecast:
    return forecaster.forecast(day * DAY + EIGHT - before)


def test_pods_are_wished_for_a_little_before_the_wave() -> None:
    forecaster = a_forecaster(6.2, 6.8, 6.5)
    assert morning(forecaster, 3, LEAD_SECONDS + 1).pods == 0
    told = morning(forecaster, 3)
    assert told.pods == 7
    assert told.text.startswith("08:00: 6.5 on average, seen 3 times, 9")
    assert morning(forecaster, 3, -1800).pods == 7
    assert morning(forecaster, 3, -3600).pods == 0


def test_a_history_of_one_day_says_nothing() -> None:
    told = morning(a_forecaster(6.0), 1)
    assert told == Forecast(0, "08:00: 6 on average, seen 1 times, 100% sure: nothing to go by")
    assert morning(a_forecaster(6.0, 6.0), 2).pods == 6


@pytest.mark.parametrize(
    "needs",
    [
        pytest.param([5, 0, 0, 5, 0, 0, 5, 0, 0], id="now and then"),
        pytest.param([1, 30, 2, 40, 1, 50, 1], id="never the same"),
        pytest.param([0, 0, 0, 0, 0, 9], id="once"),
        pytest.param([0, 0, 0], id="never"),
    ],
)
def test_useless_histories_say_nothing(needs: list[float]) -> None:
    told = morning(a_forecaster(*needs), len(needs))
    assert told.pods == 0
    assert told.text.endswith("nothing to go by")


def test_what_was_longer_ago_is_forgotten() -> None:
    forecaster = a_forecaster(*[10.0] * 5, *[3.0] * 9)
    assert 3 <= morning(forecaster, 14).pods <= 4


def test_a_little_traffic_is_a_pod() -> None:
    assert morning(a_forecaster(0.01, 0.3, 0.002), 3).pods == 1


def test_a_backlog_in_passing_does_not_count() -> None:
    forecaster = a_forecaster()
    for day in range(2):
        for second in range(0, DAY, 10):
            need = 300.0 if second < 60 else 5.0
            forecaster.see(need, float(day * DAY + second))
    assert forecaster.forecast(2 * DAY).pods == 5


def test_a_day_that_is_another_is_given_up_until_there_is_a_request() -> None:
    forecaster = a_forecaster(6.0, 6.0, 6.0, 6.0)
    start = 4 * DAY + EIGHT
    for second in range(0, MISSES * SLOT_SECONDS + 1, 10):
        forecaster.see(0.0, float(start + second))
    now = start + MISSES * SLOT_SECONDS
    told = forecaster.forecast(now)
    assert (told.pods, told.text.endswith("the last 3 foretold did not come")) == (0, True)
    forecaster.see(0.2, now + 10)
    assert forecaster.forecast(now + 10).pods >= 1


def test_what_was_not_seen_is_not_recorded() -> None:
    history = History(DAILY.slots)
    forecaster = Forecaster(DAILY, history, 100.0)  # within a slot
    assert not forecaster.see(9.0, 299.0)
    assert not forecaster.see(9.0, 301.0)
    assert history.expected(0).times == 0
    assert forecaster.see(9.0, 601.0)
    assert history.expected(1).times == 1
    assert not forecaster.see(9.0, 4000.0)  # the clock jumped, or the process stood still
    assert history.expected(2).times == 0


def test_it_is_known_when_it_may_say_something_else() -> None:
    lead = SLOT_SECONDS - LEAD_SECONDS
    assert [changes_at(now) for now in (0.0, lead - 1, lead, 299.5, 300.0)] == [
        lead,
        lead,
        300,
        300,
        300 + lead,
    ]


@given(st.lists(PODS, min_size=1, max_size=20))
def test_the_average_is_within_what_was_seen(values: list[float]) -> None:
    history = History(1)
    for value in values:
        history.record(0, value)
    expected = history.expected(0)
    assert min(values) - 0.1 <= expected.pods <= max(values) + 0.1
    assert 0 <= expected.sure <= 1
    assert expected.times == len(values)


@given(st.lists(st.tuples(st.integers(0, 287), PODS), max_size=40))
def test_a_history_is_kept_as_it_is(seen: list[tuple[int, float]]) -> None:
    history = History(DAILY.slots)
    for slot, pods in seen:
        history.record(slot, pods)
    kept = History.decode(history.encode(), DAILY.slots)
    assert [kept.expected(slot) for slot in range(288)] == [
        history.expected(slot) for slot in range(288)
    ]


@given(st.binary(max_size=200))
def test_anything_else_is_an_empty_history(kept: bytes) -> None:
    assert History.decode(kept, 288).expected(0).times == 0


def test_a_week_takes_kilobytes() -> None:
    history = History(2016)
    for times in range(6):
        for slot in range(2016):
            history.record(slot, (slot * 7919 % 997) / 10 + times)
    kept = history.encode()
    assert len(kept) < 8_000
    assert History.decode(kept[:-9], 2016).expected(5).times == 0
    assert History.decode(kept, 288).expected(5).times == 0


@given(st.lists(st.floats(0.1, 50), min_size=2, max_size=10))
def test_what_is_foretold_is_sure_and_no_more_than_was_needed(needs: list[float]) -> None:
    history = History(1)
    for need in needs:
        history.record(0, max(1.0, need))
    expected = history.expected(0)
    if expected.is_foretold:
        assert expected.sure >= LEAST_SURE
        assert expected.pods <= max(1.0, *needs) + 0.1
