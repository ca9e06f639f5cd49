"""Simulations: how long a day of 10,000 services takes, and how far a prediction is from a run.

The day is ``--pattern fleet`` (most services idle most of the time). The prediction is of two
minutes of random requests, for a third of them ten times as many, at a Service with two slots.
Forecasts are held against the same requests without one.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

from hearth.simulation.durations import parse_durations
from hearth.simulation.fleet import Plan, simulate, simulate_one
from hearth.simulation.patterns import Drawn, chance_of, traces_of
from hearth.simulation.tally import MIDDLES
from hearth.simulation.target import target_of
from serving.api import keys
from serving.api.settings import Settings
from tests.bench.hearth import RunningHearth
from tests.bench.rows import Row, percentile, row
from tests.e2e.support import Hearth, a_service, wait_until
from tests.e2e.test_simulation import APP, SERVICE_SECONDS, average, counted, ready_pods, replay

SERVICES = 10_000
_DAY = 86_400
_SECONDS = 120
_TAIL = 25
_RATE = 25.0


def a_day() -> float:
    """Seconds for a day of many services, on all processors."""
    service_time, pod_start = parse_durations("lognormal:200ms,2s"), parse_durations("1s")
    plan = Plan(target_of(None, Settings()), service_time, pod_start, seconds=_DAY)
    traces = traces_of("fleet", rate=0, seconds=_DAY, services=SERVICES, seed=1)
    began = time.monotonic()
    simulate(traces, plan)
    return time.monotonic() - began


def a_prediction() -> list[Row]:
    """The same requests in a running Hearth and in a simulation."""
    moments = Drawn("bench", "step", _RATE, _SECONDS).moments(chance_of(7, "bench"))
    service = a_service("planned", image="bench/planned:1", containerConcurrency=2)
    with RunningHearth() as running:
        hearth = Hearth(running.data_dir, running.state)
        program, trace, manifest = (
            running.data_dir / name for name in ("app.py", "trace.txt", "service.json")
        )
        program.write_text(APP)
        hearth.run("image", "add", "bench/planned:1", "--", sys.executable, str(program))
        hearth.apply(service)
        wait_until(lambda: ready_pods(hearth) == 1, what="a pod")
        wait_until(lambda: ready_pods(hearth) == 0, what="asleep")
        host = f"planned.default.localhost:{hearth.port}"
        [cold] = asyncio.run(replay(hearth.port, host, [0.0]))
        wait_until(lambda: ready_pods(hearth) == 0, what="asleep again")
        with counted(hearth) as samples:
            took = asyncio.run(replay(hearth.port, host, moments))
            wait_until(lambda: samples and samples[-1][0] > _SECONDS + _TAIL, what="the end")
        trace.write_text("\n".join(f"{moment:.6f}" for moment in moments))
        manifest.write_text(json.dumps(service))
        told = json.loads(
            hearth.run(
                *("simulate", str(trace), "--service", str(manifest), "-o", "json"),
                *("--for", f"{_SECONDS + _TAIL}s", "--service-time", f"{SERVICE_SECONDS}s"),
                *("--pod-start", f"{cold - SERVICE_SECONDS:.4f}s"),
            ).stdout
        )
    width = (_SECONDS + _TAIL) / len(told["series"])
    predicted = sum(point["ready"] for point in told["series"]) * width
    real = average(samples, 0, _SECONDS + _TAIL) * (_SECONDS + _TAIL)
    waits = [max(0.0, seconds - SERVICE_SECONDS) * 1000 for seconds in took]
    return [
        row("pod seconds of a run", [real], "s", peers={"predicted": predicted}),
        row(
            "most pods of a run",
            [max(pods for _, pods in samples)],
            "pods",
            peers={"predicted": max(point["ready"] for point in told["series"])},
        ),
        row(
            "waiting p95 of a run",
            [percentile(waits, 0.95)],
            "ms",
            peers={"predicted": told["waiting"]["p95"] * 1000},
        ),
    ]


def a_forecast() -> list[Row]:
    """Three weeks of working days; counted is the third, once two were seen."""
    found = {asked: _third_week(asked) for asked in ("weekly", "")}
    (slow, hours), (slow_without, hours_without) = found["weekly"], found[""]
    return [
        row("waited over 1 s, forecast", [slow], "requests", peers={"without": slow_without}),
        row("pods, forecast", [hours], "pod hours", peers={"without": hours_without}),
    ]


def _third_week(forecast: str) -> tuple[float, float]:
    """Return how many requests waited for longer than a second, and the pod hours."""
    annotations = {keys.WINDOW.key: "60s"} | ({keys.FORECAST: forecast} if forecast else {})
    service = a_service("planned", annotations=annotations, containerConcurrency=4)
    plan = Plan(
        target_of(service, Settings()),
        parse_durations("500ms"),
        parse_durations("20s"),
        seconds=21 * _DAY,
        bins=21,
    )
    outcome = simulate_one(Drawn("workdays", "workdays", 40.0, 21 * _DAY), plan)
    slow = outcome.waits[14:].sum(axis=0)[MIDDLES > 1].sum()
    return float(slow), float(outcome.asked[14:].sum() * 24)


def rows() -> list[Row]:
    return [
        *a_forecast(),
        row("simulation of a day, 10,000 services", [a_day()], "s", at_most=60),
        *a_prediction(),
    ]
