"""scalingModifiers: one metric that a formula makes of all. Pure.

Source: ``ValidateAndCompileScalingModifiers`` and ``pkg/scaling/modifiers`` of KEDA.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from hearth.formula import Formula, FormulaError, compile_formula
from hearth.keda.api.checks import RESOURCE_TYPES, CheckError
from hearth.keda.api.keys import COMPOSITE_METRIC
from hearth.keda.api.scaledobject import ScaledObject
from hearth.keda.scalers.seam import MetricSpec, MetricType
from serving.api.wishes import REQUESTS


class ModifiersError(CheckError):
    """scalingModifiers say what cannot be; the text is KEDA's."""


@dataclass(frozen=True, slots=True)
class Composite:
    """A formula with its target."""

    formula: Formula
    spec: MetricSpec
    activation: float
    is_joint: bool = False
    """It names what requests need of a Knative Service or Revision (``requests``)."""

    def value(self, values: Mapping[str, float | None], fallback_replicas: int | None) -> float:
        """Return the metric, from what triggers say by name; None where that is not known.

        A formula with ``??`` that comes to nil means the replicas of the fallback. Raise
        FormulaError where there is no number.
        """
        result = self.formula.value(values)
        if result is None:
            if fallback_replicas is None:
                raise FormulaError(
                    "scalingModifiers formula evaluated to nil but no fallback is configured"
                )
            result = fallback_replicas * self.spec.target
        return milli(result)


def milli(value: float) -> float:
    """Return a value as Kubernetes' quantities have it: whole thousandths, cut off."""
    return math.trunc(value * 1000) / 1000


def compile_modifiers(obj: ScaledObject) -> Composite | None:
    """Compile what an object says; None if nothing. Raise ModifiersError in KEDA's words."""
    given = obj.modifiers
    if given is None:
        return None
    if not given.formula:
        raise ModifiersError("error ScalingModifiers.Formula is mandatory")
    if not given.target:
        raise _in("formula", "formula is given but target is empty")
    read = [each for each in obj.spec.triggers if each.type not in RESOURCE_TYPES]
    names = {each.name for each in read if each.name}
    may_join = obj.spec.scale_target_ref.is_knative and REQUESTS not in names
    try:
        formula = compile_formula(given.formula, {*names, REQUESTS} if may_join else names)
    except FormulaError as error:
        raise _in("formula", str(error)) from error
    target = _number(given.target)
    if target is None or target <= 0:
        text = "error converting target for scalingModifiers (string->float) to valid target"
        raise _in("target", f'{text}: "{given.target}"')
    activation = _number(given.activation_target or "0")
    if activation is None:
        raise ModifiersError(
            f'scalingModifiers.ActivationTarget parsing error "{given.activation_target}"'
        )
    kind = MetricType(given.metric_type or MetricType.AVERAGE_VALUE)
    is_joint = may_join and REQUESTS in formula.used
    if is_joint and kind is MetricType.VALUE:
        text = "a formula over requests says how many pods there are: it needs AverageValue"
        raise _in("metricType", text)
    return Composite(formula, MetricSpec(COMPOSITE_METRIC, target, kind), activation, is_joint)


def _in(where: str, text: str) -> ModifiersError:
    return ModifiersError(f"error validating {where} in ScalingModifiers\n{text}")


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
