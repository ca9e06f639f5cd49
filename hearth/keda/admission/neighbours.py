"""Whether a ScaledObject gets along with what is in its namespace, in KEDA's words. Pure.

Source: ``apis/keda/v1alpha1/scaledobject_webhook.go``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hearth.keda.admission.targets import TargetKind, kind_of, target_kind
from hearth.keda.api import keys
from hearth.keda.api.checks import RESOURCE_TYPES, CheckError
from hearth.keda.api.scaledobject import ScaledObject, ScaleTarget
from hearth.kube import meta
from hearth.kube.meta import Object, metadata, name
from hearth.kube.quantity import parse_quantity

_POD_TEMPLATES = ("apps/v1.Deployment", "apps/v1.StatefulSet")
"""Targets whose containers are looked at."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What is in the namespace."""

    scaled_objects: Sequence[Object] = ()
    hpas: Sequence[Object] = ()
    target: Object | None = None
    """What is to be scaled, where its containers matter (``looks_at_target``)."""
    limit_ranges: Sequence[Object] = ()


def looks_at_target(obj: ScaledObject) -> bool:
    """Whether it matters what the target's containers request."""
    kind = str(kind_of(obj.spec.scale_target_ref))
    return kind in _POD_TEMPLATES and any(_resources_asked(obj))


def _resources_asked(obj: ScaledObject) -> Iterator[tuple[str, str]]:
    """The resources that triggers look at, with the one container that is meant, or ""."""
    for each in obj.spec.triggers:
        if each.type in RESOURCE_TYPES:
            yield each.type, each.metadata.get("containerName", "")


def check_others(obj: ScaledObject, others: Sequence[Object]) -> None:
    """No other ScaledObject has its target or its HPA."""
    wanted = kind_of(obj.spec.scale_target_ref)
    for other in others:
        if name(other) == obj.name:
            continue
        target = _target(other.get("spec") or {})
        if target.name == obj.spec.scale_target_ref.name and kind_of(target) == wanted:
            raise CheckError(
                f"the workload '{target.name}' of type '{wanted}' is already managed by the "
                f"ScaledObject '{name(other)}'",
                "other-scaled-object",
            )
    for other in others:
        if name(other) != obj.name and _hpa_name(other) == obj.hpa_name:
            raise CheckError(
                f"the HPA '{obj.hpa_name}' is already managed by the ScaledObject '{name(other)}'",
                "other-scaled-object-hpa",
            )


def _target(spec: Mapping[str, Any]) -> ScaleTarget:
    ref = spec.get("scaleTargetRef") or {}
    return ScaleTarget(
        name=ref.get("name", ""), api_version=ref.get("apiVersion", ""), kind=ref.get("kind", "")
    )


def _hpa_name(scaled: Object) -> str:
    config = (scaled["spec"].get("advanced") or {}).get("horizontalPodAutoscalerConfig") or {}
    return str(config.get("name") or keys.HPA_PREFIX + name(scaled))


def check_hpas(obj: ScaledObject, hpas: Sequence[Object]) -> None:
    """No HPA of somebody else has its target, unless it is to become this object's own."""
    wanted, target = kind_of(obj.spec.scale_target_ref), obj.spec.scale_target_ref.name
    for hpa in hpas:
        if meta.annotations(hpa).get(keys.HPA_OWNERSHIP_ANNOTATION) == "false":
            continue
        ref = _target(hpa.get("spec") or {})
        if ref.name == target and _means(ref, wanted) and not _owns(obj, hpa):
            _check_transfer(obj, name(hpa), wanted)


def _means(ref: ScaleTarget, wanted: TargetKind) -> bool:
    return target_kind(ref.api_version, ref.kind) == wanted


def _owns(obj: ScaledObject, hpa: Object) -> bool:
    owners = metadata(hpa).get("ownerReferences") or ()
    return any((o["kind"], o["name"]) == (keys.SCALEDOBJECTS.kind, obj.name) for o in owners)


def _check_transfer(obj: ScaledObject, hpa: str, wanted: TargetKind) -> None:
    target = obj.spec.scale_target_ref.name
    if obj.annotations.get(keys.TRANSFER_HPA_ANNOTATION) != "true":
        raise CheckError(
            f"the workload '{target}' of type '{wanted}' is already managed by the hpa '{hpa}'",
            "other-hpa",
        )
    if obj.hpa_config.name != hpa:
        raise CheckError(
            f"the existing hpa '{hpa}' for workload '{target}' of type '{wanted}' must be "
            "specified by name in advanced settings to enable ownership transfer",
            "transfer-ownership-missing-hpa-name",
        )


def check_requests(obj: ScaledObject, seen: Seen) -> None:
    """Containers request what cpu and memory triggers look at; these alone never go to zero."""
    if not looks_at_target(obj):
        return
    if seen.target is None:
        ref = obj.spec.scale_target_ref
        kind = kind_of(ref)
        raise CheckError(f'{kind.kind}.{kind.group} "{ref.name}" not found')
    containers = seen.target["spec"]["template"]["spec"].get("containers") or ()
    for resource, only in _resources_asked(obj):
        limited = any(_is_limited(each, resource) for each in seen.limit_ranges)
        for container in containers:
            if only in ("", container["name"]) and not (_asks(container, resource) or limited):
                raise CheckError(
                    f"the scaledobject has a {resource} trigger but the container "
                    f"{container['name']} doesn't have the {resource} request defined",
                    "missing-requests",
                )
    if all(each.type in RESOURCE_TYPES for each in obj.spec.triggers):
        _check_minimum(obj)


def _check_minimum(obj: ScaledObject) -> None:
    if not obj.spec.min_replica_count:
        raise CheckError(
            "scaledobject has only cpu/memory triggers AND minReplica is 0 (scale to zero doesn't "
            "work in this case)",
            "scale-to-zero-requirements-not-met",
        )


def _asks(container: Object, resource: str) -> bool:
    given = container.get("resources") or {}
    return _is_above_zero(given.get("requests"), resource) or _is_above_zero(
        given.get("limits"), resource
    )


def _is_limited(limit_range: Object, resource: str) -> bool:
    """Whether containers get a request or limit where they name none."""
    return any(
        item.get("type") == "Container"
        and (
            _is_above_zero(item.get("defaultRequest"), resource)
            or _is_above_zero(item.get("default"), resource)
        )
        for item in (limit_range.get("spec") or {}).get("limits") or ()
    )


def _is_above_zero(amounts: Mapping[str, Any] | None, resource: str) -> bool:
    try:
        return parse_quantity((amounts or {}).get(resource, 0)).amount > 0
    except ValueError:
        return False
