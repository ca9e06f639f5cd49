"""The autoscaler's numbers in Prometheus form, under Knative's names; read on scrape."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from hearth.kube.meta import Key, Object
from serving.api import keys, views
from serving.autoscaler.multiscaler import Decider, Multiscaler
from serving.autoscaler.spec import labels_for_metrics

_LABELS = (
    "k8s_namespace_name",
    "kn_service_name",
    "kn_configuration_name",
    "kn_revision_name",
)
_GAUGES = {
    "pods_desired": "Pods the autoscaler wants",
    "pods_requested": "Pods asked of Kubernetes",
    "pods_count": "Pods that are ready",
    "pods_not_ready_count": "Pods that run and are not ready",
    "pods_pending_count": "Pods that do not run yet",
    "pods_terminating_count": "Pods that are ending",
    "capacity_excess": "Burst capacity beyond the target",
    "panic_mode": "1 while the revision is scaled by its panic window",
    "concurrency_stable": "Average of requests in flight over the stable window",
    "concurrency_panic": "Average of requests in flight over the panic window",
    "concurrency_target": "Requests in flight aimed at per pod",
    "rps_stable": "Average of requests per second over the stable window",
    "rps_panic": "Average of requests per second over the panic window",
    "rps_target": "Requests per second aimed at per pod",
}


@dataclass(frozen=True, slots=True)
class PodCounts:
    """A revision's pods by their state."""

    ready: int = 0
    not_ready: int = 0
    pending: int = 0
    terminating: int = 0


class AutoscalerMetrics(Collector):
    """One sample per revision and gauge; the scrape runs in another thread and only reads."""

    def __init__(
        self,
        multiscaler: Multiscaler,
        *,
        podautoscaler: Callable[[Key], Object | None],
        pods: Callable[[Key], PodCounts],
    ) -> None:
        self._multiscaler = multiscaler
        self._podautoscaler = podautoscaler
        self._pods = pods

    def collect(self) -> Iterator[Metric]:
        """Yield one gauge after the other."""
        families = {
            gauge: GaugeMetricFamily(f"kn_revision_{gauge}", text, labels=_LABELS)
            for gauge, text in _GAUGES.items()
        }
        for key, decider in sorted(self._multiscaler.deciders.copy().items()):
            podautoscaler = self._podautoscaler(key)
            if podautoscaler is None:
                continue
            values = tuple(labels_for_metrics(podautoscaler).values())
            samples = [*_decided(decider), *_counted(self._pods(key))]
            requested = views.PodAutoscaler(podautoscaler).desired_scale or 0
            samples.append(("pods_requested", max(0, requested)))
            for gauge, value in samples:
                families[gauge].add_metric(values, value)
        yield from families.values()


def _decided(decider: Decider) -> Iterable[tuple[str, float]]:
    decision, spec = decider.decision, decider.spec
    metric = "rps" if spec.metric == keys.METRIC_RPS else "concurrency"
    return (
        ("pods_desired", max(0, decision.desired)),
        ("capacity_excess", decision.excess_burst_capacity),
        ("panic_mode", int(decision.panicking)),
        (f"{metric}_stable", decision.stable),
        (f"{metric}_panic", decision.panic),
        (f"{metric}_target", spec.target),
    )


def _counted(pods: PodCounts) -> Iterable[tuple[str, float]]:
    return (
        ("pods_count", pods.ready),
        ("pods_not_ready_count", pods.not_ready),
        ("pods_pending_count", pods.pending),
        ("pods_terminating_count", pods.terminating),
    )
