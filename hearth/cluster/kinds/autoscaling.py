"""Rules of HorizontalPodAutoscaler. Pure; used by the catalog of kinds."""

from __future__ import annotations

from collections.abc import Iterator

from hearth.cluster.kinds.base import Rules, child
from hearth.cluster.model import checks
from hearth.cluster.model.checks import each, non_negative, path_segment_problems
from hearth.cluster.model.fielderrors import FieldError, forbidden, invalid, not_supported, required
from hearth.cluster.model.kind import Object
from hearth.kube.names import dns1123_label_problems
from hearth.kube.quantity import parse_quantity

_CPU_UTILIZATION = 80
_LONGEST_WINDOW = 3600
_LONGEST_PERIOD = 1800
_SCALE_UP = {
    "stabilizationWindowSeconds": 0,
    "selectPolicy": "Max",
    "policies": [
        {"type": "Pods", "value": 4, "periodSeconds": 15},
        {"type": "Percent", "value": 100, "periodSeconds": 15},
    ],
}
_SCALE_DOWN = {
    "selectPolicy": "Max",
    "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}],
}


def _default(obj: Object) -> None:
    spec = child(obj, "spec")
    spec.setdefault("minReplicas", 1)
    if not spec.get("metrics"):
        target = {"type": "Utilization", "averageUtilization": _CPU_UTILIZATION}
        cpu = {"name": "cpu", "target": target}
        spec["metrics"] = [{"type": "Resource", "resource": cpu}]
    behavior = spec.get("behavior")
    if behavior is not None:
        for key, defaults in (("scaleUp", _SCALE_UP), ("scaleDown", _SCALE_DOWN)):
            rules = child(behavior, key)
            for name, value in defaults.items():
                given = rules.get(name)
                if given is None:
                    rules[name] = [dict(p) for p in value] if isinstance(value, list) else value


def _prepare(new: Object, old: Object | None) -> None:
    if old is None:
        new["status"] = {"currentMetrics": None, "desiredReplicas": 0}


def _errors(obj: Object) -> Iterator[FieldError]:
    spec = obj.get("spec") or {}
    min_replicas, max_replicas = spec.get("minReplicas"), spec.get("maxReplicas", 0)
    if min_replicas is not None and min_replicas < 1:
        yield invalid("spec.minReplicas", min_replicas, "must be greater than or equal to 1")
    if max_replicas < 1:
        yield invalid("spec.maxReplicas", max_replicas, "must be greater than 0")
    if min_replicas is not None and max_replicas < min_replicas:
        detail = "must be greater than or equal to `minReplicas`"
        yield invalid("spec.maxReplicas", max_replicas, detail)
    yield from _reference_errors(spec.get("scaleTargetRef") or {}, "spec.scaleTargetRef")
    for i, metric in enumerate(spec.get("metrics") or ()):
        yield from _metric_errors(metric, f"spec.metrics[{i}]")
    for key in ("scaleUp", "scaleDown"):
        if (rules := (spec.get("behavior") or {}).get(key)) is not None:
            yield from _rules_errors(rules, f"spec.behavior.{key}")


def _reference_errors(reference: Object, path: str) -> Iterator[FieldError]:
    for key in ("kind", "name"):
        value = reference.get(key, "")
        if not value:
            yield required(f"{path}.{key}")
        else:
            yield from each(f"{path}.{key}", value, path_segment_problems(value))
    version = reference.get("apiVersion", "")
    if version.count("/") > 1:
        detail = f"unexpected GroupVersion string: {version}"
        yield invalid(f"{path}.apiVersion", version, detail)


_SOURCES = {
    "Object": "object",
    "External": "external",
    "Pods": "pods",
    "Resource": "resource",
    "ContainerResource": "containerResource",
}


def _metric_errors(metric: Object, path: str) -> Iterator[FieldError]:
    kind = metric.get("type", "")
    supported = sorted(_SOURCES)
    if not kind:
        yield required(f"{path}.type", "must specify a metric source type")
    if kind not in _SOURCES:
        yield not_supported(f"{path}.type", kind, supported)
    given = [key for key in _SOURCES.values() if metric.get(key) is not None]
    for key in given[:1]:
        yield from _source_errors(key, metric[key], f"{path}.{key}")
    expected = _SOURCES.get(kind)
    if expected is None:
        yield not_supported(f"{path}.type", kind, supported)
    elif expected not in given:
        detail = "must populate information for the given metric source"
        yield required(f"{path}.{expected}", detail)
    if len(given) != 1:
        for key in given:
            if key != expected:
                yield forbidden(f"{path}.{key}", "must populate the given metric source only")


