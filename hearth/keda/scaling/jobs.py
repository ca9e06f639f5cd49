"""How many Jobs a ScaledJob starts, and which old ones go. Pure.

Source: ``pkg/scaling/scaledjob`` and ``pkg/scaling/executor/scale_jobs.go`` of KEDA.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hearth.keda.api import keys
from hearth.keda.api.keys import Condition
from hearth.keda.api.scaledjob import ScaledJob
from hearth.keda.scalers.seam import MetricType
from hearth.keda.scaling.decide import Said
from hearth.keda.scaling.observing import Metric
from hearth.kube import meta
from hearth.kube.conditions import Conditions
from hearth.kube.meta import Key, Object, key, labels

_DEFAULT_HISTORY = 100


@dataclass(frozen=True, slots=True)
class Demand:
    """What triggers ask for together."""

    is_active: bool
    queue: int
    """Work that is waiting."""
    wish: int
    """Jobs for it, within the most there may be."""


@dataclass(frozen=True, slots=True)
class Running:
    """Jobs that are not over."""

    running: int
    pending: int
    """Those of them whose pods have not started."""


@dataclass(frozen=True, slots=True)
class JobDecision:
    """What is to be done."""

    create: int
    said: tuple[Said, ...]
    is_active: bool
    rule: str


def demand(obj: ScaledJob, metrics: Sequence[Metric]) -> Demand:
    """Return what triggers ask for; those that failed do not count (IsScaledJobActive)."""
    counted = [
        (metric.value, _jobs_for(metric, obj.max_replicas))
        for metric in metrics
        if metric.value is not None and metric.is_active
    ]
    queue, jobs = _calculated(obj.spec.scaling_strategy.multiple_scalers_calculation, counted)
    return Demand(
        bool(counted) or obj.min_replicas > 0,
        math.ceil(queue),
        math.ceil(min(jobs, obj.max_replicas)),
    )


def _jobs_for(metric: Metric, most: int) -> float:
    if metric.value is None or metric.spec.type is not MetricType.AVERAGE_VALUE:
        return 0.0
    return min(metric.value / metric.spec.target, most) if metric.spec.target else 0.0


def _calculated(how: str, counted: Sequence[tuple[float, float]]) -> tuple[float, float]:
    if not counted:
        return 0.0, 0.0
    if how in ("avg", "sum"):
        parts = len(counted) if how == "avg" else 1
        return sum(each[0] for each in counted) / parts, sum(each[1] for each in counted) / parts
    return min(counted) if how == "min" else max(counted, key=lambda each: each[0])


def decide_jobs(obj: ScaledJob, metrics: Sequence[Metric], running: Running) -> JobDecision:
    """Return how many Jobs are started now, and what is said."""
    wanted = demand(obj, metrics)
    create, rule = _to_create(obj, wanted, running)
    failed = any(metric.error for metric in metrics)
    return JobDecision(
        max(0, create) if wanted.is_active else 0,
        _said(is_active=wanted.is_active, failed=failed),
        wanted.is_active,
        rule,
    )


def _to_create(obj: ScaledJob, wanted: Demand, jobs: Running) -> tuple[int, str]:
    """``getScalingDecision`` and ``createJobs``: never more than the strategy's limit."""
    fewest = obj.min_replicas
    if jobs.running < fewest:
        return fewest - jobs.running, "minimum"
    strategy = obj.spec.scaling_strategy.strategy or "default"
    running, most = jobs.running - fewest, obj.max_replicas
    create = wanted.queue
    if strategy == "custom" and (custom := _custom(obj, wanted.wish, running)) is not None:
        limit = custom
    elif strategy == "accurate":
        limit = wanted.wish - jobs.pending
        if wanted.wish + running - jobs.pending > most:
            limit = most - running
    elif strategy == "eager":
        limit, create = min(most - running - jobs.pending, wanted.wish), most
    else:
        strategy, limit = "default", wanted.wish - running
    return min(create, limit), f"{strategy} strategy"


def _custom(obj: ScaledJob, wish: int, running: int) -> int | None:
    """None where the percentage is no number: then the default counts."""
    strategy = obj.spec.scaling_strategy
    try:
        part = float(strategy.custom_scaling_running_job_percentage)
        taken = int(running * part)
    except (ValueError, OverflowError):
        return None
    less = strategy.custom_scaling_queue_length_deduction or 0
    return min(wish - less - taken, obj.max_replicas)


