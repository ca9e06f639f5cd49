"""An explanation says what the deciding functions do: each number in it is theirs."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from hearth.knative.explanation import Explanation
from hearth.kube.meta import Key
from serving.api.stats import Frame, Stat
from serving.autoscaler.decide import DeciderSpec
from serving.autoscaler.explanation import Subject, explain
from serving.autoscaler.multiscaler import Multiscaler
from serving.autoscaler.scale import Active, Bounds, Phase, limited, settle
from serving.routing.surge import Limits

KEY: Key = ("ns", "rev-1")
NOW = 1_000_000.0
SPEC = DeciderSpec(metric="concurrency", target=7.0, total=10.0)
ACTIVE = Phase(Active.TRUE, NOW - 3600, NOW - 3600)


def multiscaler(spec: DeciderSpec, ready: int, loads: list[float]) -> Multiscaler:
    """One that has seen these averages, a second each, up to now."""
    failed: list[Key] = []
    made = Multiscaler(
        ready_pods=lambda key: ready,
        changed=lambda k: None,
        urgent=lambda k: None,
        failed=failed.append,
    )
    began = NOW - len(loads)
    made.put(KEY, spec, began)
    for second, load in enumerate(loads, 1):
        made.receive("a", Frame(0, (Stat(*KEY, load, load),)), began + second)
        if second % 2 == 0:
            made.tick(began + second)
    assert not failed
    return made


def explained(
    spec: DeciderSpec = SPEC,
    *,
    ready: int = 1,
    loads: list[float] | None = None,
    bounds: Bounds | None = None,
    phase: Phase = ACTIVE,
) -> Explanation:
    made = multiscaler(spec, ready, [14.0] * 70 if loads is None else loads)
    outlook = made.outlook(KEY, NOW)
    assert outlook is not None
    last = made.deciders[KEY].decision.desired
    subject = Subject(spec, outlook, bounds or Bounds(), phase, NOW, 0.5, last)
    return explain(*KEY, subject)


def pods(explanation: Explanation) -> dict[str, int]:
    return {step.rule: step.pods for step in explanation.steps}


def text(explanation: Explanation, rule: str) -> str:
    return next(step.text for step in explanation.steps if step.rule == rule)


def test_the_formula_is_told_with_its_numbers() -> None:
    told = explained(ready=2)
    assert (told.wish, told.decided_by) == (2, "stable window")
    assert text(told, "stable window") == "ceil(14 / 7) = 2, over 1m0s"
    assert "2 / 2 ready is below 2" in text(told, "panic window")
    assert text(told, "rate limits") == "from 1 (ready / 2) to 2000 (ready x 1000)"
    assert told.looks_again == "in 0.5 s (each 2 s while there are pods or reports)"
    assert told.json()["sees"] == {
        "readyPods": 2,
        "stable": 14.0,
        "panic": 14.0,
        "waiting": 0,
        "observedSeconds": 70.0,
        "panicMode": False,
        "excessBurstCapacity": -205,
    }


def test_what_bounds_a_wish_is_said_to_decide() -> None:
    told = explained(bounds=Bounds(max_scale=1))
    assert (told.wish, told.decided_by, text(told, "bounds")) == (1, "bounds", "min 0, max 1")
    told = explained(ready=8, loads=[0.1] * 70)
    assert (told.wish, told.decided_by) == (4, "rate limits")
    told = explained(replace(SPEC, activation_scale=3), loads=[0.1] * 60)
    assert (told.wish, told.decided_by) == (3, "activation scale")
    told = explained(bounds=Bounds(min_scale=5))
    assert (told.wish, told.decided_by) == (5, "bounds")
    told = explained(
        loads=[0.1] * 60, bounds=Bounds(initial=4), phase=Phase(Active.UNKNOWN, NOW - 1, None)
    )
    assert (told.wish, told.decided_by) == (4, "initial scale")


def test_panic_and_delay_are_told_with_how_long_they_last() -> None:
    told = explained(loads=[0.5] * 50 + [70.0] * 4 + [0.5] * 6)
    assert told.decided_by == "panic"
    assert "the most that were wanted since it began stay; it ends" in text(told, "panic")
    delayed = replace(SPEC, scale_down_delay=30.0, panic_threshold=10.0)
    told = explained(delayed, ready=2, loads=[14.0] * 52 + [0.0] * 8)
    assert text(told, "scale-down delay") == "the most of the last 30s"


def test_why_the_last_pod_stays_or_goes() -> None:
    idle = [0.0] * 70
    assert "no grace period is waited" in text(explained(loads=idle), "scale to zero")
    told = explained(loads=idle, phase=Phase(Active.TRUE, NOW - 10, NOW - 10))
    assert told.wish == 1
    assert "active for 10s: one pod stays for the stable window of 1m0s" in text(
        told, "scale to zero"
    )
    assert told.looks_again.endswith("and in 50s for its bounds")
    told = explained(loads=idle, bounds=Bounds(scale_to_zero=False))
    assert (told.wish, told.decided_by) == (1, "scale to zero")
    told = explained(loads=idle, bounds=Bounds(retention=90.0))
    assert "retention period of 1m30s" in text(told, "scale to zero")
    told = explained(loads=[0.0] * 10)
    assert (told.wish, told.decided_by) == (1, "first window")


def test_without_reports_what_was_decided_last_stays() -> None:
    told = explained(ready=0, loads=[])
    assert (told.wish, told.decided_by) == (-1, "no data")
    assert told.looks_again == "when a request comes or a pod changes"


@given(
    ready=st.integers(0, 6),
    loads=st.lists(st.floats(0, 80), max_size=90),
    up=st.sampled_from([1.5, 1000.0]),
    delay=st.sampled_from([0.0, 20.0]),
    activation=st.sampled_from([0, 3]),
    threshold=st.sampled_from([1.1, 2.0, 100.0]),
    reachable=st.booleans(),
    low=st.integers(0, 3),
    high=st.integers(0, 5),
    initial=st.integers(1, 4),
    active=st.sampled_from(Active),
    ago=st.sampled_from([1.0, 100.0, 1000.0]),
    retention=st.sampled_from([0.0, 300.0]),
)
def test_the_last_step_is_what_would_be_applied(
    ready: int,
    loads: list[float],
    up: float,
    delay: float,
    activation: int,
    threshold: float,
    reachable: bool,
    low: int,
    high: int,
    initial: int,
    active: Active,
    ago: float,
    retention: float,
) -> None:
    spec = replace(
        SPEC,
        max_scale_up_rate=up,
        scale_down_delay=delay,
        activation_scale=activation,
        panic_threshold=threshold,
        reachable=reachable,
    )
    bounds = Bounds(
        min_scale=low,
        max_scale=max(high, low) if high else 0,
        initial=initial,
        reachable=reachable,
        retention=retention,
    )
    phase = Phase(active, NOW - ago, None if active is Active.UNKNOWN else NOW - ago)
    made = multiscaler(spec, ready, loads)
    before = made.deciders[KEY].decision
    outlook = made.outlook(KEY, NOW)
    assert outlook is not None
    subject = Subject(spec, outlook, bounds, phase, NOW, 0.0, before.desired)
    told = explain(*KEY, subject)
    scale = settle(subject.desired, phase, bounds=bounds, now=NOW)
    assert told.wish == scale.desired
    assert told.steps[-1].pods == scale.desired or not scale.apply
    assert told.decided_by
    made.tick(NOW)
    assert made.deciders[KEY].decision.desired in (subject.desired, before.desired)


def test_bounds_of_a_rollout_say_whose_they_are() -> None:
    told = explained(loads=[70.0] * 70, bounds=limited(Bounds(min_scale=4), Limits(3)))
    (step,) = (each for each in told.steps if each.rule == "bounds")
    assert step.pods == 3
    assert step.text == (
        "min 3, max 3; of its rollout, which keeps to a number of pods (rollout-surge)"
    )
