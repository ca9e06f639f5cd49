"""Schedules and forecasts in simulated time: who waits less, and what it costs."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from hearth.simulation.patterns import Drawn
from hearth.simulation.tally import Outcome
from hearth.simulation.target import Target, target_of
from hearth.simulation.traces import Recorded
from serving.api import keys
from serving.api.settings import Settings
from tests.unit.hearth.simulation.simulating import a_plan, given, outcome

DAY, HOUR = 86_400, 3600


def a_target(**annotations: str) -> Target:
    spec = {"containerConcurrency": 4, "containers": [{"image": "ko.local/hello"}]}
    template = {"metadata": {"annotations": annotations}, "spec": spec}
    return target_of(
        {
            "apiVersion": "serving.knative.dev/v1",
            "kind": "Service",
            "metadata": {"name": "planned"},
            "spec": {"template": template},
        },
        Settings(),
    )


def mornings(days: int, skipped: int = -1) -> Recorded:
    """From 8:00 on, for half an hour, 20 requests a second; on one day none."""
    wave = np.arange(8 * HOUR, 8 * HOUR + 1800)
    starts = np.concatenate([day * DAY + wave for day in range(days) if day != skipped])
    return Recorded("mornings", starts, np.full(len(starts), 20), days * DAY)


def simulated(trace: Any, days: int, **annotations: str) -> Outcome:
    target = a_target(**annotations)
    times = {"service_time": "fixed:500ms", "pod_start": "fixed:20s"}
    return outcome(trace, a_plan(target, seconds=days * DAY, bins=days * 24, **times))


def waited(found: Outcome, day: int) -> float:
    """Requests of a day that waited."""
    return float(found.waits[day * 24 : (day + 1) * 24, 1:].sum())


def pods(found: Outcome, day: int) -> list[float]:
    """Pods asked for in each hour of a day, on average."""
    return [float(each) for each in found.asked[day * 24 : (day + 1) * 24]]


def test_the_third_morning_waits_for_nothing() -> None:
    without = simulated(mornings(4), 4)
    with_forecast = simulated(mornings(4), 4, **{keys.FORECAST: "daily"})
    assert [waited(with_forecast, day) for day in (0, 1)] == [waited(without, d) for d in (0, 1)]
    assert waited(without, 2) > 100
    assert [waited(with_forecast, day) for day in (2, 3)] == [0, 0]
    assert with_forecast.pod_seconds < without.pod_seconds * 1.1


def test_a_holiday_costs_a_quarter_of_an_hour() -> None:
    found = simulated(mornings(5, skipped=3), 5, **{keys.FORECAST: "daily"})
    spent = pods(found, 3)
    assert sum(spent[7:9]) <= 4 * (1 / 4 + 2 / 60 + 1 / 30)
    assert sum(spent) == sum(spent[7:9])
    assert waited(found, 4) == 0  # it is foretold again


def test_what_comes_by_chance_is_not_foretold() -> None:
    trace = Drawn("chance", "constant", 8 / DAY, 6 * DAY)
    without = simulated(trace, 6)
    with_forecast = simulated(trace, 6, **{keys.FORECAST: "daily"})
    assert with_forecast.pod_seconds == pytest.approx(without.pod_seconds)
    assert with_forecast.cold_starts == without.cold_starts


def test_a_schedule_is_simulated() -> None:
    windows = [{"start": "0 8 * * 1-5", "end": "0 18 * * 1-5", "minScale": 3}]
    found = simulated(given([], 7 * DAY), 7, **{keys.SCHEDULE: json.dumps(windows)})
    assert [round(sum(pods(found, day)) / 3, 1) for day in range(7)] == [10.0] * 5 + [0.0] * 2
