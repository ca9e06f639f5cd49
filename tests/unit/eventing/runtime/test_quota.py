"""A bucket of events: bursts pass, more than the rate does not, and it is never empty for ever."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventing.runtime.quota import Quota


def test_a_burst_of_a_second_passes_and_then_the_rate():
    quota = Quota(10, now=0)
    assert [quota.take(1, 0) for _ in range(10)] == [0] * 10
    assert quota.take(1, 0) == pytest.approx(0.1)
    assert quota.take(1, 0.1) == 0
    assert quota.take(1, 0.15) > 0


def test_a_batch_passes_whole_and_is_paid_for_by_the_next():
    quota = Quota(10, now=0)
    assert quota.take(50, 0) == 0
    assert quota.take(1, 0) == pytest.approx(4.1)
    assert quota.take(1, 4.1) == 0


def test_less_than_one_a_second_passes_too():
    quota = Quota(0.5, now=0)
    assert quota.take(1, 0) == 0
    assert quota.take(1, 1) == pytest.approx(1)
    assert quota.take(1, 2) == 0


@given(st.floats(0.1, 1000), st.lists(st.tuples(st.floats(0, 5), st.integers(1, 20)), max_size=50))
def test_no_more_pass_than_the_rate_and_a_burst(rate, steps):
    quota, now, passed, last = Quota(rate, now=0), 0.0, 0, 0
    for pause, count in steps:
        now += pause
        wait = quota.take(count, now)
        if not wait:
            passed, last = passed + count, count
        else:
            assert quota.take(0, now + wait + 1e-6) == 0
            now += wait + 1e-6
    assert passed - last <= now * rate + max(rate, 1) + 1e-3
