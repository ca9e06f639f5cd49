"""A collector of traces and metrics: takes OTLP over HTTP and answers as it is told."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from aiohttp import web
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span as ProtoSpan

from tests.waiting import until

Value = str | int | float | bool


@dataclass(slots=True)
class Received:
    """A span as a collector has it."""

    name: str
    kind: str
    trace_id: str
    span_id: str
    parent_id: str
    start_ns: int
    end_ns: int
    attributes: dict[str, Value]
    error: str | None
    resource: dict[str, Value]

    @classmethod
    def of(cls, span: ProtoSpan, resource: dict[str, Value]) -> Received:
        failed = span.status.code == span.status.STATUS_CODE_ERROR
        return cls(
            span.name,
            ProtoSpan.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_"),
            span.trace_id.hex(),
            span.span_id.hex(),
            span.parent_span_id.hex(),
            span.start_time_unix_nano,
            span.end_time_unix_nano,
            _values(span.attributes),
            span.status.message if failed else None,
            resource,
        )


def _values(given) -> dict[str, Value]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in given}


@dataclass(slots=True)
class Collector:
    """What it got; ``answer`` says with which status, and how late."""

    url: str = ""
    spans: list[Received] = field(default_factory=list)
    metrics: dict[str, set[str]] = field(default_factory=dict)
    """Names of metrics, by the service that they are of."""
    requests: int = 0
    answer: Callable[[int], tuple[int, float]] = lambda number: (200, 0.0)

    async def take(self, request: web.Request) -> web.Response:
        assert request.headers["content-type"] == "application/x-protobuf"
        self.requests += 1
        status, late = self.answer(self.requests)
        body = await request.read()
        if late:
            await asyncio.sleep(late)
        if status == 200:
            for of_resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                resource = _values(of_resource.resource.attributes)
                for of_scope in of_resource.scope_spans:
                    self.spans += [Received.of(span, resource) for span in of_scope.spans]
        return web.Response(status=status)

    async def take_metrics(self, request: web.Request) -> web.Response:
        body = await request.read()
        for told in ExportMetricsServiceRequest.FromString(body).resource_metrics:
            service = str(_values(told.resource.attributes)["service.name"])
            names = (metric.name for scope in told.scope_metrics for metric in scope.metrics)
            self.metrics.setdefault(service, set()).update(names)
        return web.Response()

    async def until(self, count: int) -> list[Received]:
        """Wait for so many spans; return them in the order in which they began."""
        await until(lambda: len(self.spans) >= count)
        return sorted(self.spans, key=lambda span: span.start_ns)

    def named(self, name: str) -> list[Received]:
        """Return the spans whose name begins so, oldest first."""
        found = [span for span in self.spans if span.name.startswith(name)]
        return sorted(found, key=lambda span: span.start_ns)


@contextlib.asynccontextmanager
async def collecting(
    answer: Callable[[int], tuple[int, float]] | None = None, *, port: int = 0
) -> AsyncIterator[Collector]:
    """A collector that runs while the context is open."""
    found = Collector()
    if answer is not None:
        found.answer = answer
    app = web.Application(client_max_size=2**24)
    app.router.add_post("/v1/traces", found.take)
    app.router.add_post("/v1/metrics", found.take_metrics)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    found.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield found
    finally:
        await runner.cleanup()
