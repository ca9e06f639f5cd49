"""Delivery decisions: Knative's codes and back-off, Retry-After, the end of retries."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventing.runtime.policy import (
    DEAD_LETTER,
    DEFAULT_MAX_BACKOFF_SECONDS,
    DONE,
    Backoff,
    DeliveryPolicy,
    Outcome,
    Retry,
    backoff_seconds,
    next_step,
    parse_retry_after,
)

EXPONENTIAL = DeliveryPolicy(retries=10, backoff=Backoff.EXPONENTIAL, delay_seconds=0.2)
LINEAR = DeliveryPolicy(retries=10, backoff=Backoff.LINEAR, delay_seconds=0.5)


@pytest.mark.parametrize("status", [200, 202, 204, 299])
def test_success_is_the_end(status):
    assert next_step(EXPONENTIAL, 1, Outcome(status), now=0, jitter=0) == DONE


@pytest.mark.parametrize("status", [0, 404, 408, 409, 429, 500, 502, 503, 504])
def test_retried(status):
    assert isinstance(next_step(EXPONENTIAL, 1, Outcome(status), now=0, jitter=0), Retry)


@pytest.mark.parametrize("status", [101, 301, 307, 400, 401, 403, 405, 410, 413, 422])
def test_not_retried(status):
    assert next_step(EXPONENTIAL, 1, Outcome(status), now=0, jitter=0) == DEAD_LETTER


def test_retries_end():
    policy = DeliveryPolicy(retries=2)
    steps = [next_step(policy, attempts, Outcome(500), now=5, jitter=0) for attempts in (1, 2, 3)]
    assert steps == [Retry(5), Retry(5), DEAD_LETTER]


def test_exponential_waits():
    waits = [backoff_seconds(EXPONENTIAL, retry) for retry in range(5)]
    assert waits == pytest.approx([0.2, 0.4, 0.8, 1.6, 3.2])


def test_linear_waits():
    assert [backoff_seconds(LINEAR, retry) for retry in range(3)] == [0, 0.5, 1.0]


@given(st.integers(0, 10_000), st.sampled_from(Backoff))
def test_waits_grow_up_to_a_limit(retry, backoff):
    policy = DeliveryPolicy(backoff=backoff, delay_seconds=0.2)
    wait = backoff_seconds(policy, retry)
    assert wait <= backoff_seconds(policy, retry + 1) <= DEFAULT_MAX_BACKOFF_SECONDS


@given(st.floats(0, 1, exclude_max=True), st.integers(1, 10))
def test_chance_adds_at_most_a_tenth(jitter, attempts):
    step = next_step(EXPONENTIAL, attempts, Outcome(500), now=100, jitter=jitter)
    wait = backoff_seconds(EXPONENTIAL, attempts - 1)
    assert isinstance(step, Retry)
    assert wait <= step.at - 100 + 1e-9
    assert step.at - 100 <= wait * 1.1 + 1e-9


@pytest.mark.parametrize(
    ("policy", "status", "wait"),
    [
        pytest.param(EXPONENTIAL, 429, 7, id="429"),
        pytest.param(EXPONENTIAL, 503, 7, id="503"),
        pytest.param(EXPONENTIAL, 500, 0.2, id="other codes do not ask for it"),
        pytest.param(DeliveryPolicy(retries=1, retry_after_max_seconds=2), 503, 2, id="cut"),
        pytest.param(DeliveryPolicy(retries=1, retry_after_max_seconds=0), 503, 0, id="off"),
    ],
)
def test_retry_after(policy, status, wait):
    step = next_step(policy, 1, Outcome(status, retry_after_seconds=7), now=0, jitter=0)
    assert step == Retry(wait)


def test_policy_of_a_delivery_spec():
    spec = {
        "retry": 3,
        "backoffPolicy": "linear",
        "backoffDelay": "PT0.5S",
        "timeout": "PT5S",
        "retryAfterMax": "PT1M",
        "format": "json",
    }
    assert DeliveryPolicy.from_spec(spec) == DeliveryPolicy(3, Backoff.LINEAR, 0.5, 5, 60, True)


def test_policy_of_no_delivery_spec_makes_one_attempt():
    assert DeliveryPolicy.from_spec(None).retries == 0


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (b"5", 5),
        (b" 5 ", 5),
        (b"-1", 0),
        (b"soon", 0),
        (b"Thu, 01 Jan 1970 00:01:40 GMT", 90),
        (b"Thu, 01 Jan 1970 00:00:01 GMT", 0),
    ],
)
def test_parse_retry_after(value, seconds):
    assert parse_retry_after(value, now=10) == seconds


@given(st.integers(1, 50), st.floats(0, 1, exclude_max=True))
def test_full_jitter_chooses_anything_up_to_the_back_off(attempts, jitter):
    policy = DeliveryPolicy(50, Backoff.EXPONENTIAL, 0.2, full_jitter=True, max_backoff_seconds=60)
    step = next_step(policy, attempts, Outcome(500), now=0, jitter=jitter)
    assert step == Retry(backoff_seconds(policy, attempts - 1) * jitter)


def test_full_jitter_waits_as_long_as_an_answer_asks_for():
    policy = DeliveryPolicy(5, Backoff.EXPONENTIAL, 0.2, full_jitter=True)
    assert next_step(policy, 1, Outcome(503, 7), now=0, jitter=0) == Retry(7)


def test_the_longest_back_off_is_a_field():
    spec = {"retry": 9, "backoffPolicy": "exponential", "backoffDelay": "PT1S"}
    policy = DeliveryPolicy.from_spec({**spec, "backoffMax": "PT10S"})
    assert [backoff_seconds(policy, retry) for retry in range(6)] == [1, 2, 4, 8, 10, 10]
    assert DeliveryPolicy.from_spec(spec).max_backoff_seconds == DEFAULT_MAX_BACKOFF_SECONDS
