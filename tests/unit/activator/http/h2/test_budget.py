from __future__ import annotations

from activator.http.h2.budget import Budget


def test_tokens_come_back_with_time_and_with_merit() -> None:
    budget = Budget(10, 1.0, 0.0)
    assert [budget.spend(0.0) for _ in range(11)] == [True] * 10 + [False]
    assert not budget.spend(1.0)
    assert budget.spend(4.0)
    budget.merit = 1
    assert [budget.spend(4.0) for _ in range(10)] == [True] * 10
    # Never more than there were.
    assert budget.spend(1000.0, 10)
    assert not budget.spend(1000.0)
