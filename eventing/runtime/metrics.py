"""Counters of the broker: plain numbers on the hot path, read when Prometheus asks.

Names as Knative's: ``kn.eventing.dispatch.duration`` and ``kn.eventing.process.duration``.
"""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from hearth.observability.histogram import Histogram

Labels = tuple[str, ...]
_ENDPOINT = ("kn_broker_namespace", "kn_broker_name", "messaging_destination_name")


class EndpointCounters:
    """What happened at one broker's ingress or to one Trigger's deliveries."""

    def __init__(self) -> None:
        self.dispatch: dict[int, Histogram] = {}
        self.process = Histogram()
        self.dead_lettered = self.dropped = self.retried = 0

    def dispatched(self, status: int, seconds: float) -> None:
        """Count one attempt, or one request taken in, by its HTTP status; 0 is no answer."""
        histogram = self.dispatch.get(status)
        if histogram is None:
            histogram = self.dispatch[status] = Histogram()
        histogram.observe(seconds)


class BrokerMetrics(Collector):
    """All counters of the process.

    Prometheus reads them in a thread of its own while the event loop adds series: what is walked
    here is a copy, and copying a dict is one step that no other thread comes between.
    """

    def __init__(self) -> None:
        self._endpoints: dict[Labels, EndpointCounters] = {}
        self._logs: dict[tuple[str, str], tuple[int, int]] = {}

    def broker(self, namespace: str, name: str) -> EndpointCounters:
        """Return the counters of a Broker's ingress."""
        return self._endpoint(namespace, name, f"broker:{name}.{namespace}")

    def trigger(self, namespace: str, broker: str, trigger: str) -> EndpointCounters:
        """Return the counters of a Trigger's deliveries."""
        return self._endpoint(namespace, broker, f"trigger:{trigger}.{namespace}")

    def _endpoint(self, *labels: str) -> EndpointCounters:
        return self._endpoints.setdefault(labels, EndpointCounters())

    def forget(self, namespace: str, broker: str, destination: str | None = None) -> None:
        """Drop the series of one destination, or of a broker and all its Triggers."""
        gone = [
            labels
            for labels in self._endpoints
            if labels[:2] == (namespace, broker) and destination in (None, labels[2])
        ]
        for labels in gone:
            del self._endpoints[labels]
        if destination is None:
            self._logs.pop((namespace, broker), None)

    def log_state(self, namespace: str, broker: str, *, size: int, events: int) -> None:
        """Note the bytes of a broker's log and the events that it still holds."""
        self._logs[namespace, broker] = size, events

    def collect(self) -> Iterator[Metric]:
        """Yield all series, in Prometheus' thread."""
        yield from self._durations()
        yield from self._counters()
        names = ("kn_broker_namespace", "kn_broker_name")
        size = GaugeMetricFamily("hearth_event_log_bytes", "Bytes of a broker's log", labels=names)
        events = GaugeMetricFamily(
            "hearth_event_log_events", "Events a broker's log still holds", labels=names
        )
        for labels, (log_bytes, log_events) in self._logs.copy().items():
            size.add_metric(labels, log_bytes)
            events.add_metric(labels, log_events)
        yield size
        yield events

    def _durations(self) -> Iterator[Metric]:
        dispatch = HistogramMetricFamily(
            "kn_eventing_dispatch_duration_seconds",
            "The duration to dispatch the event",
            labels=(*_ENDPOINT, "http_response_status_code"),
        )
        process = HistogramMetricFamily(
            "kn_eventing_process_duration_seconds",
            "The time from an event's arrival to its first dispatch",
            labels=_ENDPOINT,
        )
        for labels, counters in self._endpoints.copy().items():
            for status, histogram in counters.dispatch.copy().items():
                dispatch.add_metric((*labels, str(status)), histogram.buckets(), histogram.total)
            if labels[2].startswith("trigger:"):
                histogram = counters.process
                process.add_metric(labels, histogram.buckets(), histogram.total)
        yield dispatch
        yield process

    def _counters(self) -> Iterator[Metric]:
        for field, text in (
            ("dead_lettered", "Events given to a dead letter sink"),
            ("dropped", "Events that could not be delivered and had nowhere else to go"),
            ("retried", "Attempts that were followed by another one"),
        ):
            family = CounterMetricFamily(f"hearth_events_{field}", text, labels=_ENDPOINT)
            for labels, counters in self._endpoints.copy().items():
                if labels[2].startswith("trigger:"):
                    family.add_metric(labels, getattr(counters, field))
            yield family
