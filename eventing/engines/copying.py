"""One log into another that nobody uses yet, and how far consumers are: a log moves house.

All that the source still holds goes over, in its order, whatever of it is still needed: it can be
looked at and replayed there as before. The target is at each moment the beginning of the source, so
where a copy was cut short is seen by laying one beside the other. That is also how positions of one
log are known in the other: cursors, notes and what is set aside keep their meaning.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, cast

from eventing.engines.event import Position, RenderedEvent, StoredEvent
from eventing.engines.seam import EventLog, Reading, Refused, Standing, Start, StartAt, StartTime

log = logging.getLogger(__name__)

_PORTION_BYTES = 1024 * 1024
_MOST_AT_ONCE = 500
_CLOCK_NS = 2_000_000_000
"""Events of a moment may lie so far from each other: several processes stamp them."""


class Pair(NamedTuple):
    """One event in both logs."""

    here: StoredEvent
    there: StoredEvent


def is_same(one: RenderedEvent, other: RenderedEvent) -> bool:
    """Whether an event is a copy of another: source and id are the same, and when it arrived."""
    if one.arrival_ns != other.arrival_ns:
        return False
    mine, its = one.attributes, other.attributes
    return mine.get("id") == its.get("id") and mine.get("source") == its.get("source")


def needed_of(standings: Iterable[Standing]) -> set[Position]:
    """Return the positions that consumers know."""
    return {
        position for each in standings for position in (*each.following, *each.open, *each.aside)
    }


class Translation:
    """Positions of the source as those of the target, learnt in the order of the source.

    What nobody can read any more has no place in the target: who was to get it goes on behind it.
    """

    def __init__(self, needed: Iterable[Position]) -> None:
        self._left = sorted(cast(Iterable[Any], needed), reverse=True)
        self._there: dict[Position, Position | None] = {}
        self._exact: set[Position] = set()

    @property
    def is_whole(self) -> bool:
        """Whether all positions are known."""
        return not self._left

    def learn(self, here: Position, there: Position) -> None:
        """Take the next event of the source, and where the target has it."""
        while self._left and self._left[-1] <= here:
            position = self._left.pop()
            self._there[position] = there
            if position == here:
                self._exact.add(position)

    def of(self, standing: Standing) -> Standing:
        """Return a standing in the words of the target."""
        following = [self._there.get(each) for each in standing.following]
        return Standing(
            tuple(each for each in following if each is not None),
            self._texts(standing.open),
            self._texts(standing.aside),
        )

    def _texts(self, texts: Mapping[Position, str]) -> dict[Position, str]:
        return {self._there[at]: text for at, text in texts.items() if at in self._exact}


class Copy:
    """``begin``, then ``some`` until there is no more; ``cursors`` when nothing comes any more."""

    def __init__(self, source: EventLog, target: EventLog) -> None:
        self._source = source
        self._target = target
        self._ahead: list[StoredEvent] = []
        self._reading: Reading | None = None
        self.copied = 0
        """Events that the target has, as far as the source still has them, too."""

    async def begin(self) -> None:
        """Find out how far an earlier copy came."""
        reading = await self._source.look(Start.EARLIEST)
        expected = _Expected(reading)
        async for _ in _pairs(expected, await self._target.look(Start.EARLIEST)):
            self.copied += 1
        self._ahead, self._reading = expected.rest(), reading

    async def some(self) -> int:
        """Copy some of what is left; return how many there were. Raises Refused."""
        if self._reading is None:
            await self.begin()
        events = self._ahead or await cast(Reading, self._reading).fetch(_PORTION_BYTES)
        self._ahead = []
        for first in range(0, len(events), _MOST_AT_ONCE):
            portion = events[first : first + _MOST_AT_ONCE]
            try:
                await _append(self._target, portion)
            except BaseException:
                self._reading = None  # what of it is there is seen when it is begun anew
                raise
            self.copied += len(portion)
        return len(events)

    async def cursors(self, *, besides: str) -> Mapping[str, Standing]:
        """Have all consumers go on there; return how far they were. All are closed.

        ``besides`` is a consumer of the target alone.
        """
        source, target = self._source, self._target
        standings = {each: await source.standing(each) for each in await source.consumers()}
        translation = await self._translation(needed_of(standings.values()))
        for consumer_id, standing in standings.items():
            await target.place(consumer_id, translation.of(standing))
        for consumer_id in set(await target.consumers()) - standings.keys() - {besides}:
            await target.forget(consumer_id)
        await target.checkpoint()
        return standings

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
