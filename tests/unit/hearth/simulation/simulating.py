"""Targets, plans and traces for the tests of simulations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from hearth.simulation.durations import parse_durations
from hearth.simulation.fleet import Plan, simulate_one
from hearth.simulation.tally import Outcome
from hearth.simulation.target import Target, target_of
from hearth.simulation.traces import Moments
from serving.api.settings import Settings

USUAL = target_of(None, Settings())


def a_target(concurrency: int = 0, *, bounds: dict[str, Any] | None = None, **spec: Any) -> Target:
    """A revision with this containerConcurrency and other settings than usual."""
    total = float(concurrency or 100)
    made = {"target": 0.7 * total, "total": total, **spec}
    window = made.get("stable_window", 60.0)
    return replace(
        USUAL,
        container_concurrency=concurrency,
        spread_target=concurrency or 70,
        spec=replace(USUAL.spec, **made),
        bounds=replace(USUAL.bounds, **{"stable_window": window, **(bounds or {})}),
    )


def a_plan(target: Target = USUAL, **changes: Any) -> Plan:
    service_time = parse_durations(changes.pop("service_time", "fixed:200ms"))
    pod_start = parse_durations(changes.pop("pod_start", "fixed:500ms"))
    others = {"seconds": 600, "processes": 1, "bins": 60, **changes}
    return Plan(target, service_time, pod_start, **others)


def given(at: Sequence[float], seconds: int = 600) -> Moments:
    """A trace of these moments."""
    return Moments("given", tuple(at), seconds)


def same(one: Outcome, other: Outcome) -> bool:
    """Whether nothing but the number of decisions differs."""
    return (
        bool((one.waits == other.waits).all())
        and np.allclose(one.ready, other.ready, atol=1e-9)
        and np.allclose(one.asked, other.asked, atol=1e-9)
        and bool((one.longest_queue == other.longest_queue).all())
        and (one.cold_starts, one.most_pods) == (other.cold_starts, other.most_pods)
        and (one.full, one.timed_out) == (other.full, other.timed_out)
    )


def outcome(trace: Any, plan: Plan) -> Outcome:
    return simulate_one(trace, plan)
