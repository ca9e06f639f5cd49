"""Objects and looks for tests of decisions."""

from __future__ import annotations

from typing import Any

from hearth.keda.api.scaledjob import ScaledJob
from hearth.keda.api.scaledobject import ScaledObject
from hearth.keda.scalers.seam import MetricSpec, MetricType, Reading
from hearth.keda.scaling.observing import Observation, Replicas, Sample, observe
from hearth.kube.models import decode


def a_scaledobject(
    *, annotations: dict[str, str] | None = None, labels: Any = None, **spec: Any
) -> ScaledObject:
    """Make one named ``web`` in ``ns`` with a redis trigger, unless told otherwise."""
    whole = {"scaleTargetRef": {"name": "web"}, "triggers": [a_trigger()]} | spec
    metadata = {"name": "web", "namespace": "ns", "annotations": annotations, "labels": labels}
    obj = {"metadata": metadata, "spec": whole}
    return decode(ScaledObject, obj, root="ScaledObject")


def a_scaledjob(*, annotations: Any = None, labels: Any = None, **spec: Any) -> ScaledJob:
    """Make one named ``job`` in ``ns``."""
    template = {"spec": {"containers": [{"name": "a", "image": "true"}]}}
    whole = {"jobTargetRef": {"template": template}, "triggers": [a_trigger()]} | spec
    metadata = {"name": "job", "namespace": "ns", "annotations": annotations, "labels": labels}
    return decode(ScaledJob, {"metadata": metadata, "spec": whole}, root="ScaledJob")


def a_trigger(name: str = "", type: str = "redis", **more: Any) -> dict[str, Any]:
    return {"type": type, "name": name, "metadata": {}} | more


def a_sample(
    value: float | None,
    *,
    active: bool | None = None,
    target: float = 5.0,
    type: MetricType = MetricType.AVERAGE_VALUE,
    name: str = "redis",
    index: int = 0,
) -> Sample:
    """A look at one trigger; None failed."""
    spec = MetricSpec(f"s{index}-{name}", target, type)
    if value is None:
        return Sample(name, spec, error=f"{name} is away")
    return Sample(name, spec, Reading(value, value > 0 if active is None else active))


def cpu() -> Sample:
    spec = MetricSpec("", 50, MetricType.UTILIZATION, resource="cpu")
    return Sample("cpu", spec, Reading(0, True))


def look(obj: ScaledObject, *samples: Sample, health: Any = None, **more: Any) -> Observation:
    """Observe samples, without a formula."""
    more.setdefault("replicas", Replicas(0, 0))
    more.setdefault("composite", None)
    return observe(obj, samples, health=health or {}, **more)
