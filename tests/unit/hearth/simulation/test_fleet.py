"""Many services, what is said of them, and how it is drawn."""

from __future__ import annotations

import json
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest

from hearth.simulation.fleet import simulate
from hearth.simulation.patterns import Drawn, Timer, traces_of
from hearth.simulation.plot import draw
from hearth.simulation.report import report, report_text
from hearth.simulation.tally import MIDDLES, class_of, percentile
from tests.unit.hearth.simulation.simulating import a_plan

PLAN = a_plan(service_time="exponential:200ms", seconds=1200, exact_requests=500.0)


def test_services_add_up_and_in_any_order() -> None:
    traces = [Drawn(f"s{number}", "step", 0.1 * 4**number, 900) for number in range(4)]
    alone = [simulate([trace], PLAN).total for trace in traces]
    together = simulate(traces, PLAN)
    again = simulate(traces[::-1], PLAN)
    assert together.total.requests == sum(each.requests for each in alone)
    assert together.total.pod_seconds == pytest.approx(sum(each.pod_seconds for each in alone))
    assert np.allclose(together.total.ready, sum(each.ready for each in alone))
    assert together.top == again.top
    assert together.top[0].name == "s3"
    assert 0 < together.total.exact < 4


def test_several_processes_come_to_the_same_result() -> None:
    traces = [*traces_of("bursts", rate=2.0, seconds=600, services=5, seed=3), Timer("t", 9.0, 600)]
    plan = replace(PLAN, seconds=600)
    one, two = simulate(traces, plan), simulate(traces, replace(plan, processes=2))
    assert (one.total.waits == two.total.waits).all()
    assert one.total.pod_seconds == pytest.approx(two.total.pod_seconds)
    assert one.top == two.top


def test_percentiles_are_right_to_a_tenth() -> None:
    chance = np.random.default_rng(1)
    values = chance.lognormal(-2, 1.5, 20_000)
    counts = np.bincount([class_of(value) for value in values], minlength=len(MIDDLES)).astype(
        float
    )
    for share in (0.5, 0.95, 0.99):
        assert percentile(counts, share) == pytest.approx(np.quantile(values, share), rel=0.1)
    assert percentile(np.zeros(len(MIDDLES)), 0.5) == 0.0
    assert (class_of(0.0), class_of(0.0005), class_of(1e9)) == (0, 1, len(MIDDLES) - 1)


def test_a_report_is_whole_and_can_be_read() -> None:
    traces = traces_of("spike", rate=30.0, seconds=600, services=3, seed=1)
    plan = replace(PLAN, seconds=720)
    told = report(simulate(traces, plan), plan, took=1.25)
    assert json.loads(json.dumps(told)) == told
    assert told["services"] == 3
    assert told["meanPods"] * 720 == pytest.approx(told["podSeconds"], rel=0.001)
    assert len(told["series"]) == plan.bins
    requests = sum(point["requestsPerSecond"] for point in told["series"]) * 720 / plan.bins
    assert requests == pytest.approx(told["requests"], rel=0.01)
    assert told["latency"]["p50"] > told["waiting"]["p50"]
    assert told["method"]["ticks"] == 3 * 360
    text = report_text(told)
    assert "3 services, 12 min" in text
    assert "cold starts" in text and "costs most" in text
    assert "simulated in 1.2 s: 0 by the request, 3 by the second" in text


def test_the_plot_is_an_svg_with_all_series() -> None:
    plan = replace(PLAN, seconds=600)
    told = report(simulate([Drawn("x", "step", 20.0, 600)], plan), plan, took=0.0)
    root = ElementTree.fromstring(draw(told))
    lines = root.findall("{http://www.w3.org/2000/svg}polyline")
    assert len(lines) == 6
    for line in lines:
        points = [tuple(map(float, point.split(","))) for point in line.attrib["points"].split()]
        assert len(points) == 2 * plan.bins
        assert all(0 <= x <= 960 for x, _ in points)
    labels = {text.text for text in root.iter("{http://www.w3.org/2000/svg}text")}
    assert {"pods", "requests per second", "waiting for a pod", "latency, seconds"} <= labels
    empty = report(simulate([Timer("t", 1e9, 600)], plan), plan, took=0.0)
    assert "NaN" not in draw(empty) and "nan" not in draw(empty)
