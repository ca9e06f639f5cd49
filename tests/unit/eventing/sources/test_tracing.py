import pytest

from eventing.api.observability import OBSERVABILITY_CONFIG, told
from eventing.sources.tracing import SendTracing, of_source, told_config
from hearth.observability.traces.config import HTTP, STDOUT, TracingConfig
from hearth.observability.traces.context import parse_traceparent
from hearth.observability.traces.sampling import Sampler
from hearth.observability.traces.spans import SpanKind
from hearth.observability.traces.tracer import Tracer

CONFIG = TracingConfig(HTTP, "http://collector:4318", 0.25)


class Recording(Tracer):
    """Keeps what it is given; exports nothing."""

    def __init__(self, rate):
        super().__init__("s", "ns")
        self.is_on, self.sampler = rate > 0, Sampler(rate)
        self.recorded = []

    def record(self, span):
        self.recorded.append(span())


def test_adapters_are_told_by_knatives_variable():
    [variable] = told(CONFIG)
    assert variable["name"] == "K_OBSERVABILITY_CONFIG"
    assert told_config({OBSERVABILITY_CONFIG: variable["value"]}) == CONFIG
    assert told(TracingConfig(STDOUT)) != []
    assert told(TracingConfig()) == told(TracingConfig(HTTP, "http://c", 0.0)) == []


@pytest.mark.parametrize("value", [None, "", "{}", '{"tracing": {"protocol": "none"}}'])
def test_nothing_told_is_no_traces(value):
    environment = {} if value is None else {OBSERVABILITY_CONFIG: value}
    assert told_config(environment).rate == 0


@pytest.mark.parametrize("value", ["x", "[]", '{"tracing": {"samplingRate": "x"}}'])
def test_what_cannot_be_read_is_refused(value):
    with pytest.raises(ValueError, match=OBSERVABILITY_CONFIG):
        told_config({OBSERVABILITY_CONFIG: value})


def test_one_span_for_an_event_however_often_it_is_sent():
    tracer, times = Recording(1.0), iter([10.0, 12.0])
    sending = SendTracing(tracer, lambda: next(times)).begin()
    assert sending is not None
    context = parse_traceparent(sending.header.encode())
    source = of_source("pingsources.sources.knative.dev", "ns", "p")
    url = "http://user:secret@broker/ns/b?token=x"
    sending.ended(url, {"type": "t"}, source, status=503, error="", attempts=6)
    [span] = tracer.recorded
    assert (span.context, span.parent_id, span.kind) == (context, b"", SpanKind.PRODUCER)
    assert (span.name, span.error) == ("send http://broker/ns/b", "the answer was 503")
    assert (span.start_ns, span.end_ns) == (10_000_000_000, 12_000_000_000)
    assert span.attributes["http.request.resend_count"] == 5
    assert span.attributes["kn.source.name"] == "p"
    assert "secret" not in str(span)


def test_nothing_begins_where_nothing_is_recorded():
    assert SendTracing(Recording(0.0)).begin() is None
    assert SendTracing(Recording(1e-18)).begin() is None
