"""Prometheus metrics by KEDA's names (``pkg/metricscollector/prommetrics.go``)."""

from __future__ import annotations

from collections import Counter as Counted
from collections.abc import Iterable

from prometheus_client import Counter, Gauge

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
    PAUSED,
    OBJECT_ERRORS,
    JOB_ERRORS,
    TRIGGERS,
    RESOURCES,
    LOOP_LATENCY,
)


class ObjectMetrics:
    """Those of one ScaledObject or ScaledJob; gone when it is."""

    def __init__(self, kind: str, key: Key) -> None:
        self._type = kind.lower()
        self._namespace, self._name = key
        self._series: set[tuple[str, ...]] = set()
        self._errors = (OBJECT_ERRORS if self._type == "scaledobject" else JOB_ERRORS).labels(*key)
        self._counted: Counted[str] = Counted()
        self._is_registered = False

    def registered(self, types: Iterable[str]) -> None:
        """Count the object with its triggers, instead of what was counted before."""
        self._uncount()
        self._counted = Counted(types)
        for kind, number in self._counted.items():
            TRIGGERS.labels(kind).inc(number)
        RESOURCES.labels(self._type, self._namespace).inc()
        self._is_registered = True

    def _uncount(self) -> None:
        for kind, number in self._counted.items():
            TRIGGERS.labels(kind).dec(number)
        if self._is_registered:
            RESOURCES.labels(self._type, self._namespace).dec()
        self._counted, self._is_registered = Counted(), False

    def failed(self) -> None:
        """Count an error."""
        self._errors.inc()

    def paused(self, is_paused: bool) -> None:
        """Show whether it is paused."""
        PAUSED.labels(self._namespace, self._name).set(is_paused)

    def late(self, seconds: float) -> None:
        """Show by how much a look was late."""
        LOOP_LATENCY.labels(self._namespace, self._type, self._name).set(max(0.0, seconds))

    def of(self, scaler: str, metric: str, index: int) -> tuple[str, ...]:
        """Return the labels of a trigger's series, which go with the object."""
        labels = (self._namespace, metric, self._name, scaler, str(index), self._type)
        self._series.add(labels)
        return labels

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
        self._series.clear()

    def gone(self) -> None:
        """Forget the object."""
        self.clear()
        self._uncount()
        LOOP_LATENCY.remove(self._namespace, self._type, self._name)
        if self._type == "scaledobject":
            PAUSED.remove(self._namespace, self._name)


class ScalerMetrics:
    """Those of one trigger that are known where it is read."""

    def __init__(self, of: ObjectMetrics, index: int) -> None:
        self._of = of
        self._index = index

    def took(self, scaler: str, metric: str, seconds: float) -> None:
        """Show how long a read took."""
        LATENCY.labels(*self._of.of(scaler, metric, self._index)).set(seconds)

    def told(self, sample: Sample) -> None:
        """Count a failure."""
        if sample.error:
            self._of.failed()
