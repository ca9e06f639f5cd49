"""Which ready pod takes the next request. Pure; called by the throttler.

The policies are Knative's: unlimited concurrency takes the less busy of two random pods, a small
hard limit fills the first pods first (so that the last ones can go away), a larger one goes round.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

from activator.pods import Pod

Random = Callable[[], float]
"""Gives numbers in [0, 1)."""
Policy = Callable[[Sequence[Pod], int], Pod | None]
"""Chooses among ready pods, of which none may have more than the limit; 0: no limit."""

SMALL_CONCURRENCY = 3


def make_policy(container_concurrency: int, random: Random) -> Policy:
    """The policy for a containerConcurrency: called with the ready pods and the limit per pod."""
    if container_concurrency == 0:
        return power_of_two_choices(random)
    if container_concurrency <= SMALL_CONCURRENCY:
        return first_available
    return round_robin()


def first_available(pods: Sequence[Pod], limit: int) -> Pod | None:
    """Choose the first pod that is not full."""
    for pod in pods:
        if not limit or pod.in_flight < limit:
            return pod
    return None


def least_busy(pods: Sequence[Pod], limit: int) -> Pod | None:
    """Choose the pod with the fewest requests in flight."""
    best = min(pods, key=lambda pod: pod.in_flight, default=None)
    if best is None or (limit and best.in_flight >= limit):
        return None
    return best


@cache  # one for all targets
def power_of_two_choices(random: Random) -> Policy:
    """Two random pods, the less busy one; a full look only when a limit rules both out."""

    def choose(pods: Sequence[Pod], limit: int) -> Pod | None:
        count = len(pods)
        if count == 0:
            return None
        first = int(random() * count)
        # The second draw is among the others: two equal draws would be one choice.
        second = (first + 1 + int(random() * (count - 1))) % count if count > 1 else first
        a, b = pods[first], pods[second]
        pod = a if a.in_flight <= b.in_flight else b
        if limit and pod.in_flight >= limit:
            return least_busy(pods, limit)
        return pod

    return choose


def round_robin() -> Policy:
    """Each pod in turn, the full ones passed over."""
    turn = -1

    def choose(pods: Sequence[Pod], limit: int) -> Pod | None:
        nonlocal turn
        count = len(pods)
        for _ in range(count):
            turn = (turn + 1) % count
            pod = pods[turn]
            if not limit or pod.in_flight < limit:
                return pod
        return None

    return choose
