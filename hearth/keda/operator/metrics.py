"""Prometheus metrics by KEDA's names (``pkg/metricscollector/prommetrics.go``)."""

from __future__ import annotations

import platform
from collections import Counter as Counted
from collections.abc import Iterable
from importlib.metadata import version

from prometheus_client import Counter, Gauge, Histogram

from hearth.keda.scaling.observing import Metric, Sample
from hearth.kube.meta import Key

_LABELS = ["namespace", "metric", "scaledObject", "scaler", "triggerIndex", "type"]

VALUE = Gauge(
    "keda_scaler_metrics_value",
    "The current value for each scaler's metric that would be used by the HPA in computing the "
    "target average.",
    _LABELS,
)
LATENCY = Gauge(
    "keda_scaler_metrics_latency_seconds",
    "The latency of retrieving current metric from each scaler, in seconds.",
    _LABELS,
)
ACTIVE = Gauge(
    "keda_scaler_active", "Indicates whether a scaler is active (1), or not (0).", _LABELS
)
ERRORS = Counter(
    "keda_scaler_detail_errors",
    "The total number of errors encountered for each scaler.",
    _LABELS,
)
EMPTY = Counter(
    "keda_scaler_empty_upstream_responses",
    "Number of times a query returns an empty result",
    [
        "namespace",
        "scaledResource",
        "triggerName",
        "metricName",
        "resourceType",
        "ignoreNullValues",
    ],
)
REQUESTS = Counter(
    "keda_scaler_http_requests",
    "Total number of outbound HTTP requests issued during scaler metric collection.",
    ["namespace", "scaled_resource", "scaler", "trigger_name", "metric_name", "status_code"],
)
REQUEST_SECONDS = Histogram(
    "keda_scaler_http_request_duration_seconds",
    "Duration in seconds of outbound HTTP requests issued during scaler metric collection.",
    ["scaler", "status_code"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
BUILD = Gauge(
    "keda_build_info",
    "Info metric, with static information about the build and the runtime.",
    ["version", "git_commit", "goversion", "goos", "goarch"],
)
PAUSED = Gauge(
    "keda_scaled_object_paused",
    "Indicates whether a ScaledObject is paused (1), or not (0).",
    ["namespace", "scaledObject"],
)
OBJECT_ERRORS = Counter(
    "keda_scaled_object_errors",
    "The number of errors that have occurred for each ScaledObject.",
    ["namespace", "scaledObject"],
)
JOB_ERRORS = Counter(
    "keda_scaled_job_errors", "Number of scaled job errors", ["namespace", "scaledJob"]
)
TRIGGERS = Gauge(
    "keda_trigger_registered_total",
    "Total number of triggers per trigger type registered.",
    ["type"],
)
RESOURCES = Gauge(
    "keda_resource_registered_total",
    "Total number of KEDA custom resources per namespace for each custom resource type (CRD) "
    "registered.",
    ["type", "namespace"],
)
LOOP_LATENCY = Gauge(
    "keda_internal_scale_loop_latency_seconds",
    "Total deviation (in seconds) between the expected execution time and the actual execution "
    "time for the scaling loop.",
    ["namespace", "type", "resource"],
)
EVENTS_EMITTED = Counter(
    "keda_cloudeventsource_events_emitted",
    "Measured the total number of emitted cloudevents.",
    ["namespace", "cloudeventsource", "eventsink", "state"],
)
EVENTS_QUEUED = Gauge(
    "keda_cloudeventsource_events_queued",
    "Indicates how many events are still queued.",
    ["namespace"],
)
ALL = (
    VALUE,
    LATENCY,
    ACTIVE,
    ERRORS,
    EMPTY,
    REQUESTS,
    REQUEST_SECONDS,
    BUILD,
    PAUSED,
    OBJECT_ERRORS,
    JOB_ERRORS,
    TRIGGERS,
    RESOURCES,
    LOOP_LATENCY,
    EVENTS_EMITTED,
    EVENTS_QUEUED,
)
_RESOURCES = {
    "ScaledObject": "scaled_object",
    "ScaledJob": "scaled_job",
    "TriggerAuthentication": "trigger_authentication",
    "ClusterTriggerAuthentication": "cluster_trigger_authentication",
    "CloudEventSource": "cloudevent_source",
    "ClusterCloudEventSource": "cloudevent_source",
}
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def say_build(compatible_with: str) -> None:
    """Say which KEDA this stands for, and what it is."""
    machine = platform.machine()
    BUILD.labels(
        compatible_with,
        f"hearth-{version('hearth-serving')}",
        f"python{platform.python_version()}",
        platform.system().lower(),
        _ARCHITECTURES.get(machine, machine),
    ).set(1)


def count_resource(kind: str, namespace: str, by: int = 1) -> None:
    """Count an object that is handled, or with -1 one that is not any more."""
    RESOURCES.labels(_RESOURCES[kind], namespace).inc(by)


class ObjectMetrics:
    """Those of one ScaledObject or ScaledJob; gone when it is."""

    def __init__(self, kind: str, key: Key) -> None:
        self._kind, self.type = kind, kind.lower()
        self._namespace, self._name = key
        self._series: set[tuple[str, ...]] = set()
        self._asked: set[tuple[Counter, tuple[str, ...]]] = set()
        self._errors = (OBJECT_ERRORS if self.type == "scaledobject" else JOB_ERRORS).labels(*key)
        self._counted: Counted[str] = Counted()
        self._is_registered = False

    def registered(self, types: Iterable[str]) -> None:
        """Count the object with its triggers, instead of what was counted before."""
        self._uncount()
        self._counted = Counted(types)
        for kind, number in self._counted.items():
            TRIGGERS.labels(kind).inc(number)
        count_resource(self._kind, self._namespace)
        self._is_registered = True

    def _uncount(self) -> None:
        for kind, number in self._counted.items():
            TRIGGERS.labels(kind).dec(number)
        if self._is_registered:
            count_resource(self._kind, self._namespace, -1)
        self._counted, self._is_registered = Counted(), False

    def failed(self) -> None:
        """Count an error."""
        self._errors.inc()

    def paused(self, is_paused: bool) -> None:
        """Show whether it is paused."""
        PAUSED.labels(self._namespace, self._name).set(is_paused)

    def late(self, seconds: float) -> None:
        """Show by how much a look was late."""
        LOOP_LATENCY.labels(self._namespace, self.type, self._name).set(max(0.0, seconds))

    def of(self, scaler: str, metric: str, index: int) -> tuple[str, ...]:
        """Return the labels of a trigger's series, which go with the object."""
        labels = (self._namespace, metric, self._name, scaler, str(index), self.type)
        self._series.add(labels)
        return labels

    def asked(self, counter: Counter, *labels: str) -> None:
        """Count something about one of its triggers."""
        whole = (self._namespace, self._name, *labels)
        self._asked.add((counter, whole))
        counter.labels(*whole).inc()

    def told(self, metric: Metric, index: int) -> None:
        """Show the value and the activity of a metric."""
        labels = self.of(metric.name, metric.spec.name, index)
        ACTIVE.labels(*labels).set(metric.is_active)
        ERRORS.labels(*labels).inc(1 if metric.error else 0)
        if metric.value is not None:
            VALUE.labels(*labels).set(metric.value)

    def clear(self) -> None:
        """Forget all series of triggers."""
        for labels in self._series:
            for each in (VALUE, LATENCY, ACTIVE, ERRORS):
                each.remove(*labels)
        for counter, labels in self._asked:
            counter.remove(*labels)
        self._series.clear()
        self._asked.clear()

    def gone(self) -> None:
        """Forget the object."""
        self.clear()
        self._uncount()
        LOOP_LATENCY.remove(self._namespace, self.type, self._name)
        if self.type == "scaledobject":
            PAUSED.remove(self._namespace, self._name)


class ScalerMetrics:
    """Those of one trigger that are known where it is read."""

    def __init__(self, of: ObjectMetrics, index: int) -> None:
        self._of = of
        self._index = index
        self._labels = ("", "", "")

    def asks(self, scaler: str, trigger: str, metric: str) -> None:
        """From here on what is told is of this scaler, trigger and metric."""
        self._labels = scaler, trigger, metric

    def requested(self, status: str, seconds: float) -> None:
        """Count an HTTP request (``telling.Listener``)."""
        self._of.asked(REQUESTS, *self._labels, status)
        REQUEST_SECONDS.labels(self._labels[0], status).observe(seconds)

    def found_nothing(self, *, is_ignored: bool) -> None:
        """Count an answer that is empty."""
        _, trigger, metric = self._labels
        ignored = str(is_ignored).lower()
        self._of.asked(EMPTY, trigger, metric, self._of.type, ignored)

    def took(self, scaler: str, metric: str, seconds: float) -> None:
        """Show how long a read took."""
        LATENCY.labels(*self._of.of(scaler, metric, self._index)).set(seconds)

    def told(self, sample: Sample) -> None:
        """Count a failure."""
        if sample.error:
            self._of.failed()
