"""The SDK that the lock file names has what our bytes go through; another one gets its spans."""

import io
import json

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace.export import ConsoleSpanExporter

from hearth.observability.traces.config import HTTP, STDOUT, TracingConfig
from hearth.observability.traces.context import TraceContext
from hearth.observability.traces.sdk import SdkExporter, make_exporter
from hearth.observability.traces.spans import Span, SpanKind

SPAN = Span(
    "s", SpanKind.CLIENT, TraceContext(b"1" * 32, b"2" * 16), b"3" * 16, 1, 2, {"a": 1}, "broken"
)


def test_bytes_go_through_the_exporter_over_http():
    exporter = make_exporter(TracingConfig(HTTP, "http://127.0.0.1:9", 1.0), {"service.name": "s"})
    assert exporter._send is not None
    exporter.close()


def test_other_exporters_get_spans():
    written = io.StringIO()
    exporter = SdkExporter(ConsoleSpanExporter(out=written), Resource({"service.name": "s"}))
    assert exporter.export([SPAN]) == ""
    told = json.loads(written.getvalue())
    assert (told["name"], told["kind"], told["parent_id"]) == (
        "s",
        "SpanKind.CLIENT",
        "0x" + "3" * 16,
    )
    assert told["status"] == {"status_code": "ERROR", "description": "broken"}
    exporter.close()


def test_where_the_protocol_is_stdout_spans_are_shown():
    exporter = make_exporter(TracingConfig(STDOUT), {})
    assert isinstance(exporter._exporter, ConsoleSpanExporter)
    assert exporter._send is None
