"""Between zero and one, by KEDA's cases; and what holds of every run, by a simulated clock."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hearth.keda.api.keys import ZERO_FROM_ONE_ANNOTATION
from hearth.keda.api.scaledobject import ScaledObject
from hearth.keda.scaling.decide import Act, Decision, Situation, decide, polling_seconds, wanted
from hearth.keda.scaling.observing import Observation
from tests.unit.hearth.keda.scaling.builders import a_sample, a_scaledobject, cpu, look

NOW = 10_000.0


def decided(
    obj: ScaledObject,
    *values: float | None,
    replicas: int,
    last_active: float | None = None,
    created: float = 0.0,
    now: float = NOW,
) -> Decision:
    samples = [a_sample(value, index=index) for index, value in enumerate(values)]
    return decide(obj, Situation(look(obj, *samples), replicas, created, last_active, now))


def said(decision: Decision, kind: str) -> tuple[str, str]:
    found = next(each for each in decision.said if each.type == kind)
    return found.status, found.reason


def test_a_target_at_zero_gets_at_once_what_its_triggers_ask_for() -> None:
    decision = decided(a_scaledobject(), 12, replicas=0)
    assert (decision.act, decision.replicas) == (Act.ACTIVATE, 3)
    assert decision.last_active == NOW
    assert said(decision, "Active") == ("True", "ScalerActive")
    assert said(decision, "Ready") == ("True", "ScaledObjectReady")


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"maxReplicaCount": 2}, 2),
        ({"minReplicaCount": 4}, 4),
        ({"advanced": {"horizontalPodAutoscalerConfig": {"behavior": {"scaleUp": {}}}}}, 1),
        ({"advanced": {"horizontalPodAutoscalerConfig": {"behavior": {"scaleDown": {}}}}}, 3),
    ],
)
def test_how_many_at_once(spec: dict[str, Any], expected: int) -> None:
    assert decided(a_scaledobject(**spec), 12, replicas=0).replicas == expected


def test_while_active_the_hpa_decides() -> None:
    decision = decided(a_scaledobject(), 500, replicas=1)
    assert (decision.act, decision.replicas, decision.last_active) == (Act.NOTHING, None, NOW)


def test_some_triggers_fail_while_others_are_active() -> None:
    decision = decided(a_scaledobject(), 5, None, replicas=1)
    assert said(decision, "Ready") == ("Unknown", "PartialTriggerError")
    assert said(decision, "Active") == ("True", "ScalerActive")
    assert decided(a_scaledobject(), 5, None, replicas=0).act is Act.ACTIVATE


def test_zero_after_the_cooldown_and_no_sooner() -> None:
    obj = a_scaledobject(cooldownPeriod=60)
    held = decided(obj, 0, replicas=2, last_active=NOW - 60)
    assert (held.replicas, held.look_again_at) == (None, NOW)
    assert said(held, "Active") == ("False", "ScalerCooldown")
    over = decided(obj, 0, replicas=2, last_active=NOW - 60.1)
    assert (over.act, over.replicas) == (Act.DEACTIVATE, 0)
    assert said(over, "Active") == ("False", "ScalerNotActive")


def test_the_cooldown_is_five_minutes_where_nothing_is_said() -> None:
    assert decided(a_scaledobject(), 0, replicas=1, last_active=NOW - 299).replicas is None
    assert decided(a_scaledobject(), 0, replicas=1, last_active=NOW - 301).replicas == 0


def test_what_was_never_active_waits_for_the_initial_cooldown() -> None:
    obj = a_scaledobject(initialCooldownPeriod=30)
    assert decided(obj, 0, replicas=1, created=NOW - 29).replicas is None
    assert decided(obj, 0, replicas=1, created=NOW - 31).replicas == 0


def test_a_clock_set_back_holds_no_longer_than_the_period() -> None:
    held = decided(a_scaledobject(), 0, replicas=1, last_active=NOW + 1e6)
    assert held.look_again_at == NOW + 300


def test_idle_replicas() -> None:
    obj = a_scaledobject(idleReplicaCount=1, minReplicaCount=3)
    assert decided(obj, 9, replicas=1).replicas == 3
    assert decided(obj, 0, replicas=3).replicas == 1
    assert decided(obj, 0, replicas=1).replicas is None


def test_a_minimum_is_kept_without_triggers() -> None:
    obj = a_scaledobject(minReplicaCount=2)
    assert (decided(obj, 0, replicas=1).act, decided(obj, 0, replicas=1).replicas) == (
        Act.RAISE,
        2,
    )
    assert decided(obj, 0, replicas=5).replicas is None


def test_failures_hold_and_say_so() -> None:
    without = decided(a_scaledobject(), None, replicas=2)
    assert without.replicas is None
    assert said(without, "Ready") == ("False", "TriggerError")
    fallback = {"failureThreshold": 3, "replicas": 0}
    held = decided(a_scaledobject(fallback=fallback), 0, None, replicas=2)
    assert held.replicas is None
    assert said(held, "Ready") == ("True", "ScaledObjectReady")


def test_annotations_pause_one_way_and_force() -> None:
    paused_in = a_scaledobject(annotations={"autoscaling.keda.sh/paused-scale-in": "true"})
    assert decided(paused_in, 0, replicas=1).replicas is None
    assert decided(paused_in, 5, replicas=0).replicas == 1
    paused_out = a_scaledobject(annotations={"autoscaling.keda.sh/paused-scale-out": "x"})
    assert decided(paused_out, 5, replicas=0).replicas is None
    assert decided(paused_out, 0, replicas=1).replicas == 0
    forced = a_scaledobject(annotations={"autoscaling.keda.sh/force-activation": "true"})
    decision = decided(forced, 0, replicas=0)
    assert decision.replicas == 1
    assert "forced by annotation" in decision.said[1].message


def test_by_cpu_alone_a_target_stays() -> None:
    obj = a_scaledobject()
    situation = Situation(look(obj, cpu()), 1, 0.0, None, NOW)
    assert decide(obj, situation).replicas is None


def test_polling_is_each_30_seconds_where_nothing_is_said() -> None:
    assert (polling_seconds(None), polling_seconds(5)) == (30.0, 5.0)


def _final(obj: ScaledObject, *values: float | None, replicas: int) -> int:
    samples = [a_sample(value, index=index) for index, value in enumerate(values)]
    at = Situation(look(obj, *samples), replicas, 0.0, NOW - 1, NOW)
    return wanted(obj, at, decide(obj, at))


def test_what_there_is_to_be_in_the_end() -> None:
    obj = a_scaledobject(minReplicaCount=0, maxReplicaCount=10)
    assert _final(obj, 12, replicas=0) == 3
    assert _final(obj, 12, replicas=5) == 3
    assert _final(obj, 500, replicas=5) == 10
    assert _final(obj, 0, replicas=5) == 1  # cooling down
    assert _final(obj, 0, replicas=0) == 0
    assert _final(obj, None, replicas=5) == 5
    assert _final(obj, 12, None, replicas=5) == 5
    assert _final(obj, 50, None, replicas=5) == 10


_LOOKS = st.tuples(
    st.floats(0.1, 200),  # seconds since the look before
    st.lists(st.none() | st.sampled_from([0.0, 1.0, 30.0]), min_size=1, max_size=2),
    st.none() | st.integers(0, 12),  # somebody else scales the target
)
_SPECS = st.fixed_dictionaries(
    {"cooldownPeriod": st.integers(0, 300)},
    optional={
        "minReplicaCount": st.integers(0, 3),
        "maxReplicaCount": st.integers(4, 8),
        "initialCooldownPeriod": st.integers(0, 300),
        "fallback": st.just({"failureThreshold": 2, "replicas": 0}),
    },
)


@settings(max_examples=150)
@given(_SPECS, st.lists(_LOOKS, max_size=25))
def test_whatever_happens_bounds_hold_and_zero_is_never_for_not_knowing(
    spec: dict[str, Any], looks: list[tuple[float, list[float | None], int | None]]
) -> None:
    obj = a_scaledobject(**spec)
    now, replicas, active_at = 0.0, 1, None
    health: dict[str, int] = {}
    last_active: float | None = None
    for passed, values, other in looks:
        now += passed
        replicas = replicas if other is None else other
        samples = [a_sample(value, index=index) for index, value in enumerate(values)]
        seen: Observation = look(obj, *samples, health=health)
        health = dict(seen.health)
        active_at = now if seen.is_active else active_at
        decision = decide(obj, Situation(seen, replicas, 0.0, last_active, now))
        last_active = decision.last_active
        if decision.replicas is None:
            continue
        assert max(1, spec.get("minReplicaCount", 0)) <= decision.replicas <= (
            spec.get("maxReplicaCount", 100)
        ) or (decision.act is Act.DEACTIVATE and decision.replicas == 0)
        if decision.replicas < replicas and decision.act is Act.DEACTIVATE:
            assert not seen.errors
            assert not spec.get("minReplicaCount")
            assert active_at is None or now - active_at > spec["cooldownPeriod"]
        replicas = decision.replicas


def test_by_an_annotation_zero_is_reached_from_one_only() -> None:
    obj = a_scaledobject(annotations={ZERO_FROM_ONE_ANNOTATION: "true"})
    long_ago = NOW - 1000
    held = decided(obj, 0, replicas=7, last_active=long_ago)
    assert (held.act, held.rule) == (Act.NOTHING, "from one only")
    at_one = decided(obj, 0, replicas=1, last_active=long_ago)
    assert (at_one.act, at_one.replicas) == (Act.DEACTIVATE, 0)
    usual = decided(a_scaledobject(), 0, replicas=7, last_active=long_ago)
    assert usual.act is Act.DEACTIVATE
