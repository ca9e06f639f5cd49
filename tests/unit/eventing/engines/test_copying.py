"""A log moves while it is used: whatever happens in whatever order, nothing is lost or repeated."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventing.engines.copying import Copy
from eventing.engines.event import RenderedEvent, StoredEvent
from eventing.engines.placing import Translation, needed_of
from eventing.engines.seam import Refused, Standing, Start
from tests.component.eventing.engines.memory import MemoryLog, Topic

NAMES = ("one", "two")


def event(number: int, *, arrival_ns: int = 0) -> RenderedEvent:
    head = f"ce-specversion: 1.0\r\nce-id: {number}\r\nce-source: /s\r\nce-type: t\r\n"
    return RenderedEvent(arrival_ns, 255, head.encode(), b"", b"{}")


class World:
    """A source with consumers, a target, and a copy that may be cut short at any moment."""

    def __init__(self, here: int = 1, there: int = 1) -> None:
        """So many parts have the logs."""
        self.source = MemoryLog(Topic(here, 10**9))
        self.target = MemoryLog(Topic(there, 10**9))
        self.ordered = here == there == 1
        self.copy = Copy(self.source, self.target, ordered=self.ordered)
        self.count = 0
        self.open: dict[str, dict[str, StoredEvent]] = {name: {} for name in NAMES}
        self.left: dict[str, dict[str, str]] = {name: {} for name in NAMES}
        """What each consumer is not done with, by the ids of events: the note."""
        self.aside: dict[str, dict[str, str]] = {name: {} for name in NAMES}

    async def append(self, choice: int) -> None:
        for _ in range(choice % 4 + 1):
            # Several of one moment, as in a batch; clocks may be set back.
            made = event(self.count, arrival_ns=10**10 * (choice % 3))
            self.source.append([made], lambda refusal: None)
            for name in NAMES:
                self.left[name][str(self.count)] = ""
            self.count += 1
        await self.source.answered()

    async def consume(self, choice: int) -> None:
        name = NAMES[choice % 2]
        if self.left[name].keys() - self.open[name].keys() - self.aside[name].keys():
            consumer = await self.source.consume(name)
            for found in await consumer.fetch(300):
                self.open[name][found.attributes["id"]] = found

    async def settle(self, choice: int) -> None:
        await self._end(choice, lambda consumer, found: consumer.settle(found))

    async def park(self, choice: int) -> None:
        name, id = await self._end(choice, lambda consumer, found: consumer.park(found, "why"))
        if id:
            self.aside[name][id] = "why"

    async def note(self, choice: int) -> None:
        name = NAMES[choice % 2]
        if self.open[name]:
            id = sorted(self.open[name])[choice % len(self.open[name])]
            (await self.source.consume(name)).note(self.open[name][id], "note")
            self.left[name][id] = "note"

    async def _end(self, choice: int, how: Callable[[Any, StoredEvent], None]) -> tuple[str, str]:
        name = NAMES[choice % 2]
        if not self.open[name]:
            return name, ""
        id = sorted(self.open[name])[choice % len(self.open[name])]
        how(await self.source.consume(name), self.open[name].pop(id))
        del self.left[name][id]
        return name, id

    async def some(self, choice: int) -> None:
        await self.copy.some()

    async def kill(self, choice: int) -> None:
        """Another process copies from now on; consumers are given again what was unsettled."""
        self.copy = Copy(self.source, self.target, ordered=self.ordered)
        for consumer in self.source.opened:
            consumer.close()
        self.open = {name: {} for name in NAMES}

    async def release(self, choice: int) -> None:
        await self.source.checkpoint()

    async def cursors(self, choice: int) -> None:
        """As far as a move came that was then cut short."""
        await self.finish()

    async def finish(self) -> None:
        while await self.copy.some():
            pass
        await self.copy.cursors(besides="")


STEPS = ["append", "consume", "settle", "park", "note", "some", "kill", "release", "cursors"]


@pytest.mark.parametrize("parts", [(1, 1), (1, 3), (3, 1), (2, 3)])
@given(steps=st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 50)), max_size=40))
def test_nothing_is_lost_and_nothing_comes_twice(
    parts: tuple[int, int], steps: list[tuple[str, int]]
) -> None:
    asyncio.run(_moved(World(*parts), steps))


async def _moved(world: World, steps: list[tuple[str, int]]) -> None:
    for name in NAMES:
        await world.source.consume(name, Start.EARLIEST)
    for step, choice in steps:
        await getattr(world, step)(choice)
    await world.kill(0)
    await world.finish()
    kept = [
        [each.attributes["id"] for each in part.values()] for part in world.target.topic.partitions
    ]
    names = [name for part in kept for name in part]
    assert len(names) == len(set(names)), "each once"
    if world.ordered:
        assert names == sorted(names, key=int)
    for name in NAMES:
        consumer = await world.target.consume(name)
        found = {}
        while consumer._has_events():
            for each in await consumer.fetch(10**9):
                assert each.attributes["id"] not in found
                found[each.attributes["id"]] = consumer.note_of(each)
        assert found == world.left[name]
        partitions = world.target.topic.partitions
        aside = {
            partitions[at.partition][at.number].attributes["id"]: text  # type: ignore[attr-defined]
            for at, text in consumer.parked().items()
        }
        assert aside == world.aside[name]


def test_what_cannot_be_read_any_more_is_passed_over() -> None:
    standing = Standing((4,), {1: "", 3: "note"}, {2: "why"})
    translation = Translation(needed_of([standing]))
    for here, there in ((1, 10), (3, 11), (6, 12)):
        translation.learn(here, there)
    assert translation.is_whole
    assert translation.of(standing) == Standing((12,), {10: "", 11: "note"}, {})


def test_who_is_past_all_there_is_stays_so() -> None:
    translation = Translation(needed_of([Standing(), Standing((7,))]))
    assert not translation.is_whole
    assert translation.of(Standing()) == Standing()
    assert translation.of(Standing((7,))) == Standing(), "nobody can read what it was to get"


async def test_a_target_that_is_something_else_is_refused() -> None:
    world = World()
    await world.source.consume("one", Start.EARLIEST)
    await world.append(3)
    with pytest.raises(Refused, match="made anew"):
        await world.copy.cursors(besides="")
