"""KEDA's conditions: without times, in their order, each set by whoever knows of it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from hearth.keda.api.keys import Condition, ConditionReason
from hearth.keda.scaling.decide import Said
from hearth.keda.scaling.observing import Observation
from hearth.kube.conditions import Conditions

_FIRST = {
    Condition.READY: "Unknown",
    Condition.ACTIVE: "Unknown",
    Condition.FALLBACK: "Unknown",
    Condition.PAUSED: "False",
}
"""As they are before anything is known; HPAActive comes once there is an HPA."""

NO_FALLBACK = Said(
    Condition.FALLBACK,
    "False",
    "NoFallbackFound",
    "No fallbacks are active on this scaled object",
)
FALLBACK = Said(
    Condition.FALLBACK,
    "True",
    "FallbackExists",
    "At least one trigger is falling back on this scaled object",
)


def with_said(before: Iterable[Mapping[str, Any]], said: Iterable[Said]) -> list[dict[str, Any]]:
    """Return the conditions of a status after some of them were said anew."""
    found = {str(each.get("type")): dict(each) for each in before}
    for kind, status in _FIRST.items():
        found.setdefault(kind.value, {"type": kind.value, "status": status})
    for each in said:
        found[each.type.value] = {
            "type": each.type.value,
            "status": each.status,
            "reason": str(each.reason),
            "message": str(each.message),
        }
    return list(found.values())


def hpa_health(hpa: Mapping[str, Any]) -> Said | None:
    """Return what ScalingActive of an HPA means; None while it has not said anything."""
    found = Conditions.of(dict(hpa)).get("ScalingActive")
    if found is None:
        return None
    reason, message = str(found.get("reason", "")), str(found.get("message", ""))
    if found.get("status") == "True":
        return _hpa("True", ConditionReason.HPA_ACTIVE, "HPA is actively scaling")
    if reason == "ScalingDisabled":
        return _hpa("True", ConditionReason.HPA_SCALING_DISABLED, message)
    reason = reason or ConditionReason.HPA_METRICS_UNAVAILABLE
    return _hpa("False", reason, f"HPA is not actively scaling: {message}")


def _hpa(status: str, reason: str, message: str) -> Said:
    return Said(Condition.HPA_ACTIVE, status, reason, message)


def activity_of(seen: Observation) -> dict[str, Any]:
    """Return ``triggersActivity`` of a status: of each trigger, or of none beside a formula."""
    is_told = seen.composite is None
    return {each.spec.name: {"isActive": is_told and each.is_active} for each in seen.metrics}


def health_of(failures: int) -> dict[str, Any]:
    """Return an entry of a status' ``health``."""
    return {"numberOfFailures": failures, "status": "Failing" if failures else "Happy"}
