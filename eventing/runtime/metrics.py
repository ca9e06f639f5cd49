"""Counters of the broker: plain numbers on the hot path, read when Prometheus asks.

Names and labels as Knative's, as OpenTelemetry's exporter for Prometheus writes them:
``kn.eventing.dispatch.duration``, ``kn.eventing.process.duration`` and
``http.server.request.duration``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from eventing.api.channelkinds import BY_PLACE, CHANNEL_KINDS
from eventing.runtime.places import BROKER, Place
from hearth.observability.histogram import Histogram

Labels = tuple[str, ...]
_ENDPOINT = ("kn_broker_namespace", "kn_broker_name", "messaging_destination_name")


_CHANNEL = ("kn_channel_namespace", "kn_channel_name")
_MESSAGING = ("messaging_operation_name", "messaging_system")
_SENT = ("send", "knative")
_SUFFIXES = tuple(kind.suffix for kind in CHANNEL_KINDS)


def _channel_labels(labels: Labels) -> Labels:
    """Which channel a series is of by Knative's labels; Prometheus takes an empty one for none."""
    namespace, name = labels[:2]
    for suffix in _SUFFIXES:
        if name.endswith(suffix):
            return namespace, name.removesuffix(suffix)
    return "", ""


def _labels(place: Place) -> Labels:
    """Brokers by their name, channels by the name of their Service, which no Broker has."""
    if place.kind == BROKER:
        return place.namespace, place.name
    kind = BY_PLACE.get(place.kind)
    return place.namespace, place.name + (kind.suffix if kind else f"-kn-{place.kind}")


class EndpointCounters:
    """What happened at one place's ingress or to one Trigger's deliveries."""

    def __init__(self) -> None:
        self.dispatch: dict[int, Histogram] = {}
        self.process = Histogram()
        self.dead_lettered = self.dropped = self.retried = self.looped = 0
        self.expired = self.duplicates = self.unsound = 0
        self.held = self.waiting = self.breaker_open = 0
        self.lag: Callable[[], int | None] = lambda: None
        """Tells how many events the subscription is not done with; asked in Prometheus' thread."""

    def dispatched(self, status: int, seconds: float) -> None:
        """Count one attempt, or one request taken in, by its HTTP status; 0 is no answer."""
        histogram = self.dispatch.get(status)
        if histogram is None:
            histogram = self.dispatch[status] = Histogram()
        histogram.observe(seconds)


class JoinCounters:
    """What became of the joins of one Parallel."""

    def __init__(self) -> None:
        self.whole = self.partial = self.lost = self.unwanted = 0
        self.waiting = 0


