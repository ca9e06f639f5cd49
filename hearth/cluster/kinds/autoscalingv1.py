"""HorizontalPodAutoscaler in its old version.

That is autoscaling/v1, which ``kubectl autoscale`` used until 1.32. Pure; used by the catalog.

Objects are stored as autoscaling/v2. The old version knows one metric, CPU utilization; what it
cannot say is kept in annotations, as in Kubernetes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from hearth.cluster.kinds.autoscaling import HORIZONTAL_POD_AUTOSCALER as V2
from hearth.cluster.kinds.base import Rules, child, copied
from hearth.cluster.model.fielderrors import FieldError
from hearth.cluster.model.kind import Object

_PREFIX = "autoscaling.alpha.kubernetes.io/"
_KEPT = {
    # annotation -> where in v2
    f"{_PREFIX}metrics": ("spec", "metrics"),
    f"{_PREFIX}behavior": ("spec", "behavior"),
    f"{_PREFIX}current-metrics": ("status", "currentMetrics"),
    f"{_PREFIX}conditions": ("status", "conditions"),
}
_TARGET = "targetCPUUtilizationPercentage"
_CURRENT = "currentCPUUtilizationPercentage"


def to_v2(obj: Object) -> Object:
    """The stored form of an autoscaling/v1 object."""
    result: Object = copied(obj)
    result["apiVersion"] = "autoscaling/v2"
    annotations = result["metadata"].get("annotations") or {}
    for key, (part, name) in _KEPT.items():
        text = annotations.pop(key, None)
        if text is not None and (value := _parsed(text)) is not None:
            child(result, part)[name] = value
    if not annotations:
        result["metadata"].pop("annotations", None)
    spec, status = child(result, "spec"), child(result, "status")
    utilization, used = spec.pop(_TARGET, None), status.pop(_CURRENT, None)
    if utilization is not None or not spec.get("metrics"):
        target = {
            "type": "Utilization",
            "averageUtilization": 80 if utilization is None else utilization,
        }
        spec["metrics"] = [_cpu("target", target), *(spec.get("metrics") or ())]
    if used is not None:
        current = _cpu("current", {"averageUtilization": used})
        status["currentMetrics"] = [current, *(status.get("currentMetrics") or ())]
    status.setdefault("currentMetrics", None)
    return result


def _parsed(text: str) -> Any:
    """An annotation that somebody has broken says nothing."""
    try:
        return json.loads(text)
    except ValueError:
        return None


def _cpu(key: str, value: Object) -> Object:
    return {"type": "Resource", "resource": {"name": "cpu", key: value}}


def from_v2(obj: Object) -> Object:
    """An object as autoscaling/v1 shows it."""
    result: Object = copied(obj)
    result["apiVersion"] = "autoscaling/v1"
    spec, status = child(result, "spec"), child(result, "status")
    utilization, rest = _taken(spec.get("metrics"), "target")
    spec["metrics"] = rest
    if utilization is not None:
        spec[_TARGET] = utilization
    used, rest = _taken(status.get("currentMetrics"), "current")
    status["currentMetrics"] = rest
    if used is not None:
        status[_CURRENT] = used
    annotations = child(result["metadata"], "annotations")
    for key, (part, name) in _KEPT.items():
        value = result[part].pop(name, None)
        if value:
            annotations[key] = json.dumps(value, separators=(",", ":"), sort_keys=True)
    if not annotations:
        del result["metadata"]["annotations"]
    for name in ("currentReplicas", "desiredReplicas"):
        status.setdefault(name, 0)
    return result


def _taken(metrics: list[Object] | None, key: str) -> tuple[int | None, list[Object]]:
    """The CPU utilization among metrics, and the others."""
    for i, metric in enumerate(metrics or ()):
        resource = metric.get("resource") or {}
        utilization = (resource.get(key) or {}).get("averageUtilization")
        if resource.get("name") == "cpu" and utilization is not None:
            assert metrics is not None
            return utilization, metrics[:i] + metrics[i + 1 :]
    return None, list(metrics or ())


def _default(obj: Object) -> None:
    child(obj, "spec").setdefault("minReplicas", 1)


def _prepare(new: Object, old: Object | None) -> None:
    if old is None:
        new["status"] = {"currentReplicas": 0, "desiredReplicas": 0}
        child(new, "spec").setdefault(_TARGET, 80)


def _errors(obj: Object) -> Iterator[FieldError]:
    yield from V2.validate(to_v2(obj))


def _status(new: Object, old: Object) -> Iterator[FieldError]:
    yield from V2.status(new, old)


RULES = Rules(default=_default, prepare=_prepare, validate=_errors, status=_status)
