"""Usage of containers as Prometheus metrics, under the names kubelet uses; read on scrape."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from hearth.cluster.node.runtime.processes.kernel import read_usage

_LABELS = ("container", "namespace", "pod")


class UsageCollector(Collector):
    def __init__(self, pods_dir: Path) -> None:
        self._pods_dir = pods_dir

    def describe(self) -> Iterator[Metric]:
        yield from self._families()

    def collect(self) -> Iterator[Metric]:
        cpu, memory = self._families()
        for usage in read_usage(self._pods_dir):
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
