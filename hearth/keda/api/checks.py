"""What is wrong with a ScaledObject or its triggers by themselves, in KEDA's words. Pure.

Admission refuses such objects, and the operator says so of those that were there before. Source:
``apis/keda/v1alpha1``: ``scaledobject_types.go``, ``scaledobject_webhook.go``,
``scaletriggers_types.go``.
"""

from __future__ import annotations

from collections.abc import Sequence

from hearth.keda.api import keys
from hearth.keda.api.scaledobject import ScaledObject
from hearth.keda.api.shapes import JobTrigger
from hearth.kube.gotext import quote

RESOURCE_TYPES = ("cpu", "memory")
"""Triggers whose metric Kubernetes has itself."""
_NEVER_CACHED = (*RESOURCE_TYPES, "cron")
_LABEL_LENGTH = 63
_TRIGGERS = "incorrect-triggers"


class CheckError(ValueError):
    """The object cannot be acted on; the text says why, ``reason`` (of metrics) in a word."""

    def __init__(self, text: str, reason: str = "") -> None:
        super().__init__(text)
        self.reason = reason


def check_name(obj: ScaledObject) -> None:
    """The names of the object and of its HPA become values of labels."""
    if len(obj.name) > _LABEL_LENGTH:
        raise CheckError(
            f"scaledobject name {quote(obj.name)} is {len(obj.name)} characters long; must be no "
            f"more than {_LABEL_LENGTH} characters because it is used as the "
            f"{quote(keys.OWNER_LABEL)} label value",
            "name-too-long",
        )
    if len(obj.hpa_name) > _LABEL_LENGTH:
        raise CheckError(
            f"HPA name {quote(obj.hpa_name)} derived from scaledobject is {len(obj.hpa_name)} "
            f"characters long; must be no more than {_LABEL_LENGTH} characters; set "
            "spec.advanced.horizontalPodAutoscalerConfig.name to a shorter name or shorten the "
            "scaledobject name",
            "hpa-name-too-long",
        )


def check_bounds(obj: ScaledObject) -> None:
    """Idle is below the minimum, and the minimum not above the maximum."""
    least = 0 if obj.spec.min_replica_count is None else obj.hpa_min_replicas
    if least > obj.max_replicas:
        raise CheckError(
            f"MinReplicaCount={least} must be less than MaxReplicaCount={obj.max_replicas}",
            "incorrect-replicas",
        )
    idle = obj.spec.idle_replica_count
    if idle is not None and idle >= least:
        raise CheckError(
            f"IdleReplicaCount={idle} must be less than MinReplicaCount={least}",
            "incorrect-replicas",
        )


def check_fallback(obj: ScaledObject) -> None:
    """There is something that a fallback can stand in for: no metric that Kubernetes has itself."""
    fallback = obj.spec.fallback
    if fallback is None:
        return
    if fallback.failure_threshold < 0 or fallback.replicas < 0:
        raise CheckError(
            f"FailureThreshold={fallback.failure_threshold} & Replicas={fallback.replicas} must "
            "both be greater than or equal to 0",
            "incorrect-fallback",
        )
    if obj.modifiers is None and all(each.type in RESOURCE_TYPES for each in obj.spec.triggers):
        raise CheckError(
            "at least one trigger (that is not cpu or memory) has to have the `AverageValue` type "
            "for the fallback to be enabled",
            "incorrect-fallback",
        )


def check_triggers(triggers: Sequence[JobTrigger]) -> None:
    """There are triggers, their names differ, and what cannot be cached is not asked for so."""
    if not triggers:
        raise CheckError("no triggers defined in the ScaledObject/ScaledJob", _TRIGGERS)
    names: set[str] = set()
    for trigger in triggers:
        if trigger.use_cached_metrics and trigger.type in _NEVER_CACHED:
            raise CheckError(
                f'property "useCachedMetrics" is not supported for {quote(trigger.type)} scaler',
                _TRIGGERS,
            )
        if trigger.name in names:
            raise CheckError(
                f"triggerName {quote(trigger.name)} is defined multiple times in the "
                "ScaledObject/ScaledJob, but it must be unique",
                _TRIGGERS,
            )
        names |= {trigger.name} if trigger.name else set()
