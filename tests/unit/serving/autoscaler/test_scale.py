from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.api.schedule import Scheduled
from serving.autoscaler.scale import (
    NO_TRAFFIC,
    QUEUED,
    TIMED_OUT,
    Active,
    Bounds,
    Phase,
    Scale,
    active_condition,
    active_threshold,
    settle,
)

NOW = 1_000_000.0
BOUNDS = Bounds()


def phase(active: Active, *, for_seconds: float = 0.0, initialized: bool = True) -> Phase:
    return Phase(active, NOW - for_seconds, NOW - 3600 if initialized else None)


def settled(desired: int, at: Phase, bounds: Bounds = BOUNDS) -> Scale:
    return settle(desired, at, bounds=bounds, now=NOW)


@pytest.mark.parametrize(
    ("desired", "bounds", "expected"),
    [
        pytest.param(3, Bounds(), 3, id="unbounded"),
        pytest.param(1, Bounds(min_scale=2), 2, id="min-scale"),
        pytest.param(9, Bounds(max_scale=4), 4, id="max-scale"),
        pytest.param(0, Bounds(min_scale=1), 1, id="min-scale instead of zero"),
        pytest.param(0, Bounds(scale_to_zero=False), 1, id="scale to zero disabled"),
    ],
)
def test_bounds(desired: int, bounds: Bounds, expected: int) -> None:
    assert settled(desired, phase(Active.TRUE, for_seconds=999), bounds) == Scale(expected, True)


def test_undecided_applies_nothing_unless_activating() -> None:
    assert settled(-1, phase(Active.TRUE)) == Scale(-1, False)
    assert settled(-1, phase(Active.FALSE)) == Scale(-1, False)
    assert settled(-1, phase(Active.UNKNOWN), Bounds(min_scale=3)) == Scale(3, True)


def test_a_floor_wakes_what_sleeps_and_takes_nothing_from_what_is_awake() -> None:
    floor = Bounds(min_scale=3)
    assert settled(-1, phase(Active.FALSE), floor) == Scale(3, True)
    assert settled(-1, phase(Active.TRUE), floor) == Scale(-1, False)


@pytest.mark.parametrize(
    ("changes_in", "expected"),
    [
        pytest.param(10, 10, id="its own change is first"),
        pytest.param(45, 30, id="the window's end is first"),
        pytest.param(-1, 0, id="it is over already"),
    ],
)
def test_it_is_looked_at_again_when_a_schedule_changes(changes_in: float, expected: float) -> None:
    bounds = Bounds(scheduled=Scheduled(changes_at=NOW + changes_in))
    assert settled(0, phase(Active.TRUE, for_seconds=30), bounds).look_again_after == expected


def test_the_initial_scale_stays_for_a_moment_after_it_was_reached() -> None:
    def held(seconds: float, desired: int = 1, **bounds: Any) -> Scale:
        return settled(desired, Phase(Active.TRUE, NOW, NOW - seconds), Bounds(**bounds))

    assert held(2, initial=4) == Scale(4, apply=True, look_again_after=4)
    assert held(2, 7, initial=4).desired == 7
    assert held(6, initial=4) == Scale(1, apply=True)
    assert held(2, initial=4, reachable=False).desired == 1
    assert held(2, initial=1) == Scale(1, apply=True)


def test_initial_scale_counts_until_it_was_reached() -> None:
    bounds = Bounds(initial=4)
    assert settled(1, phase(Active.UNKNOWN, initialized=False), bounds).desired == 4
    assert settled(1, phase(Active.TRUE, initialized=True), bounds).desired == 1
    unreachable = replace(bounds, reachable=False)
    assert settled(1, phase(Active.UNKNOWN, initialized=False), unreachable).desired == 1


def test_activation_is_given_up_after_the_progress_deadline_and_a_buffer() -> None:
    waiting = settled(-1, phase(Active.UNKNOWN, for_seconds=600, initialized=False))
    assert waiting == Scale(-1, False, look_again_after=30)
    assert settled(-1, phase(Active.UNKNOWN, for_seconds=631)) == Scale(0, True)


def test_an_active_revision_keeps_one_pod_for_the_stable_window() -> None:
    assert settled(0, phase(Active.TRUE, for_seconds=20)) == Scale(1, True, look_again_after=40)
    assert settled(0, phase(Active.TRUE, for_seconds=60)) == Scale(0, True)


