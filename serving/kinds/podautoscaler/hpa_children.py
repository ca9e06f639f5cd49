"""The HorizontalPodAutoscaler of a PodAutoscaler of the HPA class. Pure."""

from __future__ import annotations

import math
from typing import Any

from hearth.kube import meta
from hearth.kube.meta import Object, labels, name, namespace, owner_reference
from hearth.kube.resources import HPAS
from serving.api import keys
from serving.api.annotations import MAX_INT32, READ_TARGET, READ_WINDOW
from serving.api.config.autoscaler import AutoscalerConfig
from serving.api.schedule import UNSCHEDULED, Scheduled
from serving.autoscaler.spec import annotated, metric_of, scale_bounds


def make_hpa(
    podautoscaler: Object, config: AutoscalerConfig, scheduled: Scheduled = UNSCHEDULED
) -> Object:
    """Make the HorizontalPodAutoscaler that the annotations, and their schedule, ask for."""
    min_scale, max_scale = scale_bounds(podautoscaler, config, scheduled)
    spec: dict[str, Any] = {
        "scaleTargetRef": dict(podautoscaler["spec"]["scaleTargetRef"]),
        "maxReplicas": max_scale or MAX_INT32,
    }
    if min_scale > 0:
        spec["minReplicas"] = min_scale
    target = annotated(podautoscaler, keys.TARGET, READ_TARGET, default=0.0)
    if target:
        spec["metrics"] = [_metric(metric_of(podautoscaler), min(target, MAX_INT32))]
    window = annotated(podautoscaler, keys.WINDOW, READ_WINDOW, default=0.0)
    if window:
        rules = {"stabilizationWindowSeconds": int(window)}
        spec["behavior"] = {"scaleDown": dict(rules), "scaleUp": dict(rules)}
    return {
        "apiVersion": HPAS.api_version,
        "kind": HPAS.kind,
        "metadata": {
            "name": name(podautoscaler),
            "namespace": namespace(podautoscaler),
            "labels": dict(labels(podautoscaler)),
            "annotations": dict(meta.annotations(podautoscaler)),
            "ownerReferences": [owner_reference(podautoscaler)],
        },
        "spec": spec,
    }


def _metric(metric: str, target: float) -> dict[str, Any]:
    if metric == keys.METRIC_CPU:
        share = {"type": "Utilization", "averageUtilization": math.ceil(target)}
        return {"type": "Resource", "resource": {"name": "cpu", "target": share}}
    if metric == keys.METRIC_MEMORY:
        amount = {"type": "AverageValue", "averageValue": f"{int(target)}Mi"}
        return {"type": "Resource", "resource": {"name": "memory", "target": amount}}
    value = {"type": "AverageValue", "averageValue": str(int(target))}
    return {"type": "Pods", "pods": {"metric": {"name": metric}, "target": value}}
