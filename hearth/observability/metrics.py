"""Prometheus metrics: one registry a process, the instruments every controller shares."""

from __future__ import annotations

from http.server import HTTPServer

from prometheus_client import REGISTRY, Counter, Gauge, Histogram, start_http_server

RECONCILES = Counter(
    "hearth_reconcile",
    "Reconciles by outcome: success, retry (with back-off), terminal",
    ["controller", "result"],
)
RECONCILE_SECONDS = Histogram(
    "hearth_reconcile_time_seconds",
    "How long one reconcile took",
    ["controller"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5),
)
QUEUE_DEPTH = Gauge("kn_workqueue_depth", "Keys that wait to be worked on", ["name"])
LEADING = Gauge("hearth_leading", "1 while this process leads the bucket of a Lease", ["lease"])
CAUGHT = Counter(
    "hearth_unexpected_errors",
    "Exceptions caught so that the object they came from hurts only itself",
    ["part"],
)
SPANS = Counter(
    "hearth_trace_spans",
    "Spans by what became of them: exported, failed (the collector took none), dropped (no room)",
    ["result"],
)
REQUEST_LOGS = Counter(
    "hearth_request_logs",
    "Requests of the request log by what became of them: written, dropped (no room)",
    ["result"],
)


_serving: list[HTTPServer] = []


def serve_metrics(host: str, port: int) -> int:
    """Serves ``/metrics`` from a thread of its own; port 0 takes a free one, which is returned."""
    server, _ = start_http_server(port, addr=host, registry=REGISTRY)
    _serving.append(server)
    return int(server.server_port)


def release_metrics() -> None:
    """Serves them no more: another process may have the port. Takes up to half a second."""
    while _serving:
        server = _serving.pop()
        server.shutdown()
        server.server_close()


__all__ = [
    "CAUGHT",
    "LEADING",
    "QUEUE_DEPTH",
    "RECONCILES",
    "RECONCILE_SECONDS",
    "REGISTRY",
    "REQUEST_LOGS",
    "SPANS",
    "release_metrics",
    "serve_metrics",
]
