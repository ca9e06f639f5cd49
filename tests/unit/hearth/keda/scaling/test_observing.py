"""What a look says: values, activity, health, fallback, formula."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearth.keda.scalers.seam import MetricType
from hearth.keda.scaling.modifiers import ModifiersError, compile_modifiers
from hearth.keda.scaling.observing import Replicas
from tests.unit.hearth.keda.scaling.builders import a_sample, a_scaledobject, a_trigger, cpu, look

FALLBACK = {"failureThreshold": 3, "replicas": 6}


def test_any_active_trigger_makes_it_active() -> None:
    seen = look(a_scaledobject(), a_sample(0), a_sample(12, index=1))
    assert seen.is_active
    assert seen.active == ("s1-redis",)
    assert seen.wish(0) == 3
    assert not look(a_scaledobject(), a_sample(0)).is_active


def test_a_value_is_cut_to_thousandths_as_quantities_are() -> None:
    assert look(a_scaledobject(), a_sample(1.23456)).metrics[0].value == 1.234


def test_cpu_alone_never_goes_to_zero_and_does_not_count_beside_others() -> None:
    assert look(a_scaledobject(), cpu()).is_active
    assert not look(a_scaledobject(), cpu(), a_sample(0)).is_active


def test_a_failure_is_told_and_counted_until_one_look_succeeds() -> None:
    first = look(a_scaledobject(), a_sample(None))
    assert (first.errors, first.is_active) == (("redis is away",), False)
    second = look(a_scaledobject(), a_sample(None), health=first.health)
    assert second.health == {"s0-redis": 2}
    assert look(a_scaledobject(), a_sample(1), health=second.health).health == {"s0-redis": 0}


@pytest.mark.parametrize(
    ("behavior", "there_are", "expected"),
    [
        ("static", 9, 6),
        ("currentReplicas", 9, 9),
        ("currentReplicas", 2, 2),
        ("currentReplicasIfHigher", 9, 9),
        ("currentReplicasIfHigher", 2, 6),
        ("currentReplicasIfLower", 9, 6),
        ("currentReplicasIfLower", 2, 2),
    ],
)
def test_past_the_threshold_a_fallback_stands_in(
    behavior: str, there_are: int, expected: int
) -> None:
    obj = a_scaledobject(fallback=FALLBACK | {"behavior": behavior})
    replicas = Replicas(there_are, there_are)
    held = look(obj, a_sample(None), health={"s0-redis": 2}, replicas=replicas)
    assert held.errors
    assert not held.falls_back
    seen = look(obj, a_sample(None), health={"s0-redis": 3}, replicas=replicas)
    assert seen.falls_back
    assert seen.is_active
    assert not seen.errors
    assert seen.metrics[0].value == expected * 5
    assert seen.wish(there_are) == expected


def test_a_fallback_of_metric_type_value_is_divided_by_what_is_ready() -> None:
    obj = a_scaledobject(fallback=FALLBACK)
    sample, health = a_sample(None, type=MetricType.VALUE), {"s0-redis": 3}
    seen = look(obj, sample, health=health, replicas=Replicas(4, 2))
    assert seen.metrics[0].value == 15  # 6 / 2 ready * 5; the HPA multiplies by 2
    assert seen.wish(2) == 6
    none_ready = look(obj, sample, health=health, replicas=Replicas(4, 0))
    assert none_ready.errors


def _composed(formula: str, **more: Any) -> Any:
    modifiers = {"formula": formula, "target": "2", "activationTarget": "2"}
    triggers = [a_trigger("one"), a_trigger("two")]
    return a_scaledobject(triggers=triggers, advanced={"scalingModifiers": modifiers}, **more)


def test_a_formula_makes_one_metric_of_all() -> None:
    obj = _composed("one + two")
    samples = a_sample(0, name="one"), a_sample(2, name="two", index=1)
    seen = look(obj, *samples, composite=compile_modifiers(obj))
    assert seen.composite is not None
    assert (seen.composite.value, seen.is_active) == (2, False)  # not above activationTarget
    samples = a_sample(3, name="one"), a_sample(2, name="two", index=1)
    seen = look(obj, *samples, composite=compile_modifiers(obj))
    assert (seen.active, seen.wish(0)) == (("composite-metric",), 3)


def test_a_trigger_that_fails_leaves_the_formula_without_a_value() -> None:
    obj = _composed("one + two")
    seen = look(obj, a_sample(None, name="one"), a_sample(9, name="two"), composite=None)
    assert seen.is_active
    seen = look(
        obj, a_sample(None, name="one"), a_sample(9, name="two"), composite=compile_modifiers(obj)
    )
    assert not seen.is_active
    assert seen.errors == ("one is away",)


def test_a_formula_that_yields_no_number_is_a_failure_and_not_zero() -> None:
    obj = _composed("one / two")
    samples = a_sample(1, name="one"), a_sample(0, name="two", index=1)
    seen = look(obj, *samples, composite=compile_modifiers(obj))
    assert not seen.is_active
    assert "the formula yields inf" in seen.errors[0]


def test_by_coalescing_a_formula_replaces_what_is_not_known() -> None:
    obj = _composed("one ?? two ?? 8", fallback=FALLBACK | {"behavior": "scalingModifiers"})
    composite, health = compile_modifiers(obj), {"s0-one": 3, "s1-two": 3}
    first, second = a_sample(None, name="one"), a_sample(4, name="two", index=1)
    seen = look(obj, first, second, composite=composite, health=health)
    assert seen.composite is not None
    assert (seen.composite.value, seen.errors) == (4, ())
    seen = look(obj, first, a_sample(None, name="two", index=1), composite=composite, health=health)
    assert seen.composite is not None
    assert seen.composite.value == 8


def test_a_formula_that_comes_to_nil_means_the_fallback() -> None:
    obj = _composed("one ?? two", fallback=FALLBACK | {"behavior": "scalingModifiers"})
    seen = look(
        obj,
        a_sample(None, name="one"),
        a_sample(None, name="two", index=1),
        composite=compile_modifiers(obj),
        health={"s0-one": 3, "s1-two": 3},
    )
    assert seen.composite is not None
    assert seen.composite.value == 12


def test_under_a_formula_a_fallback_is_reckoned_with_its_target() -> None:
    obj = _composed("one + two", fallback=FALLBACK)
    seen = look(
        obj,
        a_sample(None, name="one"),
        a_sample(1, name="two", index=1),
        composite=compile_modifiers(obj),
        health={"s0-one": 3},
    )
    assert seen.composite is not None
    assert seen.composite.value == 12
    assert seen.is_active


@pytest.mark.parametrize(
    ("modifiers", "message"),
    [
        ({"target": "2"}, "error ScalingModifiers.Formula is mandatory"),
        ({"formula": "one"}, "formula is given but target is empty"),
        ({"formula": "three", "target": "2"}, "unknown name three (1:1)"),
        ({"formula": "one", "target": "x"}, "(string->float) to valid target"),
        ({"formula": "one", "target": "0"}, "(string->float) to valid target"),
        ({"formula": "one", "target": "nan"}, "(string->float) to valid target"),
        ({"formula": "one", "target": "1", "activationTarget": "x"}, "ActivationTarget parsing"),
    ],
)
def test_modifiers_that_are_written_wrong(modifiers: dict[str, str], message: str) -> None:
    obj = a_scaledobject(triggers=[a_trigger("one")], advanced={"scalingModifiers": modifiers})
    with pytest.raises(ModifiersError) as caught:
        compile_modifiers(obj)
    assert message in str(caught.value)


def test_without_modifiers_there_is_no_formula() -> None:
    assert compile_modifiers(a_scaledobject()) is None


_VALUES = st.lists(st.none() | st.floats(0, 1e6), min_size=1, max_size=4)


@given(_VALUES, st.integers(0, 5), st.booleans())
def test_what_is_not_known_is_never_taken_for_nothing(
    values: list[float | None], failures: int, has_fallback: bool
) -> None:
    spec: dict[str, Any] = {"fallback": FALLBACK} if has_fallback else {}
    obj = a_scaledobject(**spec)
    samples = [a_sample(value, index=index) for index, value in enumerate(values)]
    health = {sample.spec.name: failures for sample in samples}
    seen = look(obj, *samples, health=health, replicas=Replicas(1, 1))
    assert seen.is_active or seen.errors or all(value is not None for value in values)
    assert seen.is_active is any(metric.is_active for metric in seen.metrics)
