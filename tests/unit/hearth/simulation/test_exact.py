"""A service request by request: what is known of Knative's autoscaler holds here too."""

from __future__ import annotations

import numpy as np
import pytest

from hearth.simulation.patterns import Drawn
from hearth.simulation.tally import percentile
from tests.unit.hearth.simulation.simulating import a_plan, a_target, given, outcome


def test_a_cold_request_waits_for_its_pod_and_the_pod_for_the_window() -> None:
    found = outcome(given([100.0]), a_plan())
    assert found.cold_starts == 1
    assert found.longest_wait == pytest.approx(0.5)
    # It is asked for at once; the window passes after the second in which the request ended.
    assert 60 < found.pod_seconds < 66


def test_a_request_while_the_pod_is_there_does_not_wait() -> None:
    found = outcome(given([100.0, 110.0, 150.0]), a_plan())
    assert found.cold_starts == 1
    waits = found.waits.sum(axis=0)
    assert (waits[0], waits.sum()) == (2, 3)


def test_a_burst_on_zero_gets_its_pods_in_one_step() -> None:
    burst = [100.0 + number / 10_000 for number in range(200)]
    found = outcome(given(burst), a_plan(a_target(10)))
    # Those that have come within the first 50 ms; Hearth's own goal is 200 / 7.
    assert found.most_pods == 29
    assert found.longest_wait < 1.2


def test_container_concurrency_holds_and_the_line_is_served_in_order() -> None:
    plan = a_plan(a_target(1, bounds={"max_scale": 1}), service_time="fixed:1s")
    found = outcome(given([100.0, 100.0, 100.0, 100.0]), plan)
    assert found.longest_wait == pytest.approx(3.5)
    assert found.longest_queue.max() == 4


def test_whoever_waits_for_too_long_is_told_so() -> None:
    target = a_target(1, bounds={"max_scale": 1})
    plan = a_plan(target, service_time="fixed:400s", seconds=900)
    found = outcome(given([100.0, 100.1]), plan)
    assert found.timed_out == 1
    assert found.requests == 2


def test_a_line_without_end_is_refused() -> None:
    crowd = list(np.linspace(100.0, 100.4, 10_500))
    found = outcome(given(crowd), a_plan(exact_requests=1e9))
    assert found.full == 500


def test_least_pods_are_there_from_the_beginning() -> None:
    found = outcome(given([100.0]), a_plan(a_target(bounds={"min_scale": 2})))
    assert found.pod_seconds == 1200
    assert (found.cold_starts, found.longest_wait) == (0, 0.0)


def test_the_number_of_pods_follows_the_load() -> None:
    """40 requests in flight, 7 of 10 a pod: six pods."""
    plan = a_plan(a_target(10), exact_requests=1e9)
    found = outcome(Drawn("load", "constant", 200.0, 600), plan)
    assert found.asked[30:].mean() == pytest.approx(6, abs=0.7)
    assert percentile(found.waits.sum(axis=0), 0.95) == 0.0
