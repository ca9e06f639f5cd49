"""Metrics and spans for a collector that speaks gRPC, and what is told of one that does not."""

from __future__ import annotations

import datetime
import logging
import queue
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from logging.handlers import QueueHandler
from pathlib import Path
from typing import Any

import grpc
import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from hearth.knative.observability import MetricsConfig
from hearth.kube.certificates import issued, new_authority
from hearth.observability import grpcsending
from hearth.observability.grpcsending import METRICS, TRACES, GrpcSender
from hearth.observability.push import MetricsPush
from hearth.observability.traces.config import GRPC, TracingConfig
from hearth.observability.traces.context import TraceContext
from hearth.observability.traces.outbox import OutboxLimits
from hearth.observability.traces.spans import Span, SpanKind
from hearth.observability.traces.tracer import Tracer
from tests.ports import free_port

_NOW = datetime.datetime.now(datetime.UTC)
_REQUESTS: dict[str, tuple[Any, Any]] = {
    METRICS: (ExportMetricsServiceRequest, ExportMetricsServiceResponse),
    TRACES: (ExportTraceServiceRequest, ExportTraceServiceResponse),
}


@dataclass
class Collector(grpc.GenericRpcHandler):  # type: ignore[misc]
    """What came, with its metadata; the first are refused with ``refusals``."""

    port: int
    refusals: list[grpc.StatusCode]

    def __post_init__(self) -> None:
        self.got: queue.Queue[tuple[Any, dict[str, str]]] = queue.Queue()

    def service(self, details: Any) -> Any:
        if details.method not in _REQUESTS:
            return None
        request, response = _REQUESTS[details.method]

        def take(message: Any, context: grpc.ServicerContext) -> Any:
            if self.refusals:
                context.abort(self.refusals.pop(0), "not now")
            self.got.put((message, dict(context.invocation_metadata())))
            return response()

        return grpc.unary_unary_rpc_method_handler(
            take, request.FromString, lambda it: it.SerializeToString()
        )


@contextmanager
def collecting(*refusals: grpc.StatusCode, tls: Any = None) -> Iterator[Collector]:
    server = grpc.server(ThreadPoolExecutor(4))
    collector = Collector(0, list(refusals))
    server.add_generic_rpc_handlers((collector,))
    where = "127.0.0.1:0"
    collector.port = (
        server.add_secure_port(where, tls) if tls is not None else server.add_insecure_port(where)
    )
    server.start()
    try:
        yield collector
    finally:
        server.stop(None).wait()


def a_span() -> Span:
    context = TraceContext(b"0af7651916cd43dd8448eb211c80319c", b"b7ad6b7169203331", 1)
    return Span("a", SpanKind.SERVER, context, b"", start_ns=1, end_ns=2)


def test_metrics_and_spans_go_to_a_collector() -> None:
    with collecting() as collector, MetricsPush("control", "ns") as push:
        url = f"http://127.0.0.1:{collector.port}"
        push.configure(MetricsConfig(GRPC, url, 0.01))
        message, _ = collector.got.get(timeout=30)
        push.configure(MetricsConfig())
        (told,) = message.resource_metrics
        names = {metric.name for metric in told.scope_metrics[0].metrics}
        assert "process_cpu_seconds" in names
        assert {each.key for each in told.resource.attributes} >= {"service.name"}

        tracer = Tracer("broker", "ns", limits=OutboxLimits(interval_seconds=0.01))
        tracer.configure(TracingConfig(GRPC, url, 1.0))
        tracer.record(a_span)
        while not isinstance(message, ExportTraceServiceRequest):
            message, _ = collector.got.get(timeout=30)
        tracer.close()
        (span,) = message.resource_spans[0].scope_spans[0].spans
        assert (span.name, span.start_time_unix_nano) == ("a", 1)


def test_what_is_refused_for_now_is_sent_again_and_else_it_is_named() -> None:
    code = grpc.StatusCode
    with collecting(code.UNAVAILABLE, code.PERMISSION_DENIED) as collector:
        sender = GrpcSender(f"http://127.0.0.1:{collector.port}", TRACES)
        assert sender.send(b"") == "PERMISSION_DENIED: not now"
        assert sender.send(b"") == ""
        other = GrpcSender(f"http://127.0.0.1:{collector.port}", "/nobody/Export")
        assert other.send(b"").startswith("UNIMPLEMENTED: ")
        other.close()
        sender.close()
        assert sender.send(b"")


def test_a_sender_is_closed_while_it_tries_again() -> None:
    sender = GrpcSender(f"http://127.0.0.1:{free_port()}", METRICS)
    told: queue.Queue[str] = queue.Queue()
    trying = threading.Thread(target=lambda: told.put(sender.send(b"")))
    trying.start()
    sender.close()
    assert told.get(timeout=30)
    trying.join()


def test_certificate_headers_and_compression_are_opentelemetrys_variables(tmp_path: Path) -> None:
    pair = issued(new_authority("test", ["test"], _NOW), ["localhost"], _NOW)
    (tmp_path / "ca.pem").write_bytes(pair.chain)
    tls = grpc.ssl_server_credentials([(pair.key, pair.chain)])
    with collecting(tls=tls) as collector:
        environ = {
            "OTEL_EXPORTER_OTLP_CERTIFICATE": str(tmp_path / "ca.pem"),
            "OTEL_EXPORTER_OTLP_HEADERS": "Api-Key=a%20b,other=1",
            "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
        }
        # Without a scheme it is https.
        url = TracingConfig(GRPC, f"localhost:{collector.port}").url
        sender = GrpcSender(url, METRICS, environ)
        assert sender.send(b"") == ""
        _, metadata = collector.got.get(timeout=30)
        assert (metadata["api-key"], metadata["other"]) == ("a b", "1")
        sender.close()


def test_a_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "grpc", None)
    monkeypatch.delitem(sys.modules, grpcsending.__name__)
    told: queue.SimpleQueue[Any] = queue.SimpleQueue()
    handler = QueueHandler(told)
    logger = logging.getLogger("hearth.observability.push")
    logger.addHandler(handler)
    try:
        with MetricsPush("control", "ns") as push:
            push.configure(MetricsConfig(GRPC, "http://127.0.0.1:1"))
            record = told.get(timeout=30)
    finally:
        logger.removeHandler(handler)
    assert record.getMessage() == "metrics cannot be sent at all"
    assert "pip install 'hearth-serving[otlp-grpc]'" in record.error
