import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace.sampling import Decision, TraceIdRatioBased

from hearth.observability.traces.context import TraceContext
from hearth.observability.traces.sampling import Sampler, new_span_id

TRACE, SPAN = b"0af7651916cd43dd8448eb211c80319c", b"b7ad6b7169203331"
SAMPLED, UNSAMPLED = TraceContext(TRACE, SPAN, 1), TraceContext(TRACE, SPAN, 0)


@pytest.mark.parametrize("context", [None, SAMPLED, UNSAMPLED])
def test_rate_0_records_nothing(context):
    assert Sampler(0.0).parent_of(context) is None


def test_rate_1_records_everything():
    assert Sampler(1.0).parent_of(SAMPLED) == (SAMPLED, True)
    assert Sampler(1.0).parent_of(UNSAMPLED) == (SAMPLED, True)
    begun = Sampler(1.0).parent_of(None)
    assert begun is not None
    assert (begun[0].span_id, begun[0].is_sampled, begun[1]) == (b"", True, False)


def test_whoever_began_a_trace_has_decided():
    assert Sampler(0.001).parent_of(SAMPLED) == (SAMPLED, True)
    assert Sampler(0.999).parent_of(UNSAMPLED) is None


@given(st.floats(0.001, 0.999), st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_a_trace_that_begins_here_is_decided_as_opentelemetry_would_by_its_id(rate, low, high):
    numbers = iter([low, high])
    found = Sampler(rate).parent_of(None, lambda count: next(numbers))
    decided = TraceIdRatioBased(rate).should_sample(None, (high or 1) << 64 | low, "x").decision
    # Samplers round the bound in their own ways.
    if abs(low - rate * 2**64) > 2**12:
        assert (found is not None) == (decided is Decision.RECORD_AND_SAMPLE)
    if found is not None:
        assert int(found[0].trace_id, 16) == (high or 1) << 64 | low
        assert len(found[0].trace_id) == 32


def test_the_share_is_the_rate():
    made = random.Random(1)
    sampled = sum(Sampler(0.1).parent_of(None, made.getrandbits) is not None for _ in range(20_000))
    assert 1800 < sampled < 2200


def test_span_ids_are_not_zero():
    assert new_span_id(lambda count: 0) == b"%016x" % 1
    assert new_span_id(lambda count: 255) == b"00000000000000ff"
