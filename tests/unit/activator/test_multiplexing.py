"""Connections that are shared: who gets which, and who waits."""

from __future__ import annotations

from typing import cast

from activator.http.events import Connection
from activator.multiplexing import SharedConnection, SharedPool
from activator.pods import Pod

POD = Pod(("h", 1), speaks_http2=True)


class Fake:
    def __init__(self, *, room: int = 1, since: float = 0.0) -> None:
        self.room = room
        self.since = since
        self.used = 0
        self.is_open = True
        self.checked = 0
        self.is_foreign = False

    @property
    def has_room(self) -> bool:
        return self.used < self.room and self.is_open

    @property
    def is_idle(self) -> bool:
        return self.used == 0

    def is_usable(self, now: float) -> bool:
        return self.has_room

    def check(self) -> None:
        self.checked += 1

    def idle_since(self) -> float:
        return self.since

    def close(self) -> None:
        self.is_open = False


class Waiting:
    def __init__(self, *, is_gone: bool = False) -> None:
        self.is_gone = is_gone
        self.connection: object = None
        self.refused = 0

    def on_connected(self, pod: Pod, connection: Connection) -> bool:
        self.connection = connection
        if not self.is_gone:
            cast(Fake, connection).used += 1
        return not self.is_gone

    def on_refused(self, pod: Pod) -> None:
        self.refused += 1


def shared(fake: Fake) -> SharedConnection:
    return cast(SharedConnection, fake)


def test_the_oldest_with_room_is_taken() -> None:
    pool = SharedPool(is_closed=False)
    first, second = Fake(room=1), Fake(room=1)
    pool.keep(shared(first))
    pool.keep(shared(second))
    assert pool.take(0.0) is cast(object, first)
    first.used = 1
    assert pool.take(0.0) is cast(object, second)
    second.used = 1
    assert pool.take(0.0) is None


def test_a_new_connection_goes_to_as_many_as_it_takes() -> None:
    pool = SharedPool(is_closed=False)
    waiting = [Waiting(), Waiting(is_gone=True), Waiting(), Waiting()]
    pool.waiters.extend(waiting)
    connection = Fake(room=2)
    pool.hand_out(POD, shared(connection))
    assert [w.connection is connection for w in waiting] == [True, True, True, False]
    assert list(pool.waiters) == waiting[3:]


def test_one_that_takes_nothing_tells_everybody() -> None:
    pool = SharedPool(is_closed=False)
    waiting = [Waiting(), Waiting()]
    pool.waiters.extend(waiting)
    connection = Fake(room=0)
    pool.hand_out(POD, shared(connection))
    assert all(w.connection is connection for w in waiting)
    pool.keep(shared(connection))
    assert not connection.is_open and not pool.connections and not pool.waiters


def test_refused_are_all_who_wait_and_may_come_back() -> None:
    pool = SharedPool(is_closed=False)

    class Stubborn(Waiting):
        def on_refused(self, pod: Pod) -> None:
            super().on_refused(pod)
            pool.waiters.append(self)

    waiting = [Stubborn(), Stubborn()]
    pool.waiters.extend(waiting)
    pool.refuse(POD)
    assert [w.refused for w in waiting] == [1, 1]
    assert list(pool.waiters) == waiting


def test_what_a_burst_has_left_behind_is_closed_in_time() -> None:
    pool = SharedPool(is_closed=False)
    old, busy, new = Fake(since=5.0), Fake(since=5.0), Fake(since=50.0)
    for fake in (old, busy, new):
        pool.keep(shared(fake))
    busy.used = 1
    pool.trim(10.0)
    assert [fake.is_open for fake in (old, busy, new)] == [False, True, True]
    assert pool.idle == [shared(new)]
    assert busy.checked == 1


def test_a_closed_pool_keeps_nothing() -> None:
    pool = SharedPool(is_closed=False)
    before, after = Fake(), Fake()
    pool.keep(shared(before))
    pool.close()
    pool.keep(shared(after))
    assert not before.is_open and not after.is_open
    pool.lose(shared(after))
    assert pool.take(0.0) is None
