"""Our encoder against OpenTelemetry's: what it writes is read by the protobuf library."""

from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource

from hearth.observability.traces.context import TraceContext
from hearth.observability.traces.otlp import encode, resource_of
from hearth.observability.traces.sdk import readable
from hearth.observability.traces.spans import Shared, Span, SpanKind

moments = st.integers(0, 2**63 - 1)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
values = st.one_of(texts, st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(width=64))


def ids(digits):
    return st.integers(1, 16**digits - 1).map(lambda number: b"%0*x" % (digits, number))


contexts = st.builds(TraceContext, ids(32), ids(16), st.sampled_from([1, 3]))
spans = st.builds(
    Span,
    texts,
    st.sampled_from(SpanKind),
    contexts,
    st.one_of(st.just(b""), ids(16)),
    moments,
    moments,
    st.dictionaries(texts, values, max_size=8),
    st.one_of(st.none(), texts),
    st.just(False),
)


def read(data):
    return ExportTraceServiceRequest.FromString(data)


@given(st.lists(spans, min_size=1, max_size=5))
def test_what_we_write_is_what_the_sdk_writes(given_spans):
    told = {"service.name": "broker", "k8s.namespace.name": "knative-eventing"}
    ours = read(encode(resource_of(told), given_spans))
    theirs = encode_spans([readable(span, Resource(told)) for span in given_spans])
    for span in ours.resource_spans[0].scope_spans[0].spans:
        # Theirs leaves the trace's flags out, and tells of a status that is unset.
        assert span.flags & 0xFF in (1, 3)
        span.flags &= ~0xFF
        span.status.SetInParent()
    # NaN is not itself: compare as text.
    assert str(ours) == str(theirs)


def test_a_parent_elsewhere_is_told():
    context = TraceContext(b"1" * 32, b"2" * 16)
    span = Span("s", SpanKind.SERVER, context, b"3" * 16, 1, 2, {}, None, is_remote=True)
    [found] = read(encode(resource_of({}), [span])).resource_spans[0].scope_spans[0].spans
    assert found.flags == 0x301


def test_a_text_that_is_no_unicode_harms_no_batch():
    context = TraceContext(b"1" * 32, b"2" * 16)
    span = Span("\ud800", SpanKind.SERVER, context, b"", 1, 2, {"a": "\udfff"}, "\ud800")
    [found] = read(encode(resource_of({}), [span])).resource_spans[0].scope_spans[0].spans
    assert (found.name, found.attributes[0].value.string_value) == ("?", "?")


def test_what_spans_share_is_written_as_their_own():
    context = TraceContext(b"1" * 32, b"2" * 16)
    shared = Shared({"a": "b", "n": 7})
    made = [
        Span(f"s{n}", SpanKind.SERVER, context, b"", 1, 2, {"own": n}, shared=(shared,))
        for n in range(2)
    ]
    spans = read(encode(resource_of({}), made)).resource_spans[0].scope_spans[0].spans
    for number, span in enumerate(spans):
        told = {each.key: each.value for each in span.attributes}
        assert told["a"].string_value == "b" and told["n"].int_value == 7
        assert told["own"].int_value == number
    assert made[0].all_attributes == {"a": "b", "n": 7, "own": 0}
    assert readable(made[0], Resource({})).attributes == made[0].all_attributes
