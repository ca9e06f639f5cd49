"""The data plane's counters in Prometheus form, read on scrape. No hot path comes through here.

Names and attributes are Knative's (``kn.serving.invocation.duration`` and so on) as Prometheus
writes them. Labels are bounded: revisions that have a route, status classes, our own reasons.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate
from typing import Any

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector
from prometheus_client.samples import Exemplar as Shown

from activator.addon import Followed
from activator.backends import Backend
from activator.dataplane import DataPlane
from activator.encryption import Encryption
from activator.peers import Peers
from activator.policies import BOUNDS
from activator.reporter import Reporter
from activator.view import SYSTEM_NAMESPACE
from hearth.observability.histogram import Exemplar, Histogram

_REVISION_LABELS = (
    "kn_service_name",
    "kn_configuration_name",
    "kn_revision_name",
    "k8s_namespace_name",
)


_ROUTE_EDGES = (*(str(bound) for bound in BOUNDS), "+Inf")


class ActivatorCollector(Collector):
    """Reads the counters of a data plane. Runs in the thread of a scrape, so it copies dicts."""

    def __init__(
        self,
        plane: DataPlane,
        reporter: Reporter | None = None,
        peers: Peers | None = None,
        encryption: Encryption | None = None,
        followed: Callable[[], list[Followed]] = list,
    ) -> None:
        """``followed`` lists the routes of KEDA's HTTP add-on."""
        self._plane = plane
        self._reporter = reporter
        self._peers = peers
        self._encryption = encryption
        self._followed = followed

    def collect(self) -> Iterable[Metric]:
        """All metrics of the activator."""
        # What stands in our own namespace (the live page) is no service of a user's.
        all_of_them = self._plane.backends.all()
        backends = [each for each in all_of_them if each.ref.namespace != SYSTEM_NAMESPACE]
        yield from _request_metrics(backends)
        yield from _retry_metrics(backends)
        yield from _session_metrics(backends)
        yield from _cold_start_metrics(backends)
        yield from self._gateway_metrics()
        yield from self._handshake_metrics()
        yield from self._peer_metrics()
        yield from self._autoscaler_metrics()
        yield from _route_metrics(self._followed())

    def _gateway_metrics(self) -> Iterator[Metric]:
        gateway, pools = self._plane.gateway, self._plane.pools
        yield _gauge(
            "hearth_activator_client_connections",
            "Open clients.",
            len(self._plane.clients.connections),
        )
        yield _gauge(
            "hearth_activator_route_hosts",
            "Hosts in the published route table.",
            len(gateway.table.internal),
        )
        yield _counter(
            "hearth_activator_forwarded_requests",
            "Requests forwarded to hosts outside the cluster.",
            gateway.forwarded_requests,
        )
        yield _counter(
            "hearth_activator_connect_errors",
            "Connections to pods that failed.",
            pools.connect_errors,
        )
        yield _gauge(
            "hearth_activator_connecting",
            "Connections to pods that are being opened for requests.",
            pools.dialing,
        )
        errors = CounterMetricFamily(
            "hearth_activator_errors", "Responses of the activator itself.", labels=("reason",)
        )
        for reason, count in sorted(gateway.refusals.copy().items()):
            errors.add_metric((reason,), count)
        yield errors
        connect = HistogramMetricFamily(
            "hearth_activator_connect_seconds", "Opening a connection to a pod."
        )
        _add(connect, (), pools.connect_durations)
        yield connect

    def _handshake_metrics(self) -> Iterator[Metric]:
        terminator = self._encryption.terminator if self._encryption is not None else None
        if terminator is None:
            return
        ended = CounterMetricFamily(
            "hearth_activator_tls_handshakes", "TLS handshakes that have ended.", labels=("result",)
        )
        for result, count in sorted(terminator.results.copy().items()):
            ended.add_metric((result,), count)
        yield ended
        yield _gauge(
            "hearth_activator_tls_handshakes_pending",
            "TLS handshakes under way.",
            terminator.pending,
        )

    def _peer_metrics(self) -> Iterator[Metric]:
        if self._peers is not None:
            text = "Other activators that this one shares pods with."
            yield _gauge("hearth_activator_peers", text, self._peers.count)

    def _autoscaler_metrics(self) -> Iterator[Metric]:
        if self._reporter is None:
            return
        yield _gauge(
            "kn_activator_stats_conn_reachable",
            "Whether the autoscaler can be told of requests.",
            int(self._reporter.is_reachable),
        )
        yield _counter(
            "kn_activator_stats_conn_errors",
            "Failed connections to the autoscaler.",
            self._reporter.connect_errors,
        )