def _said(*, is_active: bool, failed: bool) -> tuple[Said, ...]:
    ready = Said(
        Condition.READY,
        "True",
        "ScaledJobReady",
        "ScaledJob is defined correctly and is ready for scaling",
    )
    if failed:
        which, status = ("Some triggers", "Unknown") if is_active else ("Triggers", "False")
        text = f"{which} defined in ScaledJob are not working correctly"
        reason = "PartialTriggerError" if is_active else "TriggerError"
        ready = Said(Condition.READY, status, reason, text)
    if is_active:
        text = "Scaling is performed because triggers are active"
        return ready, Said(Condition.ACTIVE, "True", "ScalerActive", text)
    text = "Scaling is not performed because triggers are not active"
    return ready, Said(Condition.ACTIVE, "False", "ScalerNotActive", text)


# -- the Jobs that there are -----------------------------------------------------------------------


def ending_of(job: Object) -> str:
    """Return Complete or Failed; empty while a Job is not over."""
    conditions = Conditions.of(job)
    return next((kind for kind in ("Complete", "Failed") if conditions.is_true(kind)), "")


def count(obj: ScaledJob, jobs: Sequence[Object], pods: Mapping[str, Sequence[Object]]) -> Running:
    """Count Jobs that are not over; ``pods`` are by the name of their Job."""
    needed = obj.spec.scaling_strategy.pending_pod_conditions
    running = [job for job in jobs if not ending_of(job)]
    pending = [
        job
        for job in running
        if not any(_has_begun(pod, needed) for pod in pods.get(key(job)[1], ()))
    ]
    return Running(len(running), len(pending))


def _has_begun(pod: Object, needed: Sequence[str]) -> bool:
    if needed:
        conditions = Conditions.of(pod)
        return all(conditions.is_true(kind) for kind in needed)
    return (pod.get("status") or {}).get("phase") in ("Running", "Succeeded")


def job_of_pod(pod: Object) -> str:
    """Return the name of the Job that a pod is of; empty where it is of none."""
    return labels(pod).get("job-name", "")


def beyond_history(obj: ScaledJob, jobs: Sequence[Object]) -> list[Key]:
    """Return the Jobs that are over and too many, those first that ended first."""
    spec = obj.spec
    limits = {
        "Complete": spec.successful_jobs_history_limit,
        "Failed": spec.failed_jobs_history_limit,
    }
    gone: list[Key] = []
    for ending, given in limits.items():
        limit = _DEFAULT_HISTORY if given is None else given
        over = sorted((job for job in jobs if ending_of(job) == ending), key=_ended)
        gone += [key(job) for job in over[: max(0, len(over) - limit)]]
    return gone


def _ended(job: Object) -> tuple[str, str]:
    return str((job.get("status") or {}).get("completionTime") or ""), key(job)[1]


def of_other_versions(obj: ScaledJob, generation: int, jobs: Sequence[Object]) -> list[Key]:
    """Return the Jobs that a changed ScaledJob ends: all of other generations, unless gradual."""
    if (obj.spec.rollout_strategy or obj.spec.rollout.strategy) == "gradual":
        return []
    ours = str(generation)
    return [
        key(job)
        for job in jobs
        if meta.annotations(job).get(keys.JOB_GENERATION_ANNOTATION) != ours
    ]


def rollout_propagation(obj: ScaledJob) -> str:
    """Return how those are deleted."""
    is_foreground = obj.spec.rollout.propagation_policy == "foreground"
    return "Foreground" if is_foreground else "Background"


def job_of(obj: ScaledJob, owner: Mapping[str, Any], *, generation: int, version: str) -> Object:
    """Make a Job; ``owner`` is a reference to the ScaledJob."""
    excluded = obj.annotations.get(keys.JOB_EXCLUDED_LABELS_ANNOTATION, "").split(",")
    made = {
        "app.kubernetes.io/name": obj.name,
        "app.kubernetes.io/version": version,
        "app.kubernetes.io/part-of": obj.name,
        "app.kubernetes.io/managed-by": "keda-operator",
        keys.JOB_OWNER_LABEL: obj.name,
    }
    given = {name: value for name, value in obj.labels.items() if name not in excluded}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "generateName": f"{obj.name}-",
            "namespace": obj.namespace,
            "labels": made | given,
            "annotations": {keys.JOB_GENERATION_ANNOTATION: str(generation)} | obj.annotations,
            "ownerReferences": [dict(owner)],
        },
        "spec": _job_spec(obj),
    }


def _job_spec(obj: ScaledJob) -> dict[str, Any]:
    spec = dict(obj.spec.job_target_ref)
    template = dict(spec.get("template") or {})
    metadata = dict(template.get("metadata") or {})
    metadata["generateName"] = f"{obj.name}-"
    metadata["labels"] = (metadata.get("labels") or {}) | {keys.JOB_OWNER_LABEL: obj.name}
    pod = {"restartPolicy": "OnFailure"} | (template.get("spec") or {})
    return spec | {"template": template | {"metadata": metadata, "spec": pod}}
