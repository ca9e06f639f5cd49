"""What is fired, and what is missed."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventing.sources.ping.ticker import LATE_SECONDS, Due, Note, Ticker, missed_since
from hearth.kube.cronticks import Schedule

SECONDLY, MINUTELY = Schedule("* * * * * *"), Schedule("* * * * *")


def test_nothing_is_due_before_its_time() -> None:
    ticker = Ticker(MINUTELY, 30.0)
    assert ticker.next == 60
    assert ticker.take(59.9) == Due(None)
    assert ticker.take(60.2) == Due(60)
    assert ticker.next == 120


def test_of_several_at_once_the_last_is_fired() -> None:
    ticker = Ticker(SECONDLY, 0.0)
    assert ticker.take(4.5) == Due(4, missed=3)
    assert ticker.next == 5


def test_what_is_much_too_late_is_missed() -> None:
    ticker = Ticker(MINUTELY, 0.0)
    assert ticker.take(60 + LATE_SECONDS + 1) == Due(None, missed=1)
    assert ticker.take(300 + LATE_SECONDS) == Due(300, missed=3)


def test_a_clock_that_is_set_back_fires_nothing_twice() -> None:
    ticker = Ticker(MINUTELY, 0.0)
    assert ticker.take(61.0) == Due(60)
    assert ticker.take(1.0) == Due(None)
    assert ticker.take(60.0) == Due(None)
    assert ticker.take(120.0) == Due(120)


def test_a_year_is_not_counted_second_by_second() -> None:
    ticker = Ticker(SECONDLY, 0.0)
    due = ticker.take(31_000_000.0)
    assert due.tick is None and due.missed >= 1000
    assert ticker.next == 31_000_001


def test_a_schedule_that_ends_has_no_next() -> None:
    assert Ticker(Schedule("0 0 30 2 *"), 0.0).next is None
    assert Ticker(Schedule("0 0 30 2 *"), 0.0).take(1e9) == Due(None)


@given(st.lists(st.floats(0.01, 40.0), max_size=20))
def test_each_tick_is_fired_or_missed_once(steps: list[float]) -> None:
    ticker, now, fired, missed = Ticker(SECONDLY, 0.0), 0.0, [], 0
    for now in itertools.accumulate(steps):
        due = ticker.take(now)
        missed += due.missed
        if due.tick is not None:
            assert now - LATE_SECONDS <= due.tick <= now
            fired.append(due.tick)
    assert len(set(fired)) == len(fired)
    assert len(fired) + missed == int(now)


@pytest.mark.parametrize("text", [None, "", "x", "1", "x 5", "1 y"])
def test_notes_that_say_nothing(text: str | None) -> None:
    assert Note.read(text) is None


def test_a_note_is_read_as_it_was_written() -> None:
    note = Note(3, 1_764_000_000.0)
    assert Note.read(str(note)) == note


@pytest.mark.parametrize(
    ("schedule", "until", "missed"),
    [
        (MINUTELY, 115.0, 0),
        (MINUTELY, 120.0, 0),
        (MINUTELY, 121.0, 1),
        (MINUTELY, 600.0, 8),
        (SECONDLY, 69.0, 0),  # ticks right after the note are not noted
        (SECONDLY, 73.0, 2),
        (SECONDLY, 1e9, 1000),
    ],
)
def test_what_nobody_fired_is_counted(schedule: Schedule, until: float, missed: int) -> None:
    note = Note(1, 60.0)
    assert missed_since(note, schedule, generation=1, until=until) == missed
    assert missed_since(note, schedule, generation=2, until=until) == 0
