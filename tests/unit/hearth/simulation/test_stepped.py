"""By the second it comes out as by the request, within what the stream leaves out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hearth.simulation.patterns import Drawn
from hearth.simulation.tally import percentile
from tests.unit.hearth.simulation.simulating import a_plan, a_target, outcome


@pytest.mark.parametrize("concurrency", [0, 10])
@pytest.mark.parametrize(
    ("shape", "rate"), [("constant", 100.0), ("step", 80.0), ("spike", 400.0), ("bursts", 100.0)]
)
def test_pods_and_waiting_are_those_of_single_requests(
    shape: str, rate: float, concurrency: int
) -> None:
    trace = Drawn("compared", shape, rate, 600)
    # Room enough that chance makes nobody wait, which would mean panic for a minute.
    target = a_target(concurrency, target=5.0) if concurrency else a_target()
    plan = a_plan(target, service_time="exponential:200ms", seconds=720, exact_requests=1e9)
    exact = outcome(trace, plan)
    stepped = outcome(trace, replace(plan, exact_requests=0))
    assert (exact.exact, stepped.exact) == (1, 0)
    assert stepped.cold_starts == exact.cold_starts
    assert stepped.pod_seconds == pytest.approx(exact.pod_seconds, rel=0.2)
    assert stepped.most_pods == pytest.approx(exact.most_pods, rel=1.0, abs=1)
    slow, fast = (percentile(found.waits.sum(axis=0), 0.99) for found in (exact, stepped))
    assert fast == pytest.approx(slow, abs=0.2)


def test_an_overload_queues_until_it_is_refused_or_times_out() -> None:
    target = replace(a_target(10, bounds={"max_scale": 1}), timeout_seconds=20.0)
    trace = Drawn("too much", "constant", 100.0, 300)
    plan = a_plan(target, service_time="exponential:200ms", seconds=300, exact_requests=1e9)
    exact = outcome(trace, plan)
    stepped = outcome(trace, replace(plan, exact_requests=0))
    # One pod takes 50 requests/s, so half of them give up.
    assert exact.timed_out > 10_000
    assert stepped.timed_out == pytest.approx(exact.timed_out, rel=0.1)
    crowd = replace(trace, rate=3000.0, seconds=30)
    refused = outcome(crowd, replace(plan, exact_requests=0, seconds=30))
    assert refused.full > 50_000
    assert refused.longest_queue.max() == pytest.approx(10_000, rel=0.01)


def test_every_request_is_counted_once() -> None:
    trace = Drawn("counted", "spike", 300.0, 600)
    plan = a_plan(a_target(1), seconds=600, exact_requests=0)
    found = outcome(trace, plan)
    counted = found.waits.sum() + found.full + found.timed_out
    assert counted == pytest.approx(found.requests)
    assert found.waits.min() > -1e-6
