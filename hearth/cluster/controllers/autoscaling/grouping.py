"""Which pods count in a measurement, and what they request. Pure.

Rules and words are those of Kubernetes' ``replica_calculator.go``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hearth.cluster.controllers.autoscaling.samples import MetricError, Sample
from hearth.kube import meta
from hearth.kube.clock import parse_rfc3339
from hearth.kube.meta import Object
from hearth.kube.quantity import parse_quantity
from hearth.kube.views import Pod

CPU_INITIALIZATION_SECONDS = 300.0
"""How long after its start a pod's CPU counts only from a whole window of being ready."""
READINESS_DELAY_SECONDS = 30.0
"""A pod that is not ready, and has been so since no later than that after its start, never was."""
_NO_PODS = "no pods returned by selector while calculating replica count"


@dataclass(frozen=True, slots=True)
class Groups:
    """The pods by what is known of them; each is in one group."""

    ready: int
    unready: frozenset[str]
    missing: frozenset[str]
    """There is no sample of them."""
    ignored: frozenset[str]


def group(
    pods: Sequence[Object], samples: Mapping[str, Sample], resource: str, *, now: float
) -> Groups:
    """Sorts pods; only of CPU is it asked whether a pod is through with its start."""
    if not pods:
        raise MetricError(_NO_PODS)
    places: dict[str, list[str]] = {"ready": [], "unready": [], "missing": [], "ignored": []}
    for pod in pods:
        sample = samples.get(meta.name(pod))
        places[_place(pod, sample, resource, now)].append(meta.name(pod))
    others = (frozenset(places[place]) for place in ("unready", "missing", "ignored"))
    return Groups(len(places["ready"]), *others)


def _place(pod: Object, sample: Sample | None, resource: str, now: float) -> str:
    phase = Pod(pod).phase
    if meta.is_deleting(pod) or phase == "Failed":
        return "ignored"
    if phase == "Pending":
        return "unready"
    if sample is None:
        return "missing"
    return "unready" if resource == "cpu" and _is_starting(pod, sample, now) else "ready"


def _is_starting(pod: Object, sample: Sample, now: float) -> bool:
    view = Pod(pod)
    condition, started = view.conditions.get("Ready"), view.status.get("startTime")
    if condition is None or not started:
        return True
    is_unready = condition["status"] == "False"
    start = parse_rfc3339(started)
    changed = condition.get("lastTransitionTime")
    since = parse_rfc3339(changed) if changed else 0.0
    if start + CPU_INITIALIZATION_SECONDS > now:
        return is_unready or sample.at < since + sample.window
    return is_unready and start + READINESS_DELAY_SECONDS > since


def count_ready(pods: Sequence[Object]) -> int:
    """How many pods run and are ready."""
    if not pods:
        raise MetricError(f"unable to calculate ready pods: {_NO_PODS}")
    return sum(Pod(pod).phase == "Running" and Pod(pod).is_ready for pod in pods)


def requests(pods: Sequence[Object], resource: str, container: str = "") -> dict[str, int]:
    """What each pod requests of a resource, in thousandths: one container, or all together."""
    return {meta.name(pod): _request(pod, resource, container) for pod in pods}


def _request(pod: Object, resource: str, container: str) -> int:
    spec: Mapping[str, Any] = pod.get("spec") or {}
    of_pod = (spec.get("resources") or {}).get("requests")
    if of_pod and not container:
        if resource not in of_pod:
            raise MetricError(f"missing pod-level request for {resource} in Pod {meta.name(pod)}")
        return parse_quantity(of_pod[resource]).milli
    sidecars = [c for c in spec.get("initContainers") or () if c.get("restartPolicy") == "Always"]
    counted = [
        each
        for each in (*(spec.get("containers") or ()), *sidecars)
        if not container or each["name"] == container
    ]
    if container and not counted:
        raise MetricError(f"container {container} not found in Pod {meta.name(pod)}")
    return sum(_of_container(each, resource, meta.name(pod)) for each in counted)


def _of_container(container: Mapping[str, Any], resource: str, pod: str) -> int:
    amount = ((container.get("resources") or {}).get("requests") or {}).get(resource)
    if amount is None:
        message = f"missing request for {resource} in container {container['name']} of Pod {pod}"
        raise MetricError(message)
    return parse_quantity(amount).milli