def _request_metrics(backends: list[Backend]) -> Iterator[Metric]:
    duration = HistogramMetricFamily(
        "kn_serving_invocation_duration_seconds",
        "Time from a request's head to its response's last byte.",
        labels=(*_REVISION_LABELS, "http_response_status_code"),
    )
    queued = GaugeMetricFamily(
        "kn_revision_request_queued", "Requests that wait for a pod.", labels=_REVISION_LABELS
    )
    active = GaugeMetricFamily(
        "kn_revision_request_active", "Requests in flight at pods.", labels=_REVISION_LABELS
    )
    held = GaugeMetricFamily(
        "hearth_activator_queue_bytes",
        "Bytes held of requests that wait for a pod.",
        labels=_REVISION_LABELS,
    )
    refused = CounterMetricFamily(
        "hearth_activator_queue_refused",
        "Requests that found no room to wait.",
        labels=(*_REVISION_LABELS, "limit"),
    )
    for backend in backends:
        labels = _labels(backend)
        backlog = backend.throttler.backlog
        waiting = len(backlog)
        held.add_metric(labels, backlog.octets)
        for limit, count in (
            ("revision", backlog.refused_here),
            ("activator", backlog.refused_together),
        ):
            if count:
                refused.add_metric((*labels, limit), count)
        queued.add_metric(labels, waiting)
        active.add_metric(labels, backend.stats.active - waiting)
        for index, histogram in enumerate(backend.stats.durations.copy()):
            if histogram is not None:
                _add(duration, (*labels, f"{index}xx" if index else "none"), histogram)
    yield from (duration, queued, active, held, refused)


def _retry_metrics(backends: list[Backend]) -> Iterator[Metric]:
    retries = CounterMetricFamily(
        "hearth_activator_retries",
        "Requests tried again beyond what is free, and those that were not for want of budget.",
        labels=(*_REVISION_LABELS, "result"),
    )
    for backend in backends:
        budget = backend.retries
        for result, count in (("sent", budget.spent), ("over-budget", budget.wanting)):
            if count:
                retries.add_metric((*_labels(backend), result), count)
    yield retries


def _session_metrics(backends: list[Backend]) -> Iterator[Metric]:
    sessions = CounterMetricFamily(
        "hearth_activator_session_requests",
        "Answers to requests of sessions, by whether they came from the session's pod.",
        labels=(*_REVISION_LABELS, "result"),
    )
    for backend in backends:
        if backend.sessions is not None:
            for result, count in backend.sessions.counts.items():
                sessions.add_metric((*_labels(backend), result), count)
    yield sessions


def _cold_start_metrics(backends: list[Backend]) -> Iterator[Metric]:
    starts = CounterMetricFamily(
        "hearth_activator_cold_requests",
        "Requests that found no ready pod.",
        labels=_REVISION_LABELS,
    )
    phases = HistogramMetricFamily(
        "hearth_activator_cold_start_phase_seconds",
        "Where the time of requests that found no ready pod went.",
        labels=(*_REVISION_LABELS, "phase"),
    )
    for backend in backends:
        if backend.cold_starts:
            labels = _labels(backend)
            starts.add_metric(labels, backend.cold_starts)
            for phase, histogram in backend.cold_phases.copy().items():
                _add(phases, (*labels, phase), histogram)
    yield from (starts, phases)


def _route_metrics(followed: list[Followed]) -> Iterator[Metric]:
    """By the names that the add-on's interceptor has for them."""
    labels = ("route_name", "route_namespace")
    count = CounterMetricFamily(
        "interceptor_request_count",
        "Total requests processed by the interceptor proxy",
        labels=("code", "method", *labels),
    )
    duration = HistogramMetricFamily(
        "interceptor_request_duration_seconds",
        "Time from request received to response written",
        labels=("code", "method", *labels),
    )
    active = GaugeMetricFamily(
        "interceptor_request_concurrency",
        "Concurrent requests at the interceptor proxy",
        labels=labels,
    )
    rejected = CounterMetricFamily(
        "interceptor_cold_start_rejections",
        "Requests rejected because the cold-start pending request limit was reached",
        labels=labels,
    )
    for each in followed:
        policy = each.policy
        route = (policy.name, policy.namespace)
        active.add_metric(route, each.target.stats.active)
        rejected.add_metric(route, policy.counts.rejected)
        for (method, code), counts in sorted(policy.counts.by_kind.copy().items()):
            found = (str(code), method.decode(), *route)
            buckets = list(accumulate(counts[:-1]))
            count.add_metric(found, buckets[-1])
            duration.add_metric(
                found,
                buckets=list(zip(_ROUTE_EDGES, buckets, strict=True)),
                sum_value=counts[-1],
            )
    if followed:
        yield from (count, active, duration, rejected)


def _labels(backend: Backend) -> tuple[str, ...]:
    spec = backend.spec
    return (spec.service, spec.configuration, spec.name, spec.namespace)


def _add(family: HistogramMetricFamily, labels: tuple[str, ...], histogram: Histogram) -> None:
    exemplars = (histogram.exemplars or {}).copy()
    buckets: list[Any] = [
        (*bucket, _exemplar(exemplars[place])) if place in exemplars else bucket
        for place, bucket in enumerate(histogram.buckets())
    ]
    family.add_metric(labels, buckets=buckets, sum_value=histogram.total)


def _exemplar(exemplar: Exemplar) -> Shown:
    return Shown({"trace_id": exemplar.trace_id.decode()}, exemplar.seconds, exemplar.at)


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, value=value)


def _counter(name: str, text: str, value: float) -> CounterMetricFamily:
    return CounterMetricFamily(name, text, value=value)
