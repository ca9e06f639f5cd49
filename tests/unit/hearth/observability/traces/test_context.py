import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearth.observability.traces.context import (
    TraceContext,
    context_of,
    parse_traceparent,
    with_context,
)

TRACE, SPAN = b"0af7651916cd43dd8448eb211c80319c", b"b7ad6b7169203331"
VALID = b"00-%b-%b-01" % (TRACE, SPAN)


def digits(count):
    text = st.text("0123456789abcdef", min_size=count, max_size=count)
    return text.filter(lambda found: set(found) != {"0"}).map(str.encode)


def test_a_valid_header_is_read():
    assert parse_traceparent(VALID) == TraceContext(TRACE, SPAN, 1)
    assert parse_traceparent(VALID[:-2] + b"00") == TraceContext(TRACE, SPAN, 0)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"00",
        VALID[:-1],
        VALID + b"0",
        VALID + b"-",
        VALID + b"-what-the-future-brings",  # version 00 has four parts
        b"ff-%b-%b-01" % (TRACE, SPAN),
        b"0-%b-%b-01" % (TRACE, SPAN),
        b"000-%b-%b-01" % (TRACE, SPAN),
        b"00-%b-%b-01" % (TRACE.upper(), SPAN),
        b"00-%b-%b-01" % (TRACE, SPAN.upper()),
        b"00-%b-%b-01" % (b"0" * 32, SPAN),
        b"00-%b-%b-01" % (TRACE, b"0" * 16),
        b"00-%b-%b-01" % (TRACE[:-1] + b"g", SPAN),
        b"00-%b-%b-1" % (TRACE, SPAN),
        b"00-%b-%b-.1" % (TRACE, SPAN),
        b"00_%b_%b_01" % (TRACE, SPAN),
        b"01-%b-%b-01." % (TRACE, SPAN),
        b"01-%b-%b-0100" % (TRACE, SPAN),
        b" " + VALID,
        VALID + b"\n",
        b"%b, %b" % (VALID, VALID),
    ],
)
def test_what_is_not_valid_is_no_context(value):
    assert parse_traceparent(value) is None


@pytest.mark.parametrize("rest", [b"", b"-", b"-what-the-future-brings", b"-\n"])
def test_the_known_part_of_versions_to_come_is_read(rest):
    assert parse_traceparent(b"cc-%b-%b-01%b" % (TRACE, SPAN, rest)) == TraceContext(TRACE, SPAN)


@given(digits(32), digits(16), st.integers(0, 255))
def test_what_is_written_is_read_again(trace_id, span_id, flags):
    found = parse_traceparent(TraceContext(trace_id, span_id, flags).header)
    assert found == TraceContext(trace_id, span_id, flags & 3)


@given(st.binary(max_size=80))
def test_no_bytes_make_it_fail(value):
    found = parse_traceparent(value)
    assert found is None or len(found.header) == 55


def test_of_fields():
    assert context_of([(b"x", b"y"), (b"traceparent", b" " + VALID)]) == TraceContext(TRACE, SPAN)
    assert context_of([(b"x", b"y")]) is None
    assert context_of([(b"traceparent", VALID), (b"traceparent", VALID)]) is None


def test_fields_get_another_context():
    own = TraceContext(TRACE, b"00f067aa0ba902b7")
    fields = [(b"traceparent", VALID), (b"ce-id", b"1"), (b"tracestate", b"v=1")]
    line = (b"traceparent", own.header)
    assert with_context(fields, own, continues=True) == [*fields[1:], line]
    assert with_context(fields, own, continues=False) == [fields[1], line]
