"""The supervisor's decisions: order of start, pauses after deaths, the word of readiness."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearth.cli.roster import (
    FIRST_PAUSE,
    LONGEST_PAUSE,
    STEADY_SECONDS,
    ComponentState,
    Roster,
    StartFailed,
)


def a_roster() -> Roster:
    return Roster({"api": (), "control": ("api",), "gateway": ("api",)})


def started(roster: Roster, now: float = 0.0) -> None:
    """Starts what is due until nothing is, and lets everything become ready."""
    pid = 100
    while due := roster.due(now):
        for name in due:
            pid += 1
            roster.started(name, pid, now)
            roster.became_ready(name)


def test_a_component_starts_after_those_it_needs() -> None:
    roster = a_roster()
    assert roster.due(0) == ["api"]
    roster.started("api", 1, 0)
    assert roster.due(0) == []
    assert roster.seconds_until_due(0) is None
    roster.became_ready("api")
    assert roster.due(0) == ["control", "gateway"]


def test_ends_are_counted_and_kept() -> None:
    roster = a_roster()
    started(roster)
    roster.ended("control", 5.0, exit_code=-9)
    roster.started("control", 7, 6.0)
    roster.became_ready("control")
    roster.ended("control", 8.0, exit_code=1, last_words="ValueError: x")
    assert roster.states["control"] == ComponentState(
        pid=0,
        is_ready=False,
        restarts=2,
        exit_code=1,
        ended_at=8.0,
        last_words="ValueError: x",
    )
    assert roster.states["api"].restarts == 0


def test_readiness_of_all_is_told_once() -> None:
    roster = a_roster()
    for pid, name in enumerate(("api", "control", "gateway"), start=1):
        roster.started(name, pid, 0)
    told = [roster.became_ready(name) for name in ("gateway", "api", "control")]
    assert told == [False, False, True]
    roster.ended("control", 1)
    roster.started("control", 9, 2)
    assert roster.became_ready("control") is False


def test_one_that_ends_before_it_served_fails_the_start() -> None:
    roster = a_roster()
    roster.started("api", 1, 0)
    with pytest.raises(StartFailed, match=r"component api failed to start \(no room\)"):
        roster.ended("api", 1, last_words="no room")
    assert roster.pids == {}


def test_one_that_served_once_may_die_at_its_next_start() -> None:
    roster = a_roster()
    started(roster)
    roster.ended("api", 1)
    roster.started("api", 7, 2)
    roster.ended("api", 2)
    assert roster.due(2) == []


def test_the_needed_one_may_be_away_once_it_was_ready() -> None:
    roster = a_roster()
    started(roster)
    roster.ended("api", 100)
    roster.ended("control", 100)
    assert set(roster.due(100 + FIRST_PAUSE)) == {"api", "control"}


def test_one_that_leaves_serves_no_more_and_is_not_replaced_by_that() -> None:
    roster = a_roster()
    started(roster)
    pid = roster.pids["gateway"]
    roster.leaving("gateway")
    assert roster.states["gateway"] == ComponentState(pid=pid, is_ready=False)
    assert roster.due(100) == []


def test_a_successor_may_start_at_once_beside_one_that_ends_in_order() -> None:
    roster = a_roster()
    started(roster)
    roster.ended("gateway", 0, exit_code=-9, last_words="x")
    roster.started("gateway", 8, 1)
    roster.became_ready("gateway")
    roster.replaced("gateway", 2)
    assert roster.due(2) == ["gateway"]
    assert roster.states["gateway"] == ComponentState(
        pid=0, is_ready=False, restarts=2, exit_code=0, ended_at=2
    )


def test_what_nobody_wants_is_neither_started_nor_waited_for() -> None:
    roster = Roster({"api": (), "broker": ("api",)}, on_demand={"broker"})
    roster.started("api", 1, 0)
    assert roster.became_ready("api")
    assert roster.due(100) == []
    assert roster.seconds_until_due(100) is None
    assert roster.states["broker"] == ComponentState(pid=0, is_ready=False, is_wanted=False)


def test_what_is_wanted_starts_at_once() -> None:
    roster = Roster({"api": (), "broker": ("api",)}, on_demand={"broker"})
    started(roster)
    assert roster.wanted("broker")
    assert not roster.wanted("broker")
    assert not roster.wanted("nobody")
    assert roster.due(100) == ["broker"]


def test_what_was_wanted_before_the_others_are_ready_belongs_to_the_start() -> None:
    roster = Roster({"api": (), "broker": ("api",)}, on_demand={"broker"})
    roster.started("api", 1, 0)
    roster.wanted("broker")
    assert not roster.became_ready("api")
    roster.started("broker", 2, 0)
    with pytest.raises(StartFailed):
        roster.ended("broker", 1)


def test_what_fails_when_it_is_wanted_later_ends_nobody_else() -> None:
    roster = Roster({"api": (), "broker": ("api",)}, on_demand={"broker"})
    started(roster)
    roster.wanted("broker")
    roster.started("broker", 2, 50)
    roster.ended("broker", 51, exit_code=1)
    assert roster.seconds_until_due(51) == pytest.approx(FIRST_PAUSE)


def test_the_pause_doubles_and_is_bounded() -> None:
    roster = a_roster()
    started(roster)
    now, pauses = 0.0, []
    for _ in range(10):
        roster.ended("api", now)
        pause = roster.seconds_until_due(now)
        assert pause is not None
        pauses.append(pause)
        now += pause
        roster.started("api", 1, now)
    assert pauses[:3] == pytest.approx([FIRST_PAUSE, 2 * FIRST_PAUSE, 4 * FIRST_PAUSE])
    assert pauses[-1] == pytest.approx(LONGEST_PAUSE)


def test_one_that_lived_long_starts_again_after_the_first_pause() -> None:
    roster = a_roster()
    started(roster)
    roster.ended("api", 0)
    roster.started("api", 1, 1)
    roster.ended("api", 1 + STEADY_SECONDS)
    assert roster.seconds_until_due(1 + STEADY_SECONDS) == pytest.approx(FIRST_PAUSE)


def test_processes_come_in_order_of_start_and_without_stopped_ones() -> None:
    roster = a_roster()
    started(roster)
    assert list(roster.pids) == ["api", "control", "gateway"]
    roster.stopped("control")
    assert list(roster.pids) == ["api", "gateway"]


@given(st.lists(st.tuples(st.sampled_from(["api", "control", "gateway"]), st.floats(0, 20))))
def test_nothing_is_due_before_it_is_said_to_be(deaths: list[tuple[str, float]]) -> None:
    roster = a_roster()
    started(roster)
    now = 0.0
    for name, later in deaths:
        now += later
        if name in roster.pids:
            roster.ended(name, now)
        wait = roster.seconds_until_due(now)
        if wait is None:
            assert set(roster.pids) == {"api", "control", "gateway"}
        elif wait > 0:
            assert roster.due(now) == []
        for due in roster.due(now):
            assert due not in roster.pids
            roster.started(due, 1, now)


def test_who_rests_ends_in_order_and_starts_again_when_it_is_wanted() -> None:
    roster = Roster({"api": (), "ui": ("api",)}, on_demand={"ui"})
    started(roster)
    assert roster.is_asleep("ui")
    roster.wanted("ui")
    started(roster, now=1.0)
    assert not roster.is_asleep("ui")
    roster.resting("ui")
    assert not roster.is_asleep("ui")  # its process is still there
    roster.ended("ui", 2.0)
    assert (roster.is_asleep("ui"), roster.states["ui"].restarts, roster.due(2.0)) == (True, 0, [])
    roster.wanted("ui")
    assert roster.due(2.0) == ["ui"]
