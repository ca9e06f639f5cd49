"""What the metric APIs answered, as numbers. Amounts are in thousandths. Pure.

Rules and words are those of Kubernetes' ``pkg/controller/podautoscaler/metrics``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hearth.kube.clock import parse_rfc3339
from hearth.kube.durations import parse_go_duration
from hearth.kube.quantity import parse_quantity

Items = Sequence[Mapping[str, Any]]
_DEFAULT_WINDOW_SECONDS = 60.0


class MetricError(Exception):
    """A metric from which no number of replicas follows; the text is Kubernetes'."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What was measured of one pod: thousandths, the end and the length of the time it is about."""

    value: int
    at: float = 0.0
    window: float = _DEFAULT_WINDOW_SECONDS


def of_resource(items: Items, resource: str, container: str = "") -> dict[str, Sample]:
    """Samples by pod out of PodMetrics: of one container, or of all of a pod together."""
    _must_have(items, "resource")
    samples = {}
    for item in items:
        uses = {c["name"]: c["usage"].get(resource) for c in item.get("containers") or ()}
        name = item["metadata"]["name"]
        if container and container not in uses:
            place = f"{item['metadata'].get('namespace', '')}/{name}"
            raise MetricError(
                "failed to get container metrics: "
                f"container {container} not present in metrics for pod {place}"
            )
        counted = [uses[container]] if container else list(uses.values())
        if counted and None not in counted:
            total = sum(parse_quantity(amount).milli for amount in counted)
            window = parse_go_duration(str(item.get("window", "60s")))
            samples[name] = Sample(total, _time(item), window)
    return samples


def of_pods(items: Items) -> dict[str, Sample]:
    """Samples by pod out of a MetricValueList."""
    _must_have(items, "custom")
    return {
        item["describedObject"]["name"]: Sample(
            parse_quantity(item["value"]).milli,
            _time(item),
            float(item.get("windowSeconds", item.get("window")) or _DEFAULT_WINDOW_SECONDS),
        )
        for item in items
    }


def of_object(items: Items) -> int:
    """The value of one object out of a MetricValueList."""
    if len(items) != 1:
        raise MetricError(
            "unable to fetch metrics from custom metrics API: the custom metrics API server "
            f"returned {len(items)} results when we asked for exactly one"
        )
    return parse_quantity(items[0]["value"]).milli


def of_external(items: Items) -> int:
    """The sum of an ExternalMetricValueList."""
    _must_have(items, "external")
    return sum(parse_quantity(item["value"]).milli for item in items)


def _must_have(items: Items, what: str) -> None:
    if not items:
        raise MetricError(f"no metrics returned from {what} metrics API")


def _time(item: Mapping[str, Any]) -> float:
    return parse_rfc3339(item["timestamp"])
