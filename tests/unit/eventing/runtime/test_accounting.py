"""What subscriptions may hold of the memory of a process."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from eventing.engines.event import StoredEvent
from eventing.runtime.accounting import HeldEvents, MemoryBudget
from eventing.runtime.config import SubscriptionLimits

LIMITS = SubscriptionLimits(held_bytes=4000, process_bytes=100_000, short_fetch_bytes=600)
EVENT = StoredEvent(0, 255, b"", b"", b"x" * 100)


def fill(held):
    while not held.is_full:
        held.add(EVENT)


def test_while_there_is_plenty_each_holds_as_much_as_its_own_limit():
    budget = MemoryBudget(LIMITS)
    first, second = HeldEvents(budget), HeldEvents(budget)
    fill(first)
    fill(second)
    assert first.bytes == second.bytes
    assert LIMITS.held_bytes < first.bytes <= LIMITS.held_bytes + EVENT.size


def test_who_comes_after_many_that_are_stuck_finds_room():
    """Once the first sixty-four of them had all memory, and others held 32 KB at most."""
    limits = SubscriptionLimits()
    budget = MemoryBudget(limits)
    event = StoredEvent(0, 255, b"", b"", b"x" * 64 * 1024)
    for _ in range(100):
        stuck = HeldEvents(budget)
        while not stuck.is_full:
            stuck.add(event)
    late = HeldEvents(budget)
    while not late.is_full:
        late.add(event)
    assert not budget.is_short
    assert late.bytes > 4 * limits.short_fetch_bytes


@given(st.lists(st.tuples(st.integers(0, 200), st.integers(-5, 20)), max_size=200))
def test_all_together_hold_little_more_than_they_should(steps):
    """Whoever takes events only while it may, and settles them in any order."""
    budget = MemoryBudget(LIMITS)
    held = [HeldEvents(budget) for _ in range(201)]
    for number, change in steps:
        one = held[number]
        for _ in range(change):
            if one.is_full:
                break
            one.add(EVENT)
        for _ in range(min(-change, one.events)):
            one.remove(EVENT)
        assert budget.held_bytes == sum(each.bytes for each in held)
        least = LIMITS.short_fetch_bytes + EVENT.size
        over = sum(min(each.bytes, least) for each in held)
        assert budget.held_bytes <= LIMITS.process_bytes + over
        assert LIMITS.short_fetch_bytes <= budget.most <= LIMITS.held_bytes


@given(st.integers(0, 150_000))
def test_more_held_by_others_never_means_more_for_one(held_bytes):
    budget = MemoryBudget(LIMITS)
    budget.held_bytes = held_bytes
    before = budget.most
    budget.held_bytes += 1000
    assert budget.most <= before


async def test_who_holds_nothing_need_not_wait_and_who_is_full_does():
    budget = MemoryBudget(LIMITS)
    stuck, other = HeldEvents(budget), HeldEvents(budget)
    budget.held_bytes = 2 * LIMITS.process_bytes  # of others
    await asyncio.wait_for(other.wait_for_room(), 60)
    stuck.add(EVENT)
    waiting = asyncio.ensure_future(stuck.wait_for_room())
    await asyncio.sleep(0)
    assert not waiting.done()
    stuck.remove(EVENT)
    await asyncio.wait_for(waiting, 60)
    assert other.fetch_bytes == LIMITS.short_fetch_bytes
