"""Leaving ticks out changes nothing: every result is that of the loop that decides on each tick."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hearth.simulation.patterns import Drawn, Timer
from hearth.simulation.target import Target
from tests.unit.hearth.simulation.simulating import a_plan, a_target, outcome, same


@st.composite
def targets(draw: st.DrawFn) -> Target:
    window = draw(st.sampled_from([6.0, 20.0, 60.0]))
    share = draw(st.sampled_from([0.1, 0.5]))
    concurrency = draw(st.sampled_from([0, 1, 2, 10]))
    usual = 0.7 * (concurrency or 100)
    return a_target(
        concurrency,
        target=usual * draw(st.sampled_from([1.0, 0.1])),
        stable_window=window,
        panic_window=max(1.0, float(int(window * share + 0.5))),
        panic_threshold=draw(st.sampled_from([1.1, 2.0])),
        scale_down_delay=draw(st.sampled_from([0.0, 0.0, 10.0])),
        activation_scale=draw(st.sampled_from([0, 0, 3])),
        weighted=draw(st.sampled_from([False, False, True])),
        metric=draw(st.sampled_from(["concurrency", "rps"])),
        bounds={
            "min_scale": draw(st.sampled_from([0, 0, 1, 3])),
            "max_scale": draw(st.sampled_from([0, 4])),
            "retention": draw(st.sampled_from([0.0, 30.0])),
            "scale_to_zero": draw(st.booleans()),
        },
    )


@st.composite
def traces(draw: st.DrawFn) -> Drawn | Timer:
    name = f"seed-{draw(st.integers(0, 10_000))}"
    seconds = draw(st.sampled_from([150, 500, 2000]))
    if draw(st.integers(0, 4)) == 0:
        return Timer(name, draw(st.sampled_from([1.0, 7.0, 61.0, 90.0])), seconds)
    shape = draw(st.sampled_from(["constant", "step", "spike", "bursts"]))
    return Drawn(name, shape, draw(st.sampled_from([0.005, 0.05, 0.5, 4.0, 20.0])), seconds)


@pytest.mark.parametrize("exact_requests", [1e9, 0.0], ids=["by the request", "by the second"])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    target=targets(),
    trace=traces(),
    service_time=st.sampled_from(["exponential:200ms", "fixed:3s", "lognormal:20ms,2s"]),
    timeout=st.sampled_from([300.0, 4.0]),
)
def test_skipping_ticks_changes_no_result(
    exact_requests: float, target: Target, trace: Drawn | Timer, service_time: str, timeout: float
) -> None:
    plan = a_plan(
        replace(target, timeout_seconds=timeout),
        service_time=service_time,
        seconds=trace.seconds + 150,
        exact_requests=exact_requests,
    )
    quick = outcome(trace, plan)
    plain = outcome(trace, replace(plan, skips=False))
    assert same(quick, plain)
    assert quick.decided <= plain.decided


@pytest.mark.parametrize("exact_requests", [1e9, 0.0], ids=["by the request", "by the second"])
def test_most_ticks_of_a_steady_service_are_left_out(exact_requests: float) -> None:
    plan = a_plan(seconds=3600, exact_requests=exact_requests)
    steady = outcome(Drawn("steady", "constant", 2.0, 3600), plan)
    assert steady.decided < 150
    assert steady.most_pods == 1
