"""Why a ScaledObject's target has the replicas it has: each trigger, each rule. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hearth.keda.api.scaledobject import ScaledObject
from hearth.keda.scalers.seam import MetricType
from hearth.keda.scaling.decide import Act, Decision, Situation, wanted
from hearth.keda.scaling.observing import Metric
from hearth.knative.explanation import Explanation, Step
from hearth.kube.durations import format_go_duration

SCALED_BY = "keda"


@dataclass(frozen=True, slots=True)
class Account:
    """One decision, with all it went by."""

    obj: ScaledObject
    at: Situation
    decision: Decision
    next_look: float
    """When triggers are read next, in Unix seconds."""
    interval: float


def explain(account: Account, now: float) -> Explanation:
    """Return what is said of a ScaledObject."""
    obj, at = account.obj, account.at
    return Explanation(
        obj.namespace,
        obj.name,
        SCALED_BY,
        wish=wanted(obj, at, account.decision),
        steps=tuple(_steps(account)),
        looks_again=_looks_again(account, now),
        facts=_facts(account),
    )


def _steps(account: Account) -> Iterator[Step]:
    obj, at, decision = account.obj, account.at, account.decision
    seen, result = at.observation, wanted(obj, at, decision)
    most = seen.wish(at.replicas)
    composed = obj.modifiers is not None
    for metric in seen.metrics:
        decides = not composed and metric.is_active and metric.wish(at.replicas) == most
        yield _of_metric(metric, at.replicas, decides)
    if seen.composite is not None:
        yield _of_metric(seen.composite, at.replicas, seen.composite.is_active)
    elif obj.modifiers is not None:
        text = f"{obj.modifiers.formula}: the autoscaler of the target works it out, ask for that"
        yield Step("formula", -1, text, decides=True)
        return
    if not seen.metrics:
        yield Step("cpu, memory", at.replicas, "read by the HPA itself")
    low, high = obj.spec.min_replica_count or 0, obj.max_replicas
    idle = obj.spec.idle_replica_count
    text = f"min {low}, max {high}" + (f", idle {idle}" if idle is not None else "")
    bounded = decision.replicas is None and result not in (most, at.replicas)
    yield Step("bounds", min(max(most, low), max(high, low)), text, decides=bounded)
    is_cooling = decision.look_again_at is not None
    decides = decision.act is not Act.NOTHING or is_cooling or result == at.replicas != most
    yield Step(decision.rule, result, _about(account), decides=decides)


def _of_metric(metric: Metric, replicas: int, decides: bool) -> Step:
    wish = metric.wish(replicas)
    if wish is None:
        return Step(metric.name, -1, metric.error or "not known: its failures are too many")
    spec = metric.spec
    by = f" x {max(1, replicas)} ready" if spec.type is MetricType.VALUE else ""
    state = "active" if metric.is_active else "not active"
    if metric.falls_back:
        state = "stands in for a failing trigger"
    text = f"ceil({metric.value:.6g} / {spec.target:.6g}{by}) = {wish}; {state}"
    return Step(metric.name, wish, text, decides)


def _about(account: Account) -> str:
    at, decision = account.at, account.decision
    if decision.look_again_at is not None:
        left = max(0, round(decision.look_again_at - at.now))
        return f"no trigger is active; zero in {format_go_duration(left)}"
    if decision.replicas is not None:
        return f"from {at.replicas} to {decision.replicas}"
    return {
        "active": "a trigger is active; from one on the HPA decides",
        "not active": "no trigger is active",
        "from one only": "no trigger is active; the HPA takes it down to one first, then to zero",
        "not known, so held": "a trigger fails: nothing is scaled in for what is not known",
    }.get(decision.rule, "nothing is changed")


def _looks_again(account: Account, now: float) -> str:
    every = format_go_duration(round(account.interval))
    text = f"in {max(0.0, account.next_look - now):.1f} s (each {every}), or when a trigger tells"
    if account.decision.look_again_at is not None:
        left = max(0, round(account.decision.look_again_at - now))
        text += f", and in {format_go_duration(left)} when the cooldown ends"
    return text


def _facts(account: Account) -> dict[str, Any]:
    seen, obj = account.at.observation, account.obj
    modifiers = obj.modifiers
    return {
        "triggers": [_fact(metric, account.at.replicas) for metric in seen.metrics],
        "formula": None if modifiers is None else modifiers.formula,
        "composite": None if seen.composite is None else _fact(seen.composite, account.at.replicas),
        "active": seen.is_active,
        "replicas": account.at.replicas,
        "lastActive": account.at.last_active,
        "errors": list(seen.errors),
        "hpa": obj.hpa_name,
    }


def _fact(metric: Metric, replicas: int) -> dict[str, Any]:
    return {
        "name": metric.name,
        "metric": metric.spec.name,
        "value": metric.value,
        "target": metric.spec.target,
        "type": metric.spec.type.value,
        "wish": metric.wish(replicas),
        "active": metric.is_active,
        "error": metric.error,
    }