class BrokerMetrics(Collector):
    """All counters of the process.

    Prometheus reads them in a thread of its own while the event loop adds series: what is walked
    here is a copy, and copying a dict is one step that no other thread comes between.
    """

    def __init__(self) -> None:
        self._intakes: dict[Labels, EndpointCounters] = {}
        self._deliveries: dict[Labels, EndpointCounters] = {}
        self._logs: dict[Labels, tuple[int, int, int]] = {}
        self._joins: dict[Labels, JoinCounters] = {}
        self._turned_away: dict[int, int] = {}

    def turned_away(self, status: int) -> None:
        """Count a request of which nothing was taken in, answered as soon as it was whole."""
        self._turned_away[status] = self._turned_away.get(status, 0) + 1

    def intake(self, place: Place) -> EndpointCounters:
        """Return the counters of what is taken in somewhere."""
        destination = f"{place.kind}:{place.name}.{place.namespace}"
        return self._intakes.setdefault((*_labels(place), destination), EndpointCounters())

    def deliveries(self, place: Place, kind: str, name: str) -> EndpointCounters:
        """Return the counters of one Trigger's or Subscription's deliveries."""
        labels = (*_labels(place), f"{kind}:{name}.{place.namespace}")
        return self._deliveries.setdefault(labels, EndpointCounters())

    def joins(self, place: Place) -> JoinCounters:
        """Return the counters of the joins whose parts come in somewhere."""
        return self._joins.setdefault(_labels(place), JoinCounters())

    def forget(self, place: Place, kind: str | None = None, name: str = "") -> None:
        """Drop the series of one Trigger or Subscription, or of a place and all of its own."""
        of_place = _labels(place)
        if kind is not None:
            self._deliveries.pop((*of_place, f"{kind}:{name}.{place.namespace}"), None)
            return
        self._logs.pop(of_place, None)
        self._joins.pop(of_place, None)
        for endpoints in (self._intakes, self._deliveries):
            for labels in [each for each in endpoints if each[:2] == of_place]:
                del endpoints[labels]

    def log_state(self, place: Place, *, size: int, events: int, gone: int = 0) -> None:
        """Note the bytes of a log, the events that it still holds, those that went too early."""
        self._logs[_labels(place)] = size, events, gone

    def collect(self) -> Iterator[Metric]:
        """Yield all series, in Prometheus' thread."""
        yield from self._durations()
        yield from self._counters()
        names = ("kn_broker_namespace", "kn_broker_name")
        size = GaugeMetricFamily("hearth_event_log_bytes", "Bytes of a broker's log", labels=names)
        events = GaugeMetricFamily(
            "hearth_event_log_events", "Events a broker's log still holds", labels=names
        )
        gone = CounterMetricFamily(
            "hearth_event_log_gone",
            "Events that a server let go of before a Trigger had them",
            labels=names,
        )
        for labels, (log_bytes, log_events, log_gone) in self._logs.copy().items():
            size.add_metric(labels, log_bytes)
            events.add_metric(labels, log_events)
            gone.add_metric(labels, log_gone)
        yield size
        yield events
        yield gone
        yield from self._join_counters()

    def _join_counters(self) -> Iterator[Metric]:
        names = ("kn_broker_namespace", "kn_broker_name")
        sent = CounterMetricFamily(
            "hearth_joins",
            "Joins of Parallels: sent on with all branches, with some, or given up",
            labels=(*names, "result"),
        )
        unwanted = CounterMetricFamily(
            "hearth_join_parts_unwanted",
            "What branches told of a join that was sent on before, or told twice",
            labels=names,
        )
        waiting = GaugeMetricFamily(
            "hearth_joins_waiting", "Joins that wait for branches", labels=names
        )
        for labels, counters in self._joins.copy().items():
            for result in ("whole", "partial", "lost"):
                sent.add_metric((*labels, result), getattr(counters, result))
            unwanted.add_metric(labels, counters.unwanted)
            waiting.add_metric(labels, counters.waiting)
        yield from (sent, unwanted, waiting)

    def _durations(self) -> Iterator[Metric]:
        dispatch = HistogramMetricFamily(
            "kn_eventing_dispatch_duration_seconds",
            "The duration to dispatch the event",
            labels=(*_ENDPOINT, "http_response_status_code", *_CHANNEL, *_MESSAGING),
        )
        process = HistogramMetricFamily(
            "kn_eventing_process_duration_seconds",
            "The time from an event's arrival to its first dispatch",
            labels=(*_ENDPOINT, *_CHANNEL, *_MESSAGING),
        )
        deliveries = self._deliveries.copy()
        for labels, counters in (self._intakes.copy() | deliveries).items():
            for status, histogram in counters.dispatch.copy().items():
                told = (*labels, str(status), *_channel_labels(labels), *_SENT)
                dispatch.add_metric(told, histogram.buckets(), histogram.total)
        for labels, counters in deliveries.items():
            histogram, told = counters.process, (*labels, *_channel_labels(labels), *_SENT)
            process.add_metric(told, histogram.buckets(), histogram.total)
        yield dispatch
        yield process
        yield self._requests()

    def _requests(self) -> Metric:
        """Requests with events: those that were taken in, and the others, of no place."""
        family = HistogramMetricFamily(
            "http_server_request_duration_seconds",
            "The time from a whole request with events to its answer",
            labels=(*_ENDPOINT[:2], *_CHANNEL, "http_request_method", "http_response_status_code"),
        )
        for labels, counters in self._intakes.copy().items():
            for status, histogram in counters.dispatch.copy().items():
                told = (*labels[:2], *_channel_labels(labels), "POST", str(status))
                family.add_metric(told, histogram.buckets(), histogram.total)
        for status, count in self._turned_away.copy().items():
            at_once = Histogram()
            at_once.counts[0] = count
            family.add_metric(("", "", "", "", "POST", str(status)), at_once.buckets(), 0.0)
        return family

    def _counters(self) -> Iterator[Metric]:
        for field, text in (
            ("dead_lettered", "Events given to a dead letter sink"),
            ("dropped", "Events that could not be delivered and had nowhere else to go"),
            ("expired", "Events that were not sent because their expirytime was over"),
            ("duplicates", "Events that were not sent because they came before"),
            ("looped", "Replies that came to be through their own subscription again and again"),
            ("retried", "Attempts that were followed by another one"),
        ):
            family = CounterMetricFamily(f"hearth_events_{field}", text, labels=_ENDPOINT)
            for labels, counters in self._deliveries.copy().items():
                family.add_metric(labels, getattr(counters, field))
            yield family
        for name, field, text in (
            ("hearth_events_held", "held", "Events that nobody takes, kept in the log"),
            ("hearth_events_waiting", "waiting", "Events that wait for a time of their own"),
            ("hearth_delivery_breaker_open", "breaker_open", "1 while a subscriber is left alone"),
        ):
            gauge = GaugeMetricFamily(name, text, labels=_ENDPOINT)
            for labels, counters in self._deliveries.copy().items():
                gauge.add_metric(labels, getattr(counters, field))
            yield gauge
        lag = GaugeMetricFamily(
            "hearth_events_lag",
            "Events that a subscription is not done with, without those held",
            labels=_ENDPOINT,
        )
        for labels, counters in self._deliveries.copy().items():
            if (count := counters.lag()) is not None:
                lag.add_metric(labels, count)
        yield lag
        unsound = CounterMetricFamily(
            "hearth_events_unsound",
            "Events that do not satisfy the schema of their EventType",
            labels=_ENDPOINT,
        )
        for labels, counters in self._intakes.copy().items():
            unsound.add_metric(labels, counters.unsound)
        yield unsound
