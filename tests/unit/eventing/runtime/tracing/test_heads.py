import pytest

from eventing.engines.event import RenderedEvent
from eventing.runtime.tracing.heads import at_span, sampled_context
from hearth.observability.traces.context import TraceContext

TRACE, SPAN = b"0af7651916cd43dd8448eb211c80319c", b"b7ad6b7169203331"
BEFORE, AFTER = b"ce-id: 1\r\nce-source: /s\r\n", b"tracestate: v=1\r\n"


def head(value, name=b"traceparent"):
    return b"%b%b: %b\r\n%b" % (BEFORE, name, value, AFTER)


def value(flags=b"01", trace_id=TRACE, span_id=SPAN):
    return b"00-%b-%b-%b" % (trace_id, span_id, flags)


@pytest.mark.parametrize("flags", [b"01", b"03"])
def test_a_sampled_event_is_known_by_its_header(flags):
    assert sampled_context(head(value(flags))) == TraceContext(TRACE, SPAN, int(flags, 16))


@pytest.mark.parametrize(
    "lines",
    [
        BEFORE,
        head(value(b"00")),
        head(value(b"02")),
        head(value(trace_id=b"0" * 32)),
        head(value(span_id=b"0" * 16)),
        head(value(trace_id=TRACE.upper())),
        head(value()[:-1]),
        head(value() + b"0"),
        head(b"garbage"),
        head(value(), name=b"ce-traceparent"),
    ],
)
def test_all_else_is_not_recorded(lines):
    assert sampled_context(lines) is None


def test_an_event_is_sent_on_with_another_span_and_the_same_in_all_else():
    event = RenderedEvent(1, 2, head(value(b"03")), b"{}", b"data", {"id": "1"})
    context = sampled_context(event.head)
    assert context is not None
    sent = at_span(event, context.child(b"00f067aa0ba902b7"))
    assert sent.head == head(value(b"03", span_id=b"00f067aa0ba902b7"))
    assert (sent.arrival_ns, sent.ttl, sent.types, sent.data) == (1, 2, b"{}", b"data")
    assert event.head == head(value(b"03"))
