"""Where the time of a cold start went."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activator.phases import PHASES, Marks, durations, server_timing


def test_a_cold_start() -> None:
    marks = Marks(
        arrived=10, pod_seen=10.1, pod_ready=10.3, admitted=10.35, sent=10.36, answered=10.4
    )
    assert server_timing(durations(marks)) == (
        b"server-timing",
        b"scale;dur=100.0, start;dur=200.0, queue;dur=50.0, connect;dur=10.0, app;dur=40.0",
    )


@given(st.lists(st.floats(0, 100), min_size=6, max_size=6))
def test_phases_are_never_negative_and_add_up(times: list[float]) -> None:
    arrived, admitted, answered = sorted(times[:3])
    marks = Marks(arrived, times[3], times[4], admitted, times[5], answered)
    seconds = durations(marks)
    assert len(seconds) == len(PHASES)
    assert all(value >= 0 for value in seconds)
    assert sum(seconds) == pytest.approx(answered - arrived)
