"""Connections to pods: the last used first, the doubtful later, none to a pod that is over."""

from __future__ import annotations

from typing import cast

from activator.http.h1.client import ClientConnection
from activator.pods import Pod
from activator.pools import Pools
from activator.tasks import TaskSet


class Fake:
    """A connection whose state the test decides."""

    def __init__(self, *, usable: bool = True, doubtful: bool = False, since: float = 0.0) -> None:
        self.usable = usable
        self.doubtful = doubtful
        self.since = since
        self.is_open = True

    def is_usable(self, now: float) -> bool:
        return self.usable

    def is_doubtful(self, now: float) -> bool:
        return self.doubtful

    def idle_since(self) -> float:
        return self.since

    def close(self) -> None:
        self.is_open = False


def keep(pools: Pools, pod: Pod, *fakes: Fake) -> None:
    for fake in fakes:
        pools.pool(pod).keep(cast(ClientConnection, fake))


def some_pools(now: float = 100.0) -> Pools:
    return Pools(lambda: now, TaskSet(), idle_seconds=90.0)


def test_the_last_used_one_is_taken_first() -> None:
    pools, pod = some_pools(), Pod(("h", 1))
    first, last = Fake(), Fake()
    keep(pools, pod, first, last)
    taken: list[object] = [pools.take(pod, 0.0) for _ in range(3)]
    assert taken == [last, first, None]


def test_what_is_over_is_closed_and_what_is_doubtful_stays() -> None:
    pools, pod = some_pools(), Pod(("h", 1))
    good, doubtful, stale = Fake(), Fake(usable=False, doubtful=True), Fake(usable=False)
    keep(pools, pod, good, doubtful, stale)
    assert pools.take(pod, 0.0) is cast(object, good)
    assert not stale.is_open
    assert doubtful.is_open and pools.idle(pod) == 1


def test_a_pod_that_is_over_keeps_no_connection() -> None:
    pools, pod = some_pools(), Pod(("h", 1))
    idle, late = Fake(), Fake()
    keep(pools, pod, idle)
    pod.gone = True
    pools.drop(pod)
    keep(pools, pod, late)
    assert not idle.is_open and not late.is_open
    assert pools.idle(pod) == 0


def test_what_a_burst_has_left_behind_is_closed_in_time() -> None:
    pools, pod = some_pools(now=100.0), Pod(("h", 1))
    old, new = Fake(since=5.0), Fake(since=50.0)
    keep(pools, pod, old, new)
    pools.trim()
    assert (old.is_open, new.is_open, pools.idle(pod)) == (False, True, 1)


def test_closed_pools_keep_nothing() -> None:
    pools, pod = some_pools(), Pod(("h", 1))
    before, after = Fake(), Fake()
    keep(pools, pod, before)
    pools.close()
    keep(pools, pod, after)
    assert not before.is_open and not after.is_open
