"""Usage of containers as Prometheus metrics, under the names kubelet uses; read on scrape."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from hearth.cluster.node.runtime.api import Runtime

_LABELS = ("container", "namespace", "pod")


class UsageCollector(Collector):
    """Collects what the containers of a runtime use, at the moment of the scrape."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def describe(self) -> Iterator[Metric]:
        """The families without values, for the registry."""
        yield from self._families()

    def collect(self) -> Iterator[Metric]:
        """The families with a value for each running container."""
        cpu, memory = self._families()
        for usage in self._runtime.usage():
            labels = (usage.container, usage.namespace, usage.pod)
            cpu.add_metric(labels, usage.cpu_seconds)
            memory.add_metric(labels, usage.memory_bytes)
        yield cpu
        yield memory

    @staticmethod
    def _families() -> tuple[CounterMetricFamily, GaugeMetricFamily]:
        return (
            CounterMetricFamily(
                "container_cpu_usage_seconds",
                "CPU time used by a container's processes",
                labels=_LABELS,
            ),
            GaugeMetricFamily(
                "container_memory_working_set_bytes",
                "Resident memory of a container's processes",
                labels=_LABELS,
            ),
        )
