"""The circuit breaker's table, row by row, and what holds whatever happens."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventing.runtime.breaker import Breaker, BreakerLimits, State, Verdict, verdict

LIMITS = BreakerLimits(failures=3, open_seconds=1.0, longest_open_seconds=4.0, awake_seconds=10.0)


def a_breaker(*, failed=0, now=0.0):
    breaker = Breaker(LIMITS)
    for _ in range(failed):
        breaker.ended(Verdict.FAILS, now=now)
    return breaker


@pytest.mark.parametrize(
    ("status", "more", "expected"),
    [
        (200, {}, Verdict.LIVES),
        (202, {}, Verdict.LIVES),
        (301, {}, Verdict.LIVES),
        (404, {}, Verdict.LIVES),
        (429, {}, Verdict.BUSY),
        (500, {}, Verdict.FAILS),
        (502, {"gateway_error": b"connect-failed"}, Verdict.FAILS),
        (503, {}, Verdict.FAILS),
        (503, {"asks_to_wait": True}, Verdict.BUSY),
        (503, {"gateway_error": b"queue-full", "asks_to_wait": True}, Verdict.BUSY),
        (503, {"gateway_error": b"no-endpoints"}, Verdict.BUSY),
        (504, {"gateway_error": b"queue-timeout"}, Verdict.BUSY),
        (504, {"gateway_error": b"response-start-timeout"}, Verdict.FAILS),
        (504, {}, Verdict.FAILS),
        (0, {}, Verdict.FAILS),
        (0, {"timed_out": True}, Verdict.LATE),
    ],
)
def test_what_an_attempt_tells_of_the_target(status, more, expected):
    given = {"timed_out": False, "asks_to_wait": False, "gateway_error": b""} | more
    assert verdict(status, **given) is expected


def test_failures_one_after_the_other_open_it():
    breaker = a_breaker(failed=2)
    assert breaker.admits(0)
    breaker.ended(Verdict.FAILS, now=5)
    assert breaker.state is State.OPEN
    assert breaker.until == 6
    assert not breaker.admits(5.9)


def test_a_sign_of_life_forgets_failures():
    breaker = a_breaker(failed=2)
    breaker.ended(Verdict.LIVES, now=0)
    breaker.ended(Verdict.FAILS, now=0)
    breaker.ended(Verdict.FAILS, now=0)
    assert breaker.state is State.CLOSED


def test_half_open_admits_one():
    breaker = a_breaker(failed=3)
    assert breaker.admits(1)
    assert breaker.state is State.HALF_OPEN
    assert not breaker.admits(100)


def test_a_probe_that_lives_closes_it():
    breaker = a_breaker(failed=3)
    breaker.admits(1)
    breaker.ended(Verdict.LIVES, now=1.5)
    assert breaker.state is State.CLOSED
    assert breaker.admits(1.5)


def test_probes_that_fail_leave_it_open_for_longer_up_to_a_limit():
    breaker, now, opened = a_breaker(failed=3), 0.0, []
    for _ in range(4):
        now = breaker.until
        assert breaker.admits(now)
        breaker.ended(Verdict.FAILS, now=now)
        opened.append(breaker.until - now)
    assert opened == [2, 4, 4, 4]
    breaker.admits(breaker.until)
    breaker.ended(Verdict.LIVES, now=now)
    for _ in range(3):
        breaker.ended(Verdict.FAILS, now=now)
    assert breaker.until - now == 1, "the next outage begins anew"


@pytest.mark.parametrize("what", [Verdict.BUSY, Verdict.LATE])
def test_a_probe_that_shows_neither_leaves_it_open_as_long(what):
    breaker = a_breaker(failed=3)
    breaker.admits(1)
    breaker.ended(what, now=1)
    assert (breaker.state, breaker.until) == (State.OPEN, 2)


def test_waking_is_no_failure():
    breaker = a_breaker()
    for number in range(100):
        breaker.ended(Verdict.BUSY if number % 2 else Verdict.LATE, now=number)
    assert breaker.state is State.CLOSED


def test_no_answer_from_a_target_that_was_awake_is_a_failure():
    breaker = a_breaker()
    breaker.ended(Verdict.LIVES, now=0)
    for _ in range(3):
        breaker.ended(Verdict.LATE, now=9)
    assert breaker.state is State.OPEN


def test_an_answer_to_an_earlier_attempt_closes_it():
    breaker = a_breaker(failed=3)
    breaker.ended(Verdict.FAILS, now=0.1)
    assert breaker.state is State.OPEN
    breaker.ended(Verdict.LIVES, now=0.2)
    assert breaker.admits(0.2)


@given(
    st.lists(st.tuples(st.sampled_from([*Verdict, None]), st.floats(0, 3)), min_size=1, max_size=80)
)
def test_whatever_happens(steps):
    """Failures alone open it, for no longer than its limit, and there is always a way out."""
    breaker, now, failures = Breaker(LIMITS), 0.0, 0
    for what, passed in steps:
        now += passed
        if what is None:
            was = breaker.state
            admitted = breaker.admits(now)
            assert admitted == (was is State.CLOSED or (was is State.OPEN and now >= breaker.until))
            continue
        failures = (
            0 if what is Verdict.LIVES else failures + (what in (Verdict.FAILS, Verdict.LATE))
        )
        breaker.ended(what, now=now)
        if what is Verdict.LIVES:
            assert breaker.state is State.CLOSED
        if breaker.state is not State.CLOSED:
            assert failures >= LIMITS.failures
            assert breaker.until <= now + LIMITS.longest_open_seconds
    if breaker.state is State.OPEN:
        assert breaker.admits(breaker.until)
        breaker.ended(Verdict.LIVES, now=breaker.until)
        assert breaker.admits(breaker.until)
