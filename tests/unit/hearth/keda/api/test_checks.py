"""KEDA's words for what is wrong with an object by itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hearth.keda.api.checks import (
    CheckError,
    check_bounds,
    check_fallback,
    check_name,
    check_triggers,
)
from hearth.keda.api.scaledobject import ScaledObject
from hearth.kube.models import decode


def scaled(name: str = "web", **spec: Any) -> ScaledObject:
    whole = {"scaleTargetRef": {"name": "web"}, "triggers": [trigger("redis")]} | spec
    return decode(ScaledObject, {"metadata": {"name": name}, "spec": whole}, root="ScaledObject")


def trigger(type_: str, **more: Any) -> dict[str, Any]:
    return {"type": type_, "metadata": {}} | more


def modified(**members: str) -> dict[str, Any]:
    return {"scalingModifiers": members}


def refusal(check: Callable[[ScaledObject], None], obj: ScaledObject) -> str:
    with pytest.raises(CheckError) as caught:
        check(obj)
    return str(caught.value)


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ({"minReplicaCount": 5, "maxReplicaCount": 4}, "MinReplicaCount=5 must be less than "
         "MaxReplicaCount=4"),
        ({"minReplicaCount": 101}, "MinReplicaCount=101 must be less than MaxReplicaCount=100"),
        ({"idleReplicaCount": 0}, "IdleReplicaCount=0 must be less than MinReplicaCount=0"),
        ({"idleReplicaCount": 2, "minReplicaCount": 2},
         "IdleReplicaCount=2 must be less than MinReplicaCount=2"),
    ],
)  # fmt: skip
def test_bounds_that_contradict_each_other(spec: dict[str, Any], text: str) -> None:
    assert refusal(check_bounds, scaled(**spec)) == text


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"minReplicaCount": 4, "maxReplicaCount": 4},
        {"idleReplicaCount": 0, "minReplicaCount": 1},
        {"idleReplicaCount": 0, "minReplicaCount": 0},  # KEDA's oddity: a minimum of 0 counts as 1
    ],
)
def test_bounds_that_are_right(spec: dict[str, Any]) -> None:
    check_bounds(scaled(**spec))
    assert scaled(**spec).max_replicas >= 4


def test_a_fallback_needs_a_metric_that_is_ours() -> None:
    fallback = {"failureThreshold": 3, "replicas": 1}
    both = [trigger("cpu"), trigger("memory")]
    text = refusal(check_fallback, scaled(fallback=fallback, triggers=both))
    assert text == (
        "at least one trigger (that is not cpu or memory) has to have the `AverageValue` type for "
        "the fallback to be enabled"
    )
    check_fallback(scaled(fallback=fallback, triggers=[*both, trigger("redis")]))
    check_fallback(scaled(triggers=both))
    check_fallback(scaled(fallback=fallback, triggers=both, advanced=modified(formula="a")))
    negative = scaled(fallback={"failureThreshold": -1, "replicas": 1})
    assert refusal(check_fallback, negative) == (
        "FailureThreshold=-1 & Replicas=1 must both be greater than or equal to 0"
    )


def test_names_that_are_no_values_of_labels() -> None:
    assert refusal(check_name, scaled("x" * 64)) == (
        f'scaledobject name "{"x" * 64}" is 64 characters long; must be no more than 63 characters '
        'because it is used as the "scaledobject.keda.sh/name" label value'
    )
    assert refusal(check_name, scaled("x" * 55)) == (
        f'HPA name "keda-hpa-{"x" * 55}" derived from scaledobject is 64 characters long; must be '
        "no more than 63 characters; set spec.advanced.horizontalPodAutoscalerConfig.name to a "
        "shorter name or shorten the scaledobject name"
    )
    check_name(scaled("x" * 63, advanced={"horizontalPodAutoscalerConfig": {"name": "short"}}))


@pytest.mark.parametrize(
    ("triggers", "text"),
    [
        ([], "no triggers defined in the ScaledObject/ScaledJob"),
        *(
            (
                [trigger(each, useCachedMetrics=True)],
                f'property "useCachedMetrics" is not supported for "{each}" scaler',
            )
            for each in ("cpu", "memory", "cron")
        ),
        (
            [trigger("redis", name="a"), trigger("redis", name="b"), trigger("cron", name="a")],
            'triggerName "a" is defined multiple times in the ScaledObject/ScaledJob, but it must '
            "be unique",
        ),
    ],
)
def test_triggers_that_are_wrong(triggers: list[dict[str, Any]], text: str) -> None:
    obj = scaled(triggers=triggers)
    assert refusal(lambda each: check_triggers(each.spec.triggers), obj) == text


def test_triggers_without_names_are_not_the_same() -> None:
    two = [trigger("redis"), trigger("redis", useCachedMetrics=True)]
    obj = scaled(triggers=two)
    check_triggers(obj.spec.triggers)
    assert len(obj.spec.triggers) == 2
