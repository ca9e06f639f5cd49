"""How far a reader reads ahead of what is delivered."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from eventing.engines.event import StoredEvent
from eventing.runtime.accounting import HeldEvents, MemoryBudget
from eventing.runtime.config import SubscriptionLimits
from eventing.runtime.reader import Reader
from eventing.runtime.sharing import Share

KIB = 1024


class Log:
    """A consumer of a log with so many events of 1 KB; ``fetched`` says how much was asked for."""

    def __init__(self, events: int) -> None:
        self.left = [StoredEvent(0, 255, b"", b"", b"x" * KIB, {}, n) for n in range(events)]
        self.fetched: list[int] = []
        self.attached = False

    def attach(self) -> bool:
        self.attached = not self.left
        return self.attached

    def detach(self, event: StoredEvent) -> None:
        self.left.insert(0, event)

    async def fetch(self, max_bytes: int) -> Sequence[StoredEvent]:
        self.fetched.append(max_bytes)
        await asyncio.sleep(0)
        count = max(1, max_bytes // KIB)
        found, self.left = self.left[:count], self.left[count:]
        return found

    def settle(self, event: StoredEvent) -> None:
        raise AssertionError("all events match")

    def close(self) -> None:
        self.attached = False


class World:
    """A reader whose events are delivered when somebody says so."""

    def __init__(self, events: int) -> None:
        self.log, self.taken = Log(events), list[StoredEvent]()
        self.held = HeldEvents(MemoryBudget(SubscriptionLimits()))
        consumer: Any = self.log
        self.reader = Reader(
            consumer,
            self.held,
            name="a",
            matches=lambda event: True,
            take=self.take,
            before=self.before,
            behind=lambda is_behind: None,
            share=Share(),
        )

    async def before(self) -> None:
        """Nothing to look back at."""

    def take(self, event: StoredEvent) -> None:
        self.taken.append(event)
        self.held.add(event)

    async def rest(self) -> None:
        """Until the reader waits for somebody."""
        for _ in range(200):
            await asyncio.sleep(0)

    async def close(self) -> None:
        self.reader.close()
        await self.rest()

    async def deliver(self, count: int) -> None:
        for event in self.taken[:count]:
            self.held.remove(event)
        del self.taken[:count]
        await self.rest()


async def test_one_that_begins_reads_little_ahead_and_more_each_time_it_gets_on() -> None:
    world = World(20_000)
    world.reader.start()
    await world.rest()
    seen = [world.held.bytes]
    assert seen[0] < 80 * KIB  # however many there are that begin
    for _ in range(8):
        await world.deliver(len(world.taken) // 2 + 40)
        seen.append(world.held.bytes)
    assert seen[:5] == sorted(seen[:5])
    assert max(world.log.fetched) == SubscriptionLimits().fetch_bytes
    assert seen[-1] > 1024 * KIB
    # What is not delivered is not read ahead of any further.
    await world.rest()
    assert world.held.bytes == seen[-1]
    await world.close()


async def test_one_that_falls_back_reads_on_as_far_ahead_as_it_was() -> None:
    world = World(0)
    world.reader.start()
    await world.rest()
    assert world.reader.live
    last, *rest = Log(8000).left
    world.log.left = rest
    world.reader.fall_back(last)
    await world.rest()
    assert world.log.fetched[0] == SubscriptionLimits().fetch_bytes
    assert world.held.bytes > 1024 * KIB
    await world.close()


async def test_what_is_delivered_at_once_is_read_to_the_end() -> None:
    world = World(5000)
    world.reader.start()
    while not world.reader.live:
        await world.deliver(len(world.taken))
    assert not world.log.left
    assert len(world.log.fetched) < 20
    await world.close()
