"""The status of an autoscaler while it is being made. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hearth.cluster.controllers.autoscaling.behavior import Verdict
from hearth.kube.clock import rfc3339
from hearth.kube.meta import Object

ABLE, ACTIVE, LIMITED = "AbleToScale", "ScalingActive", "ScalingLimited"


@dataclass(slots=True)
class Draft:
    """The status to be."""

    hpa: Object
    now: float
    conditions: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        known = (self.hpa.get("status") or {}).get("conditions") or ()
        self.conditions = [dict(condition) for condition in known]

    def set(self, kind: str, verdict: Verdict) -> None:
        """States a condition; its time is that of its last change."""
        found = next((c for c in self.conditions if c["type"] == kind), None)
        if found is None:
            found = {"type": kind}
            self.conditions.append(found)
        holds, reason, message = verdict
        if found.get("status") != str(holds):
            found["lastTransitionTime"] = rfc3339(self.now)
        found |= {"status": str(holds), "reason": reason, "message": message}

    def status(
        self,
        current: int | None = None,
        desired: int | None = None,
        metrics: Sequence[Mapping[str, Any]] | None = None,
    ) -> dict[str, Any]:
        """The status with these numbers; what is None stays as it is."""
        status = {**(self.hpa.get("status") or {}), "conditions": self.conditions}
        if current is not None:
            status["currentReplicas"] = current
        if desired is not None:
            status["desiredReplicas"] = desired
        if metrics is not None:
            status["currentMetrics"] = list(metrics) or None
        status.setdefault("currentMetrics", None)
        status.setdefault("desiredReplicas", 0)
        return status
