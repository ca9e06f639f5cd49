import pytest

from eventing.engines.event import RenderedEvent
from eventing.runtime.tracing import heads
from eventing.runtime.tracing.heads import (
    MARK,
    at_span,
    context_in,
    continue_from,
    given_context,
    marked,
)
from hearth.observability.traces.context import TraceContext

TRACE, SPAN = b"0af7651916cd43dd8448eb211c80319c", b"b7ad6b7169203331"
OWN = TraceContext(TRACE, b"00f067aa0ba902b7", 3)
LINES = b"ce-id: 1\r\nce-source: /s\r\n"
GIVEN = b"traceparent: 00-%b-%b-01\r\n" % (TRACE, SPAN)
STATE = b"tracestate: v=1\r\n"


def test_what_an_event_came_with():
    head = LINES + GIVEN + STATE
    assert heads.GIVEN in head
    assert given_context(head) == TraceContext(TRACE, SPAN, 1)


@pytest.mark.parametrize(
    "head",
    [
        LINES,
        LINES + b"ce-" + GIVEN,
        LINES + GIVEN.upper(),
        LINES + GIVEN + GIVEN,
        LINES + GIVEN.replace(b"-01", b"-1"),
    ],
)
def test_what_is_no_valid_context(head):
    assert given_context(head) is None


def test_a_recorded_event_is_known_by_its_first_line():
    head = marked(LINES + GIVEN + STATE, OWN, continues=True)
    assert head == b"traceparent: %b\r\n%b%b" % (OWN.header, LINES, STATE)
    assert head.startswith(MARK)
    assert context_in(head) == OWN


def test_a_trace_that_begins_here_has_no_state_of_others():
    assert marked(LINES + STATE, OWN, continues=False) == b"traceparent: %b\r\n%b" % (
        OWN.header,
        LINES,
    )


def test_a_sampled_trace_of_others_is_not_recorded():
    assert context_in(LINES + GIVEN) is None


def test_what_is_made_of_a_recorded_event_is_recorded_too():
    event = RenderedEvent(1, 2, marked(LINES, OWN, continues=True), b"", b"")
    made = RenderedEvent(1, 2, LINES + GIVEN + STATE, b"", b"")
    continue_from(event, made)
    assert made.head == b"traceparent: %b\r\n%b%b" % (OWN.header, LINES, STATE)
    before = RenderedEvent(1, 2, LINES + GIVEN, b"", b"")
    continue_from(before, made := RenderedEvent(1, 2, LINES, b"", b""))
    assert made.head == LINES


def test_an_event_is_sent_on_with_another_span_and_the_same_in_all_else():
    event = RenderedEvent(1, 2, marked(LINES, OWN, continues=True), b"{}", b"data", {"id": "1"})
    before = event.head
    sent = at_span(event, SPAN)
    assert sent.head == b"traceparent: 00-%b-%b-03\r\n%b" % (TRACE, SPAN, LINES)
    assert (sent.arrival_ns, sent.ttl, sent.types, sent.data) == (1, 2, b"{}", b"data")
    assert event.head == before
