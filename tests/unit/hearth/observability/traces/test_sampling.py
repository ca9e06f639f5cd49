import random
from itertools import pairwise

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


@given(st.floats(2**-40, 1.0), st.integers(0, 2**32))
def test_a_trace_that_begins_here_is_recorded_by_all_who_look_at_its_id(rate, seed):
    sampler, made = Sampler(rate), random.Random(seed)
    context, continues = next_of(sampler, made)
    assert (context.span_id, context.is_sampled, continues) == (b"", True, False)
    assert len(context.trace_id) == 32
    low = int(context.trace_id[16:], 16)
    # Samplers round the bound in their own ways.
    if abs(low - rate * 2**64) > 2**12:
        number = int(context.trace_id, 16)
        decided = TraceIdRatioBased(rate).should_sample(None, number, "x").decision
        assert decided is Decision.RECORD_AND_SAMPLE


def next_of(sampler, made):
    """The next trace that is recorded, without asking for each that is not."""
    found = sampler.begin(made.getrandbits)
    while found is None:
        sampler.left = min(sampler.left, 0)
        found = sampler.begin(made.getrandbits)
    return found


@pytest.mark.parametrize("rate", [0.01, 0.1, 0.5, 0.9])
def test_the_share_is_the_rate_and_every_trace_has_the_same_chance(rate):
    made, sampler, count = random.Random(1), Sampler(rate), 50_000
    kept = [sampler.parent_of(None, made.getrandbits) is not None for _ in range(count)]
    deviation = (rate * (1 - rate) * count) ** 0.5
    assert abs(sum(kept) - rate * count) < 4 * deviation
    # Whether one is recorded says nothing about the one after it.
    pairs = sum(one and other for one, other in pairwise(kept))
    assert abs(pairs - rate * rate * count) < 6 * rate * count**0.5


def test_the_first_trace_is_recorded_as_often_as_any():
    made = random.Random(2)
    first = sum(Sampler(0.1).parent_of(None, made.getrandbits) is not None for _ in range(20_000))
    assert 1800 < first < 2200


def test_ids_are_of_the_whole_range_that_is_recorded():
    made, sampler = random.Random(3), Sampler(0.25)
    lows = [int(next_of(sampler, made)[0].trace_id[16:], 16) / 2**64 for _ in range(2000)]
    assert max(lows) < 0.25
    assert [sum(at <= low < at + 0.05 for low in lows) > 300 for at in (0, 0.1, 0.2)] == [True] * 3


@pytest.mark.parametrize("rate", [5e-324, 1e-300, 1e-19])
def test_a_rate_next_to_nothing_records_nothing(rate):
    assert Sampler(rate).begin() is None
    assert Sampler(rate).begin(lambda count: 0) is None


@pytest.mark.parametrize(("number", "is_recorded"), [(0, False), (2**53 - 1, True)])
def test_the_least_and_the_greatest_chance(number, is_recorded):
    begun = Sampler(1e-15).begin(lambda count: number)
    assert (begun is not None) == is_recorded


def test_span_ids_are_not_zero():
    assert new_span_id(lambda count: 0) == b"%016x" % 1
    assert new_span_id(lambda count: 255) == b"00000000000000ff"
