"""What happened between two looks: requests, latencies, pods and what they use. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from hearth.cli.diagnosis import describe_service
from hearth.kube import meta
from hearth.kube.conditions import Conditions
from hearth.kube.meta import Key, Object
from hearth.kube.quantity import parse_quantity

_DURATIONS = "kn_serving_invocation_duration_seconds"
_COLD = "hearth_activator_cold_requests_total"
_ACTIVE = ("kn_revision_request_active", "kn_revision_request_queued")
_SERVICE = "serving.knative.dev/service"


@dataclass(slots=True)
class Traffic:
    """What activators have counted for one service since they started."""

    requests: float = 0.0
    cold: float = 0.0
    active: float = 0.0
    """Requests under way or waiting at the moment."""
    buckets: dict[float, float] = field(default_factory=dict)
    """Answers within so many seconds."""


@dataclass(frozen=True, slots=True)
class Look:
    """All that is known at one moment; ``at`` is in seconds of a clock that only goes on."""

    at: float
    traffic: Mapping[Key, Traffic]
    services: Sequence[Object]
    pods: Sequence[Object]
    usage: Mapping[Key, tuple[float, float]]
    """Cores and octets of each pod that is known."""
    remarks: Sequence[str] = ()


def traffic_of(texts: Iterable[str]) -> dict[Key, Traffic]:
    """Return what several activators have counted, by namespace and service."""
    found: dict[Key, Traffic] = {}
    for text in texts:
        for family in text_string_to_metric_families(text):
            for name, labels, value, *_ in family.samples:
                service = labels.get("kn_service_name") or labels.get("kn_revision_name")
                if service:
                    place = labels.get("k8s_namespace_name", ""), service
                    _count(found.setdefault(place, Traffic()), name, labels, value)
    return found


def _count(traffic: Traffic, name: str, labels: Mapping[str, str], value: float) -> None:
    if name == f"{_DURATIONS}_count":
        traffic.requests += value
    elif name == f"{_DURATIONS}_bucket":
        bound = float(labels["le"])
        traffic.buckets[bound] = traffic.buckets.get(bound, 0.0) + value
    elif name == _COLD:
        traffic.cold += value
    elif name in _ACTIVE:
        traffic.active += value


def usage_of(metrics: Iterable[Object]) -> dict[Key, tuple[float, float]]:
    """Return cores and octets of pods, by PodMetrics of metrics.k8s.io."""
    return {
        meta.key(pod): (
            sum(float(parse_quantity(each["usage"]["cpu"]).amount) for each in pod["containers"]),
            sum(
                float(parse_quantity(each["usage"]["memory"]).amount) for each in pod["containers"]
            ),
        )
        for pod in metrics
    }


def quantile(buckets: Mapping[float, float], share: float) -> float | None:
    """Return within how many seconds that share was answered; None where nothing was.

    As Prometheus does it: in a straight line within a bucket, at most the last bound.
    """
    bounds = sorted(buckets)
    if not bounds or buckets[bounds[-1]] <= 0:
        return None
    wanted = share * buckets[bounds[-1]]
    below, counted = 0.0, 0.0
    for bound in bounds:
        if buckets[bound] >= wanted:
            if bound == float("inf"):
                return below
            return below + (bound - below) * (wanted - counted) / (buckets[bound] - counted)
        below, counted = bound, buckets[bound]
    return below


def service_rows(before: Look, after: Look) -> list[dict[str, Any]]:
    """Return a row for each service, the busiest first; ``None`` is what is not known."""
    pods: dict[Key, list[Object]] = {}
    for pod in after.pods:
        pods.setdefault((meta.namespace(pod), _service_of(pod)), []).append(pod)
    known = {meta.key(service): describe_service(service) for service in after.services}
    rows = [
        {
            "namespace": place[0],
            "name": place[1],
            "ready": known.get(place, {}).get("ready", ""),
            **_rates(before, after, place),
            **_pods(pods.get(place, ()), after.usage),
        }
        for place in sorted({*known, *after.traffic})
    ]
    return sorted(rows, key=lambda row: -(row["requestsPerSecond"] or 0.0))


def _rates(before: Look, after: Look, place: Key) -> dict[str, Any]:
    """An activator that started anew has counted less than before: what it has now is new."""
    now, then = after.traffic.get(place, Traffic()), before.traffic.get(place, Traffic())
    if now.requests < then.requests:
        then = Traffic()
    passed = {bound: n - then.buckets.get(bound, 0.0) for bound, n in now.buckets.items()}
    return {
        "requestsPerSecond": (now.requests - then.requests) / max(after.at - before.at, 1e-9),
        "active": int(now.active),
        "p50Seconds": quantile(passed, 0.5),
        "p99Seconds": quantile(passed, 0.99),
        "coldStarts": int(now.cold),
    }


def _pods(pods: Sequence[Object], usage: Mapping[Key, tuple[float, float]]) -> dict[str, Any]:
    used = [usage[place] for pod in pods if (place := meta.key(pod)) in usage]
    return {
        "pods": len(pods),
        "readyPods": sum(Conditions.of(pod).is_true("Ready") for pod in pods),
        "cores": sum(cores for cores, _ in used) if used or not pods else None,
        "memoryBytes": int(sum(octets for _, octets in used)) if used or not pods else None,
    }


def pod_rows(look: Look) -> Iterator[dict[str, Any]]:
    """Yield a row for each pod, in order of service and name."""
    for pod in sorted(
        look.pods, key=lambda pod: (meta.namespace(pod), _service_of(pod), meta.name(pod))
    ):
        status = pod.get("status") or {}
        containers = status.get("containerStatuses") or ()
        cores, octets = look.usage.get(meta.key(pod), (None, None))
        yield {
            "namespace": meta.namespace(pod),
            "name": meta.name(pod),
            "service": _service_of(pod),
            "phase": "Terminating" if meta.is_deleting(pod) else status.get("phase", "Pending"),
            "ready": Conditions.of(pod).is_true("Ready"),
            "restarts": sum(int(each.get("restartCount", 0)) for each in containers),
            "cores": cores,
            "memoryBytes": None if octets is None else int(octets),
        }


def _service_of(pod: Object) -> str:
    return str(meta.labels(pod).get(_SERVICE, ""))