def _source_errors(kind: str, source: Object, path: str) -> Iterator[FieldError]:
    target = source.get("target") or {}
    target_path = f"{path}.target"
    if kind == "object":
        yield from _reference_errors(source.get("describedObject") or {}, f"{path}.describedObject")
    if kind in ("resource", "containerResource"):
        if not source.get("name"):
            yield required(f"{path}.name", "must specify a resource name")
    else:
        yield from _identifier_errors(source.get("metric") or {}, f"{path}.metric")
    if kind == "containerResource":
        container = source.get("container", "")
        if not container:
            yield required(f"{path}.container", "must specify a container")
        else:
            problems = dns1123_label_problems(container)
            yield from each(f"{path}.container", container, problems)
    yield from _target_errors(target, target_path)
    yield from _one_target_errors(kind, target, target_path)


def _identifier_errors(metric: Object, path: str) -> Iterator[FieldError]:
    name = metric.get("name", "")
    if not name:
        yield required(f"{path}.name", "must specify a metric name")
    else:
        yield from each(f"{path}.name", name, path_segment_problems(name))


def _target_errors(target: Object, path: str) -> Iterator[FieldError]:
    kind = target.get("type", "")
    if not kind:
        yield required(f"{path}.type", "must specify a metric target type")
    if kind not in ("Utilization", "Value", "AverageValue"):
        detail = "must be either Utilization, Value, or AverageValue"
        yield invalid(f"{path}.type", kind, detail)
    for key in ("value", "averageValue"):
        text = target.get(key)
        if text is not None and parse_quantity(text).amount <= 0:
            yield invalid(f"{path}.{key}", text, "must be positive")
    utilization = target.get("averageUtilization")
    if utilization is not None and utilization < 1:
        yield invalid(f"{path}.averageUtilization", utilization, "must be greater than 0")


def _one_target_errors(kind: str, target: Object, path: str) -> Iterator[FieldError]:
    value, average = target.get("value") is not None, target.get("averageValue") is not None
    if kind in ("resource", "containerResource"):
        utilization = target.get("averageUtilization") is not None
        if not utilization and not average:
            detail = "must set either a target raw value or a target utilization"
            yield required(f"{path}.averageUtilization", detail)
        if utilization and average:
            detail = "may not set both a target raw value and a target utilization"
            yield forbidden(f"{path}.averageValue", detail)
    elif kind == "pods":
        if not average:
            detail = "must specify a positive target averageValue"
            yield required(f"{path}.averageValue", detail)
    elif not value and not average:
        external = "value for metric or a per-pod target"
        words = "value or averageValue" if kind == "object" else external
        yield required(f"{path}.averageValue", f"must set either a target {words}")
    elif kind == "external" and value and average:
        detail = "may not set both a target value for metric and a per-pod target"
        yield forbidden(f"{path}.value", detail)


def _rules_errors(rules: Object, path: str) -> Iterator[FieldError]:
    window, select = rules.get("stabilizationWindowSeconds"), rules.get("selectPolicy")
    window_path = f"{path}.stabilizationWindowSeconds"
    if window is not None and window < 0:
        yield invalid(window_path, window, "must be greater than or equal to zero")
    if window is not None and window > _LONGEST_WINDOW:
        yield invalid(window_path, window, f"must be less than or equal to {_LONGEST_WINDOW}")
    if select is not None:
        yield from checks.one_of(select, ("Disabled", "Max", "Min"), f"{path}.selectPolicy")
    policies = rules.get("policies") or []
    if not policies:
        yield required(f"{path}.policies", "must specify at least one Policy")
    for i, policy in enumerate(policies):
        yield from _policy_errors(policy, f"{path}.policies[{i}]")


def _policy_errors(policy: Object, path: str) -> Iterator[FieldError]:
    yield from checks.one_of(policy.get("type", ""), ("Percent", "Pods"), f"{path}.type")
    for key in ("value", "periodSeconds"):
        if policy.get(key, 0) <= 0:
            yield invalid(f"{path}.{key}", policy.get(key, 0), "must be greater than zero")
    period = policy.get("periodSeconds", 0)
    if period > _LONGEST_PERIOD:
        detail = f"must be less than or equal to {_LONGEST_PERIOD}"
        yield invalid(f"{path}.periodSeconds", period, detail)


def _status(new: Object, old: Object) -> Iterator[FieldError]:
    for key in ("currentReplicas", "desiredReplicas"):
        yield from non_negative(new.get("status") or {}, key, "status")


HORIZONTAL_POD_AUTOSCALER = Rules(
    default=_default, prepare=_prepare, validate=_errors, status=_status
)
