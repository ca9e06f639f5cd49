"""The cases of Kubernetes' ``horizontal_test.go`` about windows, rates and bounds."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearth.cluster.controllers.autoscaling.behavior import Bounds, Memory, Normalized, normalize
from tests.unit.hearth.cluster.controllers.autoscaling.builders import NOW

BOUNDS = Bounds(1, 100)


def rules(*policies: tuple[str, int, int], window: int = 0, select: str = "Max") -> dict[str, Any]:
    return {
        "stabilizationWindowSeconds": window,
        "selectPolicy": select,
        "policies": [{"type": t, "value": v, "periodSeconds": p} for t, v, p in policies],
    }


FREE = rules(("Percent", 100, 15), ("Pods", 1000, 15))
NOTHING = Memory()
ALL_AT_ONCE = rules(("Percent", 100, 15))


def done(
    behavior: dict[str, Any] | None, current: int, desired: int, memory: Memory = NOTHING
) -> Normalized:
    return normalize(behavior, memory, BOUNDS, current=current, desired=desired, now=NOW)


@pytest.mark.parametrize(
    ("current", "desired", "replicas", "reason"),
    [
        pytest.param(1, 3, 3, "DesiredWithinRange", id="within"),
        pytest.param(1, 9, 4, "ScaleUpLimit", id="four at least"),
        pytest.param(5, 90, 10, "ScaleUpLimit", id="double"),
        pytest.param(80, 400, 100, "TooManyReplicas", id="at most"),
        pytest.param(5, 0, 1, "TooFewReplicas", id="at least"),
    ],
)
def test_bounds_without_a_behavior(current: int, desired: int, replicas: int, reason: str) -> None:
    result = done(None, current, desired)
    assert (result.replicas, result.limited[1]) == (replicas, reason)
    assert result.limited[0] == (result.replicas != desired)


@pytest.mark.parametrize(
    ("age", "replicas"), [pytest.param(299, 5, id="recent"), pytest.param(301, 2, id="old")]
)
def test_a_higher_recommendation_keeps_replicas_for_five_minutes(age: int, replicas: int) -> None:
    result = done(None, 5, 2, Memory({5: NOW - age}))
    assert result.replicas == replicas
    held = "ScaleDownStabilized" if replicas == 5 else "ReadyForNewScale"
    assert result.stabilized[:2] == (True, held)


@pytest.mark.parametrize(
    ("up", "down", "recommended", "current", "desired", "replicas"),
    [
        pytest.param(0, 0, {5: NOW - 1}, 5, 8, 8, id="no windows"),
        pytest.param(
            60, 0, {5: NOW - 59, 6: NOW - 10}, 5, 8, 5, id="the lowest of the last minute"
        ),
        pytest.param(60, 0, {5: NOW - 61, 6: NOW - 10}, 5, 8, 6, id="forgets"),
        pytest.param(0, 60, {5: NOW - 59}, 5, 2, 5, id="the highest of the last minute"),
        pytest.param(0, 60, {5: NOW - 60, 4: NOW - 5}, 5, 2, 4, id="forgets the highest"),
        pytest.param(
            60, 60, {3: NOW - 10, 9: NOW - 10}, 5, 5, 5, id="between them nothing is done"
        ),
    ],
)
def test_windows(
    up: int, down: int, recommended: dict[int, float], current: int, desired: int, replicas: int
) -> None:
    behavior = {"scaleUp": FREE | {"stabilizationWindowSeconds": up}}
    behavior["scaleDown"] = ALL_AT_ONCE | {"stabilizationWindowSeconds": down}
    assert done(behavior, current, desired, Memory(recommended)).replicas == replicas


def test_without_a_window_for_shrinking_it_is_five_minutes() -> None:
    behavior = {"scaleUp": FREE, "scaleDown": ALL_AT_ONCE | {"stabilizationWindowSeconds": None}}
    assert done(behavior, 5, 2, Memory({5: NOW - 299})).replicas == 5
    assert done(behavior, 5, 2, Memory({5: NOW - 301})).replicas == 2


@pytest.mark.parametrize(
    ("policies", "select", "changes", "current", "desired", "replicas"),
    [
        pytest.param([("Pods", 4, 60)], "Max", (), 5, 50, 9, id="pods"),
        pytest.param([("Percent", 50, 60)], "Max", (), 5, 50, 8, id="a share, rounded up"),
        pytest.param([("Percent", 1, 60)], "Max", (), 1, 50, 2, id="one more at least"),
        pytest.param([("Pods", 4, 60), ("Percent", 50, 60)], "Max", (), 10, 50, 15, id="the most"),
        pytest.param([("Pods", 4, 60), ("Percent", 50, 60)], "Min", (), 10, 50, 14, id="the least"),
        pytest.param([("Pods", 4, 60)], "Disabled", (), 5, 50, 5, id="disabled"),
        pytest.param([("Pods", 4, 60)], "Max", ((3, NOW - 59),), 8, 50, 9, id="the rest"),
        pytest.param([("Pods", 4, 60)], "Max", ((3, NOW - 61),), 8, 50, 12, id="a new period"),
        pytest.param([("Pods", 4, 60)], "Max", ((9, NOW - 9),), 14, 50, 14, id="none left"),
        pytest.param([("Pods", 4, 60)], "Max", ((-2, NOW - 9),), 3, 50, 9, id="may come back"),
    ],
)  # fmt: skip
def test_rates_of_growth(
    policies: list[tuple[str, int, int]],
    select: str,
    changes: tuple[tuple[int, float], ...],
    current: int,
    desired: int,
    replicas: int,
) -> None:
    behavior = {"scaleUp": rules(*policies, select=select), "scaleDown": ALL_AT_ONCE}
    result = done(behavior, current, desired, Memory(changes=changes))
    assert (result.replicas, result.limited[1]) == (replicas, "ScaleUpLimit")


@pytest.mark.parametrize(
    ("policies", "select", "changes", "current", "desired", "replicas"),
    [
        pytest.param([("Pods", 4, 60)], "Max", (), 50, 5, 46, id="pods"),
        pytest.param([("Percent", 50, 60)], "Max", (), 25, 5, 12, id="a share, rounded down"),
        pytest.param([("Pods", 4, 60), ("Percent", 50, 60)], "Max", (), 20, 5, 10, id="the most"),
        pytest.param([("Pods", 4, 60), ("Percent", 50, 60)], "Min", (), 20, 5, 16, id="the least"),
        pytest.param([("Pods", 4, 60)], "Disabled", (), 50, 5, 50, id="disabled"),
        pytest.param([("Pods", 4, 60)], "Max", ((-3, NOW - 59),), 50, 5, 49, id="the rest"),
        pytest.param([("Pods", 4, 60)], "Max", ((-9, NOW - 59),), 50, 5, 50, id="none left"),
    ],
)  # fmt: skip
def test_rates_of_shrinking(
    policies: list[tuple[str, int, int]],
    select: str,
    changes: tuple[tuple[int, float], ...],
    current: int,
    desired: int,
    replicas: int,
) -> None:
    behavior = {"scaleUp": FREE, "scaleDown": rules(*policies, select=select)}
    result = done(behavior, current, desired, Memory(changes=changes))
    assert (result.replicas, result.limited[1]) == (replicas, "ScaleDownLimit")


sizes = st.integers(1, 100)
moments = st.floats(NOW - 2000, NOW)
memories = st.builds(
    Memory,
    recommended=st.dictionaries(st.integers(0, 200), moments, max_size=5),
    changes=st.lists(st.tuples(st.integers(-50, 50), moments), max_size=5).map(tuple),
)
policies = st.lists(
    st.tuples(st.sampled_from(["Pods", "Percent"]), st.integers(1, 400), st.integers(1, 1800)),
    min_size=1,
    max_size=3,
)
some_rules = st.builds(
    lambda found, window, select: rules(*found, window=window, select=select),
    policies,
    st.integers(0, 3600),
    st.sampled_from(["Max", "Min", "Disabled"]),
)
behaviors = st.none() | st.fixed_dictionaries({"scaleUp": some_rules, "scaleDown": some_rules})


@given(behavior=behaviors, memory=memories, current=sizes, desired=st.integers(0, 10**6))
def test_what_is_done_is_within_bounds_and_never_against_the_wish(
    behavior: dict[str, Any] | None, memory: Memory, current: int, desired: int
) -> None:
    result = done(behavior, current, desired, memory)
    assert BOUNDS.least <= result.replicas <= BOUNDS.most
    wishes = [desired, *memory.recommended]
    assert result.replicas >= min(current, *wishes) or result.replicas == BOUNDS.least
    assert result.replicas <= max(current, *wishes)
    assert result.memory.recommended[desired] == NOW


@given(behavior=behaviors, steps=st.lists(st.tuples(st.integers(0, 200), st.floats(0.1, 60))))
def test_a_memory_stays_small(behavior: Any, steps: list[tuple[int, float]]) -> None:
    memory, now = Memory(), NOW
    for desired, later in steps:
        now += later
        memory = normalize(
            behavior, memory, BOUNDS, current=5, desired=desired, now=now
        ).memory.changed(1, now)
    assert all(at >= now - 3600 for at in memory.recommended.values())
    assert all(at > now - 1800 for _, at in memory.changes)
