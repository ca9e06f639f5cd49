"""One log into another that nobody uses yet, and how far consumers are: a log moves house.

All that the source still holds goes over, in its order, whatever of it is still needed: it can be
looked at and replayed there as before. The target is at each moment the beginning of the source, so
where a copy was cut short is seen by laying one beside the other. That is also how positions of one
log are known in the other: cursors, notes and what is set aside keep their meaning.

Where one of the two keeps order by key alone, there is nothing to lay beside the other: events are
known by when they arrived, their source and their id then, which takes memory for all there are.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any, cast

from eventing.engines.event import Position, RenderedEvent, StoredEvent
from eventing.engines.placing import (
    Pair,
    Places,
    Row,
    Translation,
    is_same,
    name_of,
    needed_of,
    placed,
)
from eventing.engines.seam import EventLog, Reading, Refused, Standing, Start, StartAt, StartTime

log = logging.getLogger(__name__)

_PORTION_BYTES = 1024 * 1024
_MOST_AT_ONCE = 500
_CLOCK_NS = 2_000_000_000
"""Events of a moment may lie so far from each other: several processes stamp them."""


class Copy:
    """``begin``, then ``some`` until there is no more; ``cursors`` when nothing comes any more."""

    def __init__(self, source: EventLog, target: EventLog, *, ordered: bool = True) -> None:
        """``ordered``: both logs keep all events in one order."""
        self._source = source
        self._target = target
        self._ordered = ordered
        self._there = Counter[int]()
        """Where there is no order: what the target has and the source was not seen to have."""
        self._ahead: list[StoredEvent] = []
        self._reading: Reading | None = None
        self.copied = 0
        """Events that the target has, as far as the source still has them, too."""

    async def begin(self) -> None:
        """Find out how far an earlier copy came."""
        self.copied = 0
        reading = self._reading = await self._source.look(Start.EARLIEST)
        if not self._ordered:
            self._ahead = []
            self._there = Counter([hash(name_of(each)) async for each in _all(self._target)])
            return
        expected = _Expected(reading)
        async for _ in _pairs(expected, await self._target.look(Start.EARLIEST)):
            self.copied += 1
        self._ahead = expected.rest()

    async def some(self) -> int:
        """Copy some of what is left; return how many there were. Raises Refused."""
        if self._reading is None:
            await self.begin()
        events = self._ahead or await cast(Reading, self._reading).fetch(_PORTION_BYTES)
        self._ahead = []
        came = len(events)
        if self._there:
            events = [each for each in events if not self._is_there(each)]
        for first in range(0, len(events), _MOST_AT_ONCE):
            portion = events[first : first + _MOST_AT_ONCE]
            try:
                await _append(self._target, portion)
            except BaseException:
                self._reading = None  # what of it is there is seen when it is begun anew
                raise
            self.copied += len(portion)
        return came

    def _is_there(self, event: StoredEvent) -> bool:
        name = hash(name_of(event))
        if not self._there[name]:
            return False
        self._there[name] -= 1
        self.copied += 1
        return True

    async def cursors(self, *, besides: str) -> Mapping[str, Standing]:
        """Have all consumers go on there; return how far they were. All are closed.

        ``besides`` is a consumer of the target alone.
        """
        source, target = self._source, self._target
        standings = {each: await source.standing(each) for each in await source.consumers()}
        of = await self._meaning(standings.values())
        for consumer_id, standing in standings.items():
            await target.place(consumer_id, of(standing))
        for consumer_id in set(await target.consumers()) - standings.keys() - {besides}:
            await target.forget(consumer_id)
        await target.checkpoint()
        return standings

    async def _meaning(self, standings: Collection[Standing]) -> Callable[[Standing], Standing]:
        if self._ordered:
            return (await self._translation(needed_of(standings))).of
        here, parts = Places(), dict[int, list[Row]]()
        async for event in _all(self._source):
            here.add(name_of(event), event.position)
        async for event in _all(self._target):
            row = Row(event.position, here.take(name_of(event)))
            parts.setdefault(self._target.part_of(event.position), []).append(row)
        if here:
            raise Refused("the copy has not all that it was made of: it has to be made anew")
        return partial(placed, parts=list(parts.values()), part_of=self._source.part_of)

    async def _translation(self, needed: set[Position]) -> Translation:
        translation = Translation(needed)
        if not needed:
            return translation
        oldest = StartAt(min(cast(set[Any], needed)))
        first = await _Expected(await self._source.look(oldest)).next()
        if first is None:
            return translation  # all of it is gone: consumers go on with what comes
        since = StartTime(max(first.arrival_ns - _CLOCK_NS, 0))
        for begin in (since, Start.EARLIEST):  # clocks may have been set back
            translation = Translation(needed)
            expected = _Expected(await self._source.look(oldest))
            async for here, there in _pairs(expected, await self._target.look(begin)):
                translation.learn(here.position, there.position)
                if translation.is_whole:
                    return translation
            if await expected.next() is None:
                return translation  # what is missing cannot be read
        raise Refused("the copy is not as what it was made of: it has to be made anew")


class _Expected:
    """What the target is to have next."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._events: list[StoredEvent] = []
        """The next one is the last of them."""

    async def next(self) -> StoredEvent | None:
        if not self._events:
            self._events = list(await self._reading.fetch(_PORTION_BYTES))[::-1]
        return self._events[-1] if self._events else None

    def take(self) -> StoredEvent:
        return self._events.pop()

    def rest(self) -> list[StoredEvent]:
        return self._events[::-1]


async def _all(events: EventLog) -> AsyncIterator[StoredEvent]:
    reading = await events.look(Start.EARLIEST)
    while found := await reading.fetch(_PORTION_BYTES):
        for event in found:
            yield event


async def _pairs(expected: _Expected, target: Reading) -> AsyncIterator[Pair]:
    """Lay both logs side by side; events of the target that came otherwise are passed over."""
    while events := await target.fetch(_PORTION_BYTES):
        for event in events:
            found = await expected.next()
            if found is None:
                return
            if is_same(found, event):
                yield Pair(expected.take(), event)


async def _append(target: EventLog, events: Sequence[RenderedEvent]) -> None:
    answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def done(refusal: Refused | None) -> None:
        if answer.done():
            return
        if refusal is None:
            answer.set_result(None)
        else:
            answer.set_exception(refusal)

    target.append(events, done, own=True)
    await answer
