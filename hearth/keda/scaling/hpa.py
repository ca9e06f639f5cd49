"""The HorizontalPodAutoscaler that a ScaledObject wants. Pure.

Source: ``controllers/keda/hpa.go`` of KEDA.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from hearth.keda.api import keys
from hearth.keda.api.checks import CheckError
from hearth.keda.api.scaledobject import ScaledObject
from hearth.keda.scalers.seam import MetricSpec, MetricType
from hearth.kube import meta
from hearth.kube.models import dump
from hearth.kube.quantity import Quantity

_LONGEST_LABEL = 63
MANAGED_BY = "keda-operator"
_OWN_ANNOTATIONS = ("kubectl.kubernetes.io/last-applied-configuration",)


def quantity(value: float) -> str:
    """Return a number as a quantity, in whole thousandths."""
    return str(Quantity(Decimal(math.trunc(value * 1000)) / 1000))


def hpa_of(
    obj: ScaledObject,
    specs: Sequence[MetricSpec],
    *,
    composite: MetricSpec | None,
    target: Mapping[str, str],
    owner: Mapping[str, Any],
    version: str,
) -> meta.Object:
    """Make the object; ``target`` is its scaleTargetRef. Raise CheckError in KEDA's words."""
    names = [spec.name for spec in specs if not spec.resource]
    for each in names:
        if names.count(each) > 1:
            raise CheckError(f"metricName {each} defined multiple times in ScaledObject {obj.name}")
    asked = [spec for spec in specs if spec.resource or composite is None]
    metrics = [_metric(spec, obj.name) for spec in (*asked, *((composite,) if composite else ()))]
    spec: dict[str, Any] = {
        "scaleTargetRef": dict(target),
        "minReplicas": obj.hpa_min_replicas,
        "maxReplicas": obj.max_replicas,
        "metrics": sorted(metrics, key=lambda each: str(each["type"])),
    }
    behavior = _behavior(obj)
    if behavior:
        spec["behavior"] = behavior
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {
            "name": obj.hpa_name,
            "namespace": obj.namespace,
            "labels": _labels(obj, version),
            "annotations": _annotations(obj),
            "ownerReferences": [dict(owner)],
        },
        "spec": spec,
    }


def _metric(spec: MetricSpec, owner: str) -> meta.Object:
    if spec.resource:
        about: dict[str, Any] = {"name": spec.resource, "target": _resource_target(spec)}
        if spec.container:
            about["container"] = spec.container
            return {"type": "ContainerResource", "containerResource": about}
        return {"type": "Resource", "resource": about}
    member = "value" if spec.type is MetricType.VALUE else "averageValue"
    selector = {"matchLabels": {keys.OWNER_LABEL: owner}}
    return {
        "type": "External",
        "external": {
            "metric": {"name": spec.name, "selector": selector},
            "target": {"type": spec.type.value, member: quantity(spec.target)},
        },
    }


def _resource_target(spec: MetricSpec) -> dict[str, Any]:
    if spec.type is MetricType.UTILIZATION:
        return {"type": spec.type.value, "averageUtilization": int(spec.target)}
    return {"type": MetricType.AVERAGE_VALUE.value, "averageValue": quantity(spec.target)}


def _behavior(obj: ScaledObject) -> dict[str, Any]:
    given = obj.hpa_config.behavior
    behavior: dict[str, Any] = {} if given is None else dump(given)
    for pauses, direction in (
        (obj.pauses_scale_in, "scaleDown"),
        (obj.pauses_scale_out, "scaleUp"),
    ):
        if pauses:
            behavior[direction] = {**behavior.get(direction, {}), "selectPolicy": "Disabled"}
    return behavior


def _labels(obj: ScaledObject, version: str) -> dict[str, str]:
    title = obj.hpa_name
    if len(title) > _LONGEST_LABEL:
        title = title[:_LONGEST_LABEL].rstrip("-_.")
    made = {
        "app.kubernetes.io/name": title,
        "app.kubernetes.io/version": version,
        "app.kubernetes.io/part-of": obj.name,
        "app.kubernetes.io/managed-by": MANAGED_BY,
        # Also at first, while its ScaledObject has the label not yet.
        keys.OWNER_LABEL: obj.name,
    }
    excluded = obj.annotations.get(keys.EXCLUDED_LABELS_ANNOTATION, "").split(",")
    return made | {key: value for key, value in obj.labels.items() if key not in excluded}


def _annotations(obj: ScaledObject) -> dict[str, str]:
    """All of the ScaledObject's; but kubectl's note of what was applied is of another object."""
    given = obj.annotations.items()
    return {key: value for key, value in given if key not in _OWN_ANNOTATIONS}


def check_owner(obj: ScaledObject, found: meta.Object, uid: str) -> None:
    """Raise CheckError where an HPA belongs to somebody else and is not to be taken over."""
    owner = meta.controller_of(found)
    is_given = obj.annotations.get(keys.TRANSFER_HPA_ANNOTATION) == "true"
    if (owner is not None and owner.get("uid") == uid) or is_given:
        return
    whose = "nobody's" if owner is None else f"of {owner.get('kind')} {owner.get('name')}"
    raise CheckError(
        f"the HPA {meta.name(found)} is there already and {whose}: name another in "
        "advanced.horizontalPodAutoscalerConfig.name, or set the annotation "
        f'{keys.TRANSFER_HPA_ANNOTATION}: "true"'
    )


def updated(found: meta.Object, wanted: meta.Object) -> meta.Object | None:
    """Return the HPA as it is to be stored; None where it is as it is wanted.

    What the server filled in, and what others added to labels and annotations, stays.
    """
    ours = wanted["metadata"]
    is_same = (
        is_within(wanted["spec"], found["spec"])
        and ("behavior" in wanted["spec"]) == bool(found["spec"].get("behavior"))
        and is_within(ours["labels"], meta.labels(found))
        and is_within(ours["annotations"], meta.annotations(found))
        and meta.controller_of(found) == ours["ownerReferences"][0]
    )
    if is_same:
        return None
    metadata = {
        **found["metadata"],
        "labels": meta.labels(found) | ours["labels"],
        "annotations": meta.annotations(found) | ours["annotations"],
        "ownerReferences": ours["ownerReferences"],
    }
    return {**found, "metadata": metadata, "spec": wanted["spec"]}


def is_within(wanted: Any, found: Any) -> bool:
    """Whether all that is wanted is there; what there is more of does not matter, but in lists."""
    if isinstance(wanted, Mapping):
        return isinstance(found, Mapping) and all(
            is_within(value, found.get(key)) for key, value in wanted.items()
        )
    if isinstance(wanted, list):
        return (
            isinstance(found, list)
            and len(wanted) == len(found)
            and all(map(is_within, wanted, found))
        )
    return bool(wanted == found)
