"""Many services: each by itself, the cheap way where that is good enough, on all processors."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from random import Random

import numpy as np

from hearth.simulation.durations import Durations
from hearth.simulation.exact import Exact
from hearth.simulation.patterns import chance_of
from hearth.simulation.stepped import Stepped
from hearth.simulation.tally import Outcome, Tally, percentile
from hearth.simulation.target import Target
from hearth.simulation.traces import Trace

_PARTS = 8
"""For each process, so that none waits long for the last one."""
_TOP = 10


@dataclass(frozen=True, slots=True)
class Plan:
    """How a simulation is done."""

    target: Target
    service_time: Durations
    pod_start: Durations
    seconds: int
    bins: int = 300
    seed: int = 0
    exact_requests: float = 5_000.0
    """Services with more requests than this are simulated by the second."""
    skips: bool = True
    processes: int = 0
    """0: one for each processor."""


@dataclass(frozen=True, slots=True)
class Share:
    """One service's share of what came of all."""

    name: str
    requests: float
    pod_seconds: float
    most_pods: int
    cold_starts: int
    p95: float
    """Seconds of waiting."""


@dataclass(frozen=True, slots=True)
class Result:
    """What came of all services, and which of them cost most."""

    total: Outcome
    top: tuple[Share, ...]


def simulate(traces: Sequence[Trace], plan: Plan) -> Result:
    """Simulate all of them; none knows of another."""
    processes = plan.processes or os.cpu_count() or 1
    ordered = sorted(traces, key=lambda trace: -trace.expected)
    if processes == 1 or len(ordered) < 2 * processes:
        return _merged([_simulate_some(ordered, plan)])
    count = min(len(ordered), processes * _PARTS)
    parts = [ordered[start::count] for start in range(count)]
    with ProcessPoolExecutor(processes) as pool:
        return _merged(pool.map(_simulate_some, parts, [plan] * len(parts)))


def _simulate_some(traces: Sequence[Trace], plan: Plan) -> Result:
    found = [(trace.name, simulate_one(trace, plan)) for trace in traces]
    shares = [_share(name, outcome) for name, outcome in found]
    total = found[0][1]
    for _, outcome in found[1:]:
        total.add(outcome)
    return Result(total, tuple(_top(shares)))


def _merged(results: Sequence[Result] | Iterator[Result]) -> Result:
    total: Outcome | None = None
    shares: list[Share] = []
    for result in results:
        shares += result.top
        if total is None:
            total = result.total
        else:
            total.add(result.total)
    assert total is not None
    return Result(total, tuple(_top(shares)))


def _top(shares: Sequence[Share]) -> list[Share]:
    return sorted(shares, key=lambda share: -share.pod_seconds)[:_TOP]


def _share(name: str, outcome: Outcome) -> Share:
    return Share(
        name,
        outcome.requests,
        outcome.pod_seconds,
        outcome.most_pods,
        outcome.cold_starts,
        percentile(outcome.waits.sum(axis=0), 0.95),
    )


def simulate_one(trace: Trace, plan: Plan) -> Outcome:
    """Simulate one service, by the request where that is affordable."""
    chance, random = chance_of(plan.seed, trace.name), Random(f"{plan.seed} {trace.name}")
    tally = Tally(float(plan.seconds), plan.bins)
    if trace.expected <= plan.exact_requests:
        return Exact(
            plan.target,
            trace.moments(chance),
            service_time=plan.service_time.draw,
            pod_start=plan.pod_start.draw,
            random=random,
            tally=tally,
            skips=plan.skips,
        ).run()
    per_second = np.zeros(plan.seconds)
    counted = trace.per_second(chance)[: plan.seconds]
    per_second[: len(counted)] = counted
    return Stepped(
        plan.target,
        per_second,
        service_seconds=plan.service_time.mean,
        pod_start=plan.pod_start.draw,
        random=random,
        tally=tally,
        skips=plan.skips,
    ).run()
