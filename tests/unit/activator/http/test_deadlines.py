"""Coarse deadlines: never early, at most one step late."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from activator.http.deadlines import DeadlineWheel


def test_due_in_time_and_once() -> None:
    wheel: DeadlineWheel[str] = DeadlineWheel(0.1)
    wheel.add("a", 1.0)
    wheel.add("c", 2.0)
    assert wheel.due(1.0) == []
    assert wheel.due(1.2) == ["a"]
    assert wheel.due(1.2) == []
    assert bool(wheel)
    assert wheel.due(10.0) == ["c"]
    assert not wheel


@given(st.lists(st.floats(0, 100), max_size=20), st.floats(0, 110))
def test_never_early_and_at_most_one_step_late(deadlines: list[float], now: float) -> None:
    wheel: DeadlineWheel[int] = DeadlineWheel(0.5)
    for number, deadline in enumerate(deadlines):
        wheel.add(number, deadline)
    fired = set(wheel.due(now))
    for number, deadline in enumerate(deadlines):
        if number in fired:
            assert deadline <= now
        else:
            assert deadline > now - 0.5
