"""Conditions of a ServiceBinding, in the form of metav1.Condition. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hearth.kube import meta
from hearth.kube.clock import rfc3339
from hearth.kube.conditions import Conditions
from hearth.kube.meta import Object
from hearth.kube.plan import UpdateStatus
from hearth.servicebinding import keys

_MOST = 32_768
"""Characters of a message, by the schema."""
_WORSE = ("False", "Unknown")


@dataclass(frozen=True, slots=True)
class Verdict:
    """Status, reason and message of a condition."""

    status: str
    reason: str
    message: str = ""


def status_update(
    binding: Object, *, secret: str, service: Verdict, workload: Verdict, now: float
) -> tuple[UpdateStatus, ...]:
    """Return what makes the status tell this; nothing where it does."""
    verdicts = {
        keys.READY: _ready(service, workload),
        keys.SERVICE_AVAILABLE: service,
        keys.WORKLOAD_PROJECTED: workload,
    }
    generation = meta.generation(binding)
    status: dict[str, Any] = {
        "observedGeneration": generation,
        "conditions": [
            _condition(binding, kind, verdict, generation, now)
            for kind, verdict in verdicts.items()
        ],
    }
    if secret:
        status["binding"] = {"name": secret}
    if status == binding.get("status"):
        return ()
    return (UpdateStatus(keys.SERVICEBINDINGS, {**binding, "status": status}),)


def _ready(service: Verdict, workload: Verdict) -> Verdict:
    for status in _WORSE:
        for verdict in (service, workload):
            if verdict.status == status:
                return verdict
    return Verdict("True", "ServiceBound")


def _condition(
    binding: Object, kind: str, verdict: Verdict, generation: int, now: float
) -> Mapping[str, Any]:
    """The time is when ``status`` changed last, as Kubernetes' API conventions have it."""
    known = Conditions.of(binding)
    since = known.transition_time(kind) if known.status(kind) == verdict.status else ""
    return {
        "type": kind,
        "status": verdict.status,
        "reason": verdict.reason,
        "message": verdict.message[:_MOST],
        "observedGeneration": generation,
        "lastTransitionTime": since or rfc3339(now),
    }
