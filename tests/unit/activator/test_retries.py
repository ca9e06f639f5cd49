"""Which requests may be tried again, and how often."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activator.http.events import RequestHead
from activator.retries import LEAST_PER_SECOND, SHARE, WINDOW_SECONDS, RetryBudget, may_repeat

RESERVE = int(LEAST_PER_SECOND * WINDOW_SECONDS)


@pytest.mark.parametrize(
    ("method", "fields", "expected"),
    [
        (b"GET", [], True),
        (b"HEAD", [], True),
        (b"OPTIONS", [], True),
        (b"TRACE", [], True),
        (b"get", [], False),
        (b"POST", [], False),
        (b"PUT", [], False),
        (b"DELETE", [], False),
        (b"POST", [(b"Idempotency-Key", b"1")], True),
        (b"PATCH", [(b"X-Idempotency-Key", b"")], True),
    ],
)
def test_what_may_reach_an_application_twice(
    method: bytes, fields: list[tuple[bytes, bytes]], expected: bool
) -> None:
    head = RequestHead.of(method, b"/", b"a.test")
    head.fields = fields
    assert may_repeat(head) is expected


def spend_all(budget: RetryBudget, requests: int, now: float) -> int:
    spent = 0
    while budget.spend(requests, now):
        spent += 1
    return spent


def test_a_target_at_rest_has_a_reserve_which_fills_up_again() -> None:
    budget = RetryBudget(0.0)
    assert spend_all(budget, 0, 0.0) == RESERVE
    assert spend_all(budget, 0, 0.5) == int(LEAST_PER_SECOND / 2)
    assert spend_all(budget, 0, 1000.0) == RESERVE
    assert (budget.spent, budget.wanting) == (2 * RESERVE + 5, 3)


def test_busy_targets_may_retry_a_fifth_of_the_last_seconds() -> None:
    budget = RetryBudget(0.0)
    # 1,000 a second for an hour, of which only the last ten seconds count.
    spent = spend_all(budget, 3_600_000, 3600.0)
    assert spent == pytest.approx(RESERVE + SHARE * 1000 * WINDOW_SECONDS, abs=1)


def test_a_burst_that_came_at_once_counts_whole() -> None:
    budget = RetryBudget(5.0)
    assert spend_all(budget, 1000, 5.0) == RESERVE + 200


def test_what_was_not_spent_ebbs_away() -> None:
    budget = RetryBudget(0.0)
    assert budget.spend(10_000, 1.0)
    assert spend_all(budget, 10_000, 1.0 + 20 * WINDOW_SECONDS) == RESERVE


@given(st.lists(st.tuples(st.floats(0.0, 5.0), st.integers(0, 500)), min_size=1, max_size=60))
def test_retries_are_never_more_than_their_share_and_the_reserve(
    moves: list[tuple[float, int]],
) -> None:
    budget, now, requests, spent = RetryBudget(0.0), 0.0, 0, 0
    for seconds, more in moves:
        now += seconds
        requests += more
        spent += spend_all(budget, requests, now)
        assert spent <= SHARE * requests + RESERVE + LEAST_PER_SECOND * now + 1e-6
