"""A formula over requests: what Knative's autoscaler is told of it."""

from __future__ import annotations

from typing import Any

import pytest

from hearth.keda.scaling.joint import wish_formula
from hearth.keda.scaling.modifiers import Composite, ModifiersError, compile_modifiers
from serving.api.wishes import WishFormula
from tests.unit.hearth.keda.scaling.builders import a_sample, a_scaledobject, a_trigger, look

SERVICE = {"apiVersion": "serving.knative.dev/v1", "kind": "Service", "name": "web"}


def an_object(formula: str = "requests + jobs", *triggers: Any, **more: Any) -> Any:
    modifiers = {"formula": formula, "target": "1", **more.pop("modifiers", {})}
    more.setdefault("scaleTargetRef", SERVICE)
    more["advanced"] = {"scalingModifiers": modifiers}
    return a_scaledobject(triggers=list(triggers) or [a_trigger("jobs")], **more)


def joint(obj: Any) -> Composite:
    composite = compile_modifiers(obj)
    assert composite is not None and composite.is_joint
    return composite


def test_bounds_values_and_target_are_told() -> None:
    obj = an_object(
        modifiers={"target": "5", "activationTarget": "2"}, minReplicaCount=2, maxReplicaCount=9
    )
    seen = look(obj, a_sample(4, name="jobs"))
    assert wish_formula(obj, joint(obj), seen) == WishFormula(
        "requests + jobs", (("jobs", 4.0),), 5.0, 2.0, lowest=2, fewest=2, most=9
    )
    obj = an_object(idleReplicaCount=1, minReplicaCount=3)
    told = wish_formula(obj, joint(obj), look(obj, a_sample(None, name="jobs")))
    assert told is not None and (told.values, told.lowest) == ((("jobs", None),), 1)


def test_while_a_fallback_stands_in_there_is_no_formula() -> None:
    obj = an_object(fallback={"failureThreshold": 1, "replicas": 3})
    seen = look(obj, a_sample(None, name="jobs"), health={"s0-jobs": 5})
    assert seen.falls_back
    assert wish_formula(obj, joint(obj), seen) is None
    assert wish_formula(obj, None, look(obj, a_sample(1, name="jobs"))) is None


def test_a_trigger_of_that_name_is_a_trigger() -> None:
    composite = compile_modifiers(an_object("requests + 1", a_trigger("requests")))
    assert composite is not None and not composite.is_joint


def test_a_formula_of_triggers_alone_is_as_ever() -> None:
    composite = compile_modifiers(an_object("jobs + 1"))
    assert composite is not None and not composite.is_joint


def test_other_targets_have_no_requests() -> None:
    with pytest.raises(ModifiersError, match="unknown name requests"):
        compile_modifiers(an_object(scaleTargetRef={"name": "web"}))


def test_what_comes_out_is_for_each_pod() -> None:
    with pytest.raises(ModifiersError, match="it needs AverageValue"):
        compile_modifiers(an_object(modifiers={"metricType": "Value"}))
