"""Backlogs: order, bounds of each and of all, what one target's flood leaves to the others."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from activator.backlog import Backlog, Room
from serving.api.config.gateway import BacklogLimits


def a_backlog(room: Room | None = None, **limits: int) -> Backlog[str]:
    return Backlog(room or Room(BacklogLimits(**limits)))


def fill(backlog: Backlog[str], size: int = 1) -> int:
    count = 0
    while backlog.add("x", size, 0.0) is not None:
        count += 1
    return count


def test_it_is_bounded_by_count_and_by_octets() -> None:
    made = a_backlog(requests=2, octets=100)
    first = made.add("x", 60, 0.0)
    assert first is not None
    assert made.add("y", 60, 0.0) is None
    assert made.add("y", 30, 0.0) is not None
    assert made.add("z", 1, 0.0) is None
    assert not made.grow(first, 20)
    assert made.grow(first, 10)
    assert made.octets == 100
    assert (made.refused_here, made.refused_together) == (3, 0)
    made.remove(first)
    made.remove(first)
    assert (len(made), made.octets) == (1, 30)
    assert made.grow(first, 1000)


def test_who_had_a_pod_is_let_in_again_however_full_it_is() -> None:
    made = a_backlog(requests=1, octets=1)
    assert made.add("new", 1, 2.0) is not None
    made.put_back("old", 10, 1.0)
    assert (len(made), made.octets) == (2, 11)
    assert [made.pop(), made.pop()] == ["old", "new"]
    assert (len(made), made.octets) == (0, 0)


def test_places_that_are_left_are_gone_at_once() -> None:
    """A revision that never gets ready is asked for hours by clients that give up."""
    room = Room()
    made = a_backlog(room)
    stays = made.add("stays", 1, 0.0)
    for number in range(100):
        ticket = made.add("goes", 1, float(number))
        assert ticket is not None
        made.remove(ticket)
        made.remove(made.put_back("goes", 1, float(number)))
    assert stays is not None
    assert made.owners() == ["stays"]
    assert (room.requests, room.octets) == (1, 1)


def test_one_that_floods_alone_gets_half_of_the_room() -> None:
    room = Room(BacklogLimits(requests=1000, octets=1000, all_requests=100, all_octets=10_000))
    first, second = a_backlog(room), a_backlog(room)
    assert fill(first) == 50
    assert (first.refused_here, first.refused_together) == (0, 1)
    # Another target's requests find room all the same, and then neither pushes the other out.
    assert fill(second) == 25
    assert second.add("x", 1, 0.0) is None
    assert first.add("x", 1, 0.0) is None


def test_octets_are_shared_like_requests() -> None:
    room = Room(BacklogLimits(all_octets=1000))
    first, second = a_backlog(room), a_backlog(room)
    assert fill(first, size=100) == 5
    grown = second.add("x", 100, 0.0)
    assert grown is not None
    assert second.grow(grown, 100)
    assert not second.grow(grown, 200)


def test_limits_may_change_at_any_time() -> None:
    room = Room(BacklogLimits(requests=1))
    made = a_backlog(room)
    assert fill(made) == 1
    room.limits = BacklogLimits(requests=3)
    assert fill(made) == 2
    room.limits = BacklogLimits(requests=2)
    assert made.add("x", 1, 0.0) is None
    assert len(made) == 3


@given(floods=st.integers(1, 6), total=st.integers(8, 400), arrivals=st.lists(st.integers(0, 5)))
def test_whatever_others_do_a_target_that_holds_nothing_finds_room(
    floods: int, total: int, arrivals: list[int]
) -> None:
    limits = BacklogLimits(requests=10**6, octets=10**9, all_requests=total, all_octets=10**9)
    room = Room(limits)
    backlogs = [a_backlog(room) for _ in range(floods)]
    for number in arrivals:
        backlogs[number % floods].add("x", 1, 0.0)
    for backlog in backlogs:
        fill(backlog)
    # However they come, each leaves at least half of what it found.
    free = total - room.requests
    assert free >= total // 2**floods
    assert fill(a_backlog(room)) == (free + 1) // 2
    assert room.requests <= total


def test_those_that_flood_come_to_equal_parts() -> None:
    room = Room(BacklogLimits(requests=1000, all_requests=90))
    first, second = a_backlog(room), a_backlog(room)
    assert (fill(first), fill(second)) == (45, 23)
    # Whoever has more leaves its places to the other, one by one.
    for _ in range(45):
        for backlog in (first, second):
            backlog.pop()
            fill(first)
            fill(second)
    assert (len(first), len(second)) == (31, 30)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 20)), max_size=30))
def test_order_is_that_of_arrival(moves: list[tuple[bool, int]]) -> None:
    made: Backlog[float] = Backlog(Room())
    again = [float(since) for is_again, since in moves if is_again]
    for since in again:
        made.put_back(since, 1, since)
    new = [100.0 + number for number in range(len(moves) - len(again))]
    for since in new:
        made.add(since, 1, since)
    assert made.owners() == sorted(again) + new
    assert [made.pop() for _ in range(len(made))] == sorted(again) + new
