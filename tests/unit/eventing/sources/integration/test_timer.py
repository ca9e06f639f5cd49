"""Events of a timer: when, what, and what is no timer."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventing.sources.integration.timer import Timer


@given(
    st.floats(0.001, 1e6), st.floats(0, 1e9, allow_nan=False), st.floats(0, 1e7, allow_nan=False)
)
def test_the_next_tick_is_soon_and_not_over(period: float, begun: float, passed: float) -> None:
    timer, now = Timer("m", period), begun + passed
    tick = timer.next_tick(begun, now)
    slack = 1e-6 * max(period, begun, passed, 1.0)
    assert now - slack <= tick <= now + period + slack


def test_ticks_that_are_over_are_left_out() -> None:
    timer = Timer("m", 2.0)
    assert [timer.next_tick(10.0, now) for now in (10.0, 11.9, 12.0, 17.5)] == [12, 12, 14, 18]


def test_a_spec_is_read_as_the_api_server_completes_it() -> None:
    given = {"period": 250, "message": "hi", "contentType": "text/x", "repeatCount": 3}
    assert Timer.of(given) == Timer("hi", 0.25, "text/x", 3)
    assert Timer.of({}) == Timer("")
    assert Timer.of({"period": 0}).period_seconds > 0


@pytest.mark.parametrize("what", [None, 1, "x", {"period": "soon"}, {"period": []}])
def test_what_is_no_timer_is_refused(what: Any) -> None:
    with pytest.raises(ValueError):
        Timer.of(what)


def test_events_are_those_of_knatives_connector() -> None:
    event = Timer("hi", content_type="text/x").event("1", 0.0, {"Team": "one", "subject": "mine"})
    assert event.data == b"hi"
    assert event.attributes == {
        "specversion": "1.0",
        "id": "1",
        "type": "dev.knative.eventing.timer",
        "source": "dev.knative.eventing.timer-source",
        "subject": "timer-source",
        "time": "1970-01-01T00:00:00Z",
        "datacontenttype": "text/x",
        "team": "one",
    }
