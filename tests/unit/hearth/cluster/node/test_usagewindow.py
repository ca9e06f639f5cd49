from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hearth.cluster.node.usagewindow import (
    MACHINE,
    WINDOW_SECONDS,
    Count,
    Name,
    Reading,
    kept,
    rates,
)

WEB = ("default", "web", "main")


def a_reading(at: float, **seconds: float) -> Reading:
    counts: dict[Name, Count] = {("default", p, "main"): Count(s, 4096) for p, s in seconds.items()}
    return Reading(at, counts | {MACHINE: Count(at, 1 << 20)})


def test_a_rate_is_over_the_oldest_reading_that_is_kept() -> None:
    found = rates([a_reading(10, web=1.0), a_reading(11, web=1.2), a_reading(14, web=3.0)])
    assert found == [
        {"name": list(WEB), "memory": 4096, "window": 4, "cpu": 500_000_000},
        {"name": [], "memory": 1 << 20, "window": 4, "cpu": 1_000_000_000},
    ]


def test_who_is_new_or_began_anew_is_not_told_of() -> None:
    assert [e["name"] for e in rates([a_reading(10), a_reading(11, web=1.0)])] == [[]]
    assert [e["name"] for e in rates([a_reading(10, web=9.0), a_reading(11, web=1.0)])] == [[]]
    again = rates([a_reading(10, web=9.0), a_reading(11, web=1.0), a_reading(13, web=2.0)])
    assert again[0] == {"name": list(WEB), "memory": 4096, "window": 2, "cpu": 500_000_000}


def test_old_readings_and_those_of_a_clock_set_back_go() -> None:
    readings = [a_reading(0), a_reading(10), a_reading(99)]
    assert kept(readings, 10 + WINDOW_SECONDS) == readings[1:2]


@given(st.lists(st.tuples(st.floats(0.1, 9), st.floats(0, 9)), min_size=2, max_size=9))
def test_rates_are_never_negative(steps: list[tuple[float, float]]) -> None:
    at, used, readings = 0.0, 0.0, []
    for later, more in steps:
        at, used = at + later, used + more
        readings.append(a_reading(at, web=used))
    assert all(each["cpu"] >= 0 and each["window"] > 0 for each in rates(readings))
