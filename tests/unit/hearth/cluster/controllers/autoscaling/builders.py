"""Autoscalers, pods and answers of metric APIs for the tests of this folder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hearth.kube.clock import rfc3339
from hearth.kube.meta import Object

NOW = 2_000_000.0
LONG_AGO = NOW - 3600


def a_pod(
    name: str,
    *,
    phase: str = "Running",
    ready: bool | None = True,
    started: float = LONG_AGO,
    changed: float = LONG_AGO,
    requests: dict[str, str] | None = None,
    containers: Sequence[Object] | None = None,
    **metadata: Any,
) -> Object:
    asked = {"cpu": "1"} if requests is None else requests
    default = [{"name": "main", "resources": {"requests": asked}}]
    condition = {"type": "Ready", "status": str(ready), "lastTransitionTime": rfc3339(changed)}
    return {
        "metadata": {"name": name, "namespace": "test", "labels": {"app": "web"}} | metadata,
        "spec": {"containers": containers or default},
        "status": {
            "phase": phase,
            "startTime": rfc3339(started),
            "conditions": [] if ready is None else [condition],
        },
    }


def pods(count: int, **options: Any) -> list[Object]:
    return [a_pod(f"p{number}", **options) for number in range(count)]


def a_usage(pod: str, amount: str, *, resource: str = "cpu", at: float = NOW) -> Object:
    """PodMetrics of one container."""
    return {
        "metadata": {"name": pod, "namespace": "test"},
        "timestamp": rfc3339(at),
        "window": "15s",
        "containers": [{"name": "main", "usage": {resource: amount}}],
    }


def usages(*amounts: str, resource: str = "cpu") -> list[Object]:
    return [a_usage(f"p{n}", each, resource=resource) for n, each in enumerate(amounts)]


def a_value(name: str, amount: str) -> Object:
    """One entry of a MetricValueList."""
    return {"describedObject": {"kind": "Pod", "name": name}, "timestamp": rfc3339(NOW)} | {
        "value": amount
    }


def by_cpu(percent: int) -> Object:
    target = {"type": "Utilization", "averageUtilization": percent}
    return {"type": "Resource", "resource": {"name": "cpu", "target": target}}


def by_cpu_amount(amount: str) -> Object:
    target = {"type": "AverageValue", "averageValue": amount}
    return {"type": "Resource", "resource": {"name": "cpu", "target": target}}


def by_pods(amount: str) -> Object:
    target = {"type": "AverageValue", "averageValue": amount}
    return {"type": "Pods", "pods": {"metric": {"name": "qps"}, "target": target}}


def by_external(**target: str) -> Object:
    kind = "Value" if "value" in target else "AverageValue"
    metric = {"name": "qps", "selector": {"matchLabels": {"queue": "jobs"}}}
    return {"type": "External", "external": {"metric": metric, "target": {"type": kind} | target}}


def by_object(**target: str) -> Object:
    kind = "Value" if "value" in target else "AverageValue"
    described = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "name": "front"}
    section = {"metric": {"name": "qps"}, "describedObject": described}
    return {"type": "Object", "object": section | {"target": {"type": kind} | target}}


def an_hpa(*metrics: Object, least: int = 1, most: int = 10, **more: Any) -> Object:
    reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "web", "namespace": "test", "uid": "u"},
        "spec": {
            "scaleTargetRef": reference,
            "minReplicas": least,
            "maxReplicas": most,
            "metrics": list(metrics),
        }
        | more,
    }
