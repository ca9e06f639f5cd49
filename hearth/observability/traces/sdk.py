"""OpenTelemetry's SDK, which speaks with collectors. Imported when traces are switched on.

Needs the extra ``tracing``. Over HTTP its exporter is given bytes of ours, for it has a client that
takes bytes; an SDK that has none gets spans in its own form.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from typing import Any

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SpanExporter, SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, TraceFlags
from opentelemetry.trace.status import Status, StatusCode

from hearth.observability.traces.config import HTTP, TracingConfig
from hearth.observability.traces.otlp import encode, resource_of
from hearth.observability.traces.spans import Span

_SCOPE = InstrumentationScope("hearth")
_KINDS = {kind.name: kind for kind in SpanKind}
_REFUSED = "the collector did not take them"
_UNSET = Status(StatusCode.UNSET)
_SECONDS = 10.0
"""For one batch, attempts and pauses together."""


def make_exporter(config: TracingConfig, resource: Mapping[str, str]) -> SdkExporter:
    """Return what exports by a protocol; raises ImportError where a package is missing."""
    own = {"service.version": version("hearth-serving"), **resource}
    return SdkExporter(_exporter(config), Resource.create(own))


def _exporter(config: TracingConfig) -> SpanExporter:
    if config.protocol == HTTP:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        return OTLPSpanExporter(endpoint=config.url, timeout=_SECONDS)
    return ConsoleSpanExporter()


class SdkExporter:
    """An exporter of the SDK, and what it complains about."""

    def __init__(self, exporter: SpanExporter, resource: Resource) -> None:
        self._exporter = exporter
        self._resource = resource
        told = {key: text for key, text in resource.attributes.items() if isinstance(text, str)}
        self._resource_bytes = resource_of(told)
        client: Any = getattr(exporter, "_client", None)
        self._send: Callable[[bytes], Any] | None = getattr(client, "export", None)
        """Sends bytes, again where that is worth it; the answer says whether they were taken."""
        self._complaints = _Complaints()
        # It logs each attempt of each batch; what it says is told once for an outage.
        logger = logging.getLogger(type(exporter).__module__)
        logger.handlers[:] = [self._complaints]
        logger.propagate = False

    def export(self, spans: Sequence[Span]) -> str:
        """Give spans to the collector; return why it did not take them."""
        self._complaints.last = ""
        if self._send is not None:
            sent = self._send(encode(self._resource_bytes, spans))
            return "" if sent.success else self._complaints.last or _REFUSED
        result = self._exporter.export([readable(span, self._resource) for span in spans])
        if result is SpanExportResult.SUCCESS:
            return ""
        return self._complaints.last or _REFUSED

    def close(self) -> None:
        """End an attempt under way, and connections."""
        self._exporter.shutdown()


class _Complaints(logging.Handler):
    """Keeps the last thing that was said, a cause rather than its consequence."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.last = ""

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if not self.last or "due to timeout" not in text:
            self.last = text


def readable(span: Span, resource: Resource) -> ReadableSpan:
    """Return a span in the SDK's form."""
    context, flags = span.context, TraceFlags(span.context.flags)
    trace_id = int(context.trace_id, 16)
    parent = (
        SpanContext(trace_id, int(span.parent_id, 16), is_remote=span.is_remote, trace_flags=flags)
        if span.parent_id
        else None
    )
    return ReadableSpan(
        span.name,
        context=SpanContext(trace_id, int(context.span_id, 16), is_remote=False, trace_flags=flags),
        parent=parent,
        resource=resource,
        attributes=span.all_attributes,
        kind=_KINDS[span.kind.value],
        status=_UNSET if span.error is None else Status(StatusCode.ERROR, span.error),
        start_time=span.start_ns,
        end_time=span.end_ns,
        instrumentation_scope=_SCOPE,
    )
