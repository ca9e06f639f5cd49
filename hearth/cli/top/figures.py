"""What happened between two looks: requests, latencies, pods and what they use. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hearth.cli.diagnosis import describe_service
from hearth.kube import meta
from hearth.kube.conditions import Conditions
from hearth.kube.meta import Key, Object
from hearth.kube.quantity import parse_quantity
from hearth.observability.traffic import Count, added, grown, parse, quantile

_SERVICE = "serving.knative.dev/service"


@dataclass(frozen=True, slots=True)
class Look:
    """All that is known at one moment; ``at`` is in seconds of a clock that only goes on."""

    at: float
    traffic: Mapping[Key, Count]
    services: Sequence[Object]
    pods: Sequence[Object]
    usage: Mapping[Key, tuple[float, float]]
    """Cores and octets of each pod that is known."""
    remarks: Sequence[str] = ()


def traffic_of(texts: Iterable[str]) -> dict[Key, Count]:
    """Return what several activators have counted, by namespace and service."""
    found: dict[Key, list[Count]] = {}
    for text in texts:
        for (namespace, name), count in parse(text).items():
            found.setdefault((namespace, count.service or name), []).append(count)
    return {place: added(counts) for place, counts in found.items()}


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
    now = after.traffic.get(place, Count())
    passed = grown(now, before.traffic.get(place))
    return {
        "requestsPerSecond": passed.requests / max(after.at - before.at, 1e-9),
        "active": int(now.active + now.queued),
        "p50Seconds": quantile(passed.buckets, 0.5),
        "p99Seconds": quantile(passed.buckets, 0.99),
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