def test_the_last_pod_is_retained() -> None:
    bounds = Bounds(retention=45)
    assert settled(0, phase(Active.TRUE, for_seconds=60), bounds) == Scale(0, False)
    waiting = settled(0, phase(Active.FALSE, for_seconds=5), bounds)
    assert waiting == Scale(0, False, look_again_after=40)
    assert settled(0, phase(Active.FALSE, for_seconds=45), bounds) == Scale(0, True)


@given(
    st.integers(-1, 50),
    st.builds(
        Phase,
        st.sampled_from(Active),
        st.floats(NOW - 2000, NOW),
        st.none() | st.floats(NOW - 2000, NOW),
    ),
    st.builds(
        Bounds,
        min_scale=st.integers(0, 5),
        max_scale=st.sampled_from([0, 5, 20]),
        initial=st.integers(0, 5),
        reachable=st.booleans(),
        scale_to_zero=st.booleans(),
    ),
)
def test_what_is_applied_lies_within_the_bounds(desired: int, at: Phase, bounds: Bounds) -> None:
    scale = settled(desired, at, bounds)
    if not scale.apply:
        return
    assert scale.desired >= bounds.min_scale
    assert bounds.max_scale == 0 or scale.desired <= bounds.max_scale
    assert bounds.scale_to_zero or scale.desired > 0


def test_active_threshold() -> None:
    assert active_threshold(Bounds(initial=3), initialized=False) == 3
    assert active_threshold(Bounds(initial=3), initialized=True) == 1
    assert active_threshold(Bounds(min_scale=2), initialized=True) == 2
    assert active_threshold(Bounds(initial=0), initialized=False) == 0


ACTIVE, ACTIVATING, INACTIVE = Active.TRUE, Active.UNKNOWN, Active.FALSE


@pytest.mark.parametrize(
    ("want", "ready", "least", "was", "expected"),
    [
        pytest.param(0, 0, 1, ACTIVATING, (INACTIVE, *TIMED_OUT), id="gave up"),
        pytest.param(0, 5, 1, ACTIVE, (INACTIVE, *NO_TRAFFIC), id="idle"),
        pytest.param(-1, 0, 0, ACTIVATING, (INACTIVE, *NO_TRAFFIC), id="initial scale 0"),
        pytest.param(3, 1, 2, INACTIVE, (ACTIVATING, *QUEUED), id="not enough"),
        pytest.param(3, 2, 2, ACTIVATING, (ACTIVE, "", ""), id="enough"),
        pytest.param(-1, 0, 1, INACTIVE, None, id="unknown, was inactive"),
        pytest.param(-1, 0, 1, ACTIVATING, (ACTIVATING, *QUEUED), id="unknown, was activating"),
        pytest.param(-1, 0, 1, ACTIVE, (ACTIVATING, *QUEUED), id="unknown, lost its pods"),
        pytest.param(-1, 1, 1, INACTIVE, None, id="unknown, stays inactive"),
        pytest.param(-1, 1, 1, ACTIVATING, (ACTIVE, "", ""), id="unknown, came up"),
        pytest.param(-1, 1, 1, ACTIVE, (ACTIVE, "", ""), id="unknown, is up"),
    ],
)
def test_active_condition(
    want: int, ready: int, least: int, was: Active, expected: tuple[Active, str, str] | None
) -> None:
    assert active_condition(want, ready, min_ready=least, was=was) == expected


def given_up(*, ago: float, age: float = 40.0, **more: Any) -> Phase:
    return Phase(Active.FALSE, NOW - ago, None, gave_up_at_age=age, **more)


@pytest.mark.parametrize(
    ("age", "after"), [(40.0, 60.0), (630.0, 630.0), (100_000.0, 3600.0)], ids=str
)
def test_what_never_came_up_is_tried_again_ever_less_often(age: float, after: float) -> None:
    waits = settled(-1, given_up(ago=after - 5, age=age))
    assert waits == Scale(-1, False, look_again_after=5.0)
    assert settled(-1, given_up(ago=after, age=age), Bounds(initial=3)) == Scale(3, True)
    assert settled(0, given_up(ago=after, age=age), Bounds(initial=3, max_scale=2)) == Scale(
        2, True
    )


def test_it_is_tried_again_at_once_when_somebody_asks() -> None:
    assert settled(-1, given_up(ago=0, is_retried=True)) == Scale(1, True)


def test_what_has_served_before_waits_for_a_request() -> None:
    was_up = replace(given_up(ago=9999), initialized_at=NOW - 99999)
    assert settled(-1, was_up) == Scale(-1, False)
    assert settled(1, was_up) == Scale(1, True)


def test_what_no_route_leads_to_any_more_is_left_alone() -> None:
    assert settled(-1, given_up(ago=9999), Bounds(reachable=False)) == Scale(-1, False)
