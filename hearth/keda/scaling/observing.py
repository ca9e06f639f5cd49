"""What a look at triggers says: values, activity, health, and what stands in for failures. Pure.

Source: ``getScaledObjectState`` and ``pkg/fallback`` of KEDA, with one rule more: what is not known
(a formula that yields no number included) counts as a failure, never as "not active".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hearth.formula import FormulaError
from hearth.keda.api.scaledobject import Fallback, ScaledObject
from hearth.keda.scalers.seam import MetricSpec, MetricType, Reading
from hearth.keda.scaling.modifiers import Composite, milli


@dataclass(frozen=True, slots=True)
class Sample:
    """One look at one trigger: what was read, or why nothing was."""

    name: str
    """Of the trigger, in formulas; its type where it has none."""
    spec: MetricSpec
    reading: Reading | None = None
    error: str = ""

    @property
    def is_resource(self) -> bool:
        """Whether the HPA reads it by itself: cpu, memory."""
        return bool(self.spec.resource)


@dataclass(frozen=True, slots=True)
class Replicas:
    """Of the target, at the moment."""

    wanted: int
    ready: int


Health = Mapping[str, int]
"""By metric, failures in a row."""


@dataclass(frozen=True, slots=True)
class Metric:
    """What is told of one metric."""

    spec: MetricSpec
    value: float | None
    """None while it is not known."""
    is_active: bool
    name: str
    error: str = ""
    falls_back: bool = False

    def wish(self, replicas: int) -> int | None:
        """Return the replicas that the HPA would come to, its tolerance aside; None if unknown."""
        if self.value is None or self.spec.target <= 0:
            return None
        per_target = self.value / self.spec.target
        if self.spec.type is MetricType.VALUE:
            per_target *= max(1, replicas)
        return -int(-max(0.0, per_target) // 1)


@dataclass(frozen=True, slots=True)
class Observation:
    """What all triggers say together."""

    metrics: tuple[Metric, ...]
    """Those of triggers."""
    composite: Metric | None = None
    """What the formula makes of them."""
    is_active: bool = False
    errors: tuple[str, ...] = ()
    health: Health = field(default_factory=dict)

    @property
    def falls_back(self) -> bool:
        """Whether a fallback stands in for a trigger."""
        return any(metric.falls_back for metric in self.metrics)

    @property
    def asked(self) -> tuple[Metric, ...]:
        """The metrics that the HPA asks for."""
        return (self.composite,) if self.composite is not None else self.metrics

    @property
    def active(self) -> tuple[str, ...]:
        """Names of the metrics that are active."""
        return tuple(each.spec.name for each in self.asked if each.is_active)

    def wish(self, replicas: int) -> int:
        """Return the most that a metric wants."""
        return max((each.wish(replicas) or 0 for each in self.asked), default=0)


def observe(
    obj: ScaledObject,
    samples: Sequence[Sample],
    *,
    composite: Composite | None,
    health: Health,
    replicas: Replicas,
) -> Observation:
    """Return what a look says. ``health`` is that of before; the new one is in the answer."""
    external = [sample for sample in samples if not sample.is_resource]
    counted = {
        sample.spec.name: health.get(sample.spec.name, 0) + 1 if sample.error else 0
        for sample in external
    }
    target = None if composite is None else composite.spec
    metrics = tuple(
        _metric(sample, obj.spec.fallback, counted[sample.spec.name], target, replicas)
        for sample in external
    )
    errors = tuple(each.error for each in metrics if each.error)
    made = None
    if composite is not None:
        made = _composed(obj, composite, metrics, bool(errors))
        errors += (made.error,) if made.error and not errors else ()
    asked = metrics if made is None else (made,)
    is_active = any(metric.is_active for metric in asked)
    if not external and not errors:
        is_active = True  # by cpu and memory alone nothing would ever leave zero again
    return Observation(metrics, made, is_active, errors, counted)


def metric_of(sample: Sample) -> Metric:
    """Return what one trigger says, where nothing stands in for failures."""
    return _metric(sample, None, 0, None, Replicas(0, 0))


def _metric(
    sample: Sample,
    fallback: Fallback | None,
    failures: int,
    target: MetricSpec | None,
    replicas: Replicas,
) -> Metric:
    spec, reading = sample.spec, sample.reading
    if reading is not None:
        return Metric(spec, milli(reading.value), reading.is_active, sample.name)
    failed = Metric(spec, None, False, sample.name, error=sample.error)
    if fallback is None or failures <= fallback.failure_threshold:
        return failed
    if fallback.behavior == "scalingModifiers":
        return Metric(spec, None, False, sample.name)
    value = _stand_in(fallback, target or spec, replicas)
    if value is None:
        return failed
    return Metric(spec, milli(value), True, sample.name, falls_back=True)


def _stand_in(fallback: Fallback, spec: MetricSpec, replicas: Replicas) -> float | None:
    """The value that makes the HPA come to the replicas of a fallback."""
    wanted = float(
        {
            "currentReplicas": replicas.wanted,
            "currentReplicasIfHigher": max(replicas.wanted, fallback.replicas),
            "currentReplicasIfLower": min(replicas.wanted, fallback.replicas),
        }.get(fallback.behavior, fallback.replicas)
    )
    if spec.type is MetricType.VALUE:
        if replicas.ready == 0:
            return None  # the HPA multiplies by those that are ready
        wanted /= replicas.ready
    return wanted * spec.target


def _composed(
    obj: ScaledObject, composite: Composite, metrics: Sequence[Metric], has_errors: bool
) -> Metric:
    name, spec = "formula", composite.spec
    stand_in = next((each.value for each in metrics if each.falls_back), None)
    if stand_in is not None:
        return _with_value(composite, stand_in)
    if has_errors:
        return Metric(spec, None, False, name)
    fallback = obj.spec.fallback
    try:
        value = composite.value(
            {each.name: each.value for each in metrics},
            None if fallback is None else fallback.replicas,
        )
    except FormulaError as error:
        text = f"error trying to run custom formula: {error}"
        return Metric(spec, None, False, name, error=text)
    return _with_value(composite, value)


def _with_value(composite: Composite, value: float) -> Metric:
    return Metric(composite.spec, value, value > composite.activation, "formula")
