"""Which consumers a log has and how far each is: as kept for all processes.

Where several make or move one at once, the first counts, and all agree on who that was.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol, cast

from eventing.engines.cursor import CursorState
from eventing.engines.event import Position
from eventing.engines.kafka.share import At
from eventing.engines.kafka.states import Known, States, Write, asked, changes, written
from eventing.engines.seam import Standing


class Keeper(Protocol):
    """Keeps how far consumers are, for all logs."""

    states: States

    async def sync(self) -> None:
        """Know all that was written until now."""

    async def put(self, writes: Sequence[Write]) -> None:
        """Write, and wait until that is durable."""


class Registry:
    """Of one topic."""

    def __init__(self, keeper: Keeper, topic: str) -> None:
        self._keeper = keeper
        self._topic = topic

    async def sync(self) -> None:
        """Know all that was written until now."""
        await self._keeper.sync()

    def known(self) -> Mapping[str, Known]:
        """Return the consumers by their ids."""
        return self._keeper.states.consumers(self._topic)

    def state(self, consumer_id: str, partition: int) -> CursorState:
        """Return how far a consumer is in a partition; at the begin of one that was added later."""
        return self._keeper.states.state(self._topic, consumer_id, partition) or CursorState(0)

    def states(self, consumer_id: str) -> dict[int, CursorState]:
        """Return how far a consumer is in each partition in which something is known of it."""
        partitions = self._keeper.states.partitions(self._topic, consumer_id)
        return {each: self.state(consumer_id, each) for each in partitions}

    def asked(self, consumer_id: str) -> dict[At, bool]:
        """Return what is to be recalled (True) or discarded (False) of what is set aside."""
        found = self._keeper.states.asked(self._topic, consumer_id)
        return {At(*at): is_recalled for at, is_recalled in found.items()}

    async def ask(self, consumer_id: str, what: Mapping[At, bool | None]) -> None:
        """Have those processes recall or discard events whose partitions they are; None: done."""
        known = self.known().get(consumer_id)
        if known is not None:
            of = self._topic, consumer_id, known.generation
            await self._keeper.put([asked(*of, at, it) for at, it in what.items()])

    async def make(self, consumer_id: str, places: Mapping[int, int]) -> Known:
        """Make a consumer that begins at these places, unless somebody else has made it."""
        wanted = Known(0, places)
        await self._keeper.put([written(self._topic, consumer_id, wanted)])
        await self.sync()
        known = self.known()[consumer_id]
        if known != wanted:  # again, that it stays when the topic is compacted
            await self._keeper.put([written(self._topic, consumer_id, known)])
        return known

    async def save(
        self,
        consumer_id: str,
        generation: int,
        steps: Mapping[int, tuple[CursorState | None, CursorState | None]],
    ) -> None:
        """Save steps by partition: notes first, then the states that they belong to."""
        notes: list[Write] = []
        states: list[Write] = []
        for partition, (before, now) in steps.items():
            at = self._topic, consumer_id, generation, partition
            made = list(changes(*at, before, now))
            is_state = _is_state(before, now)
            split = len(made) - is_state
            notes += made[:split]
            states += made[split:]
        await self._keeper.put(notes)
        await self._keeper.put(states)

    async def move(self, consumer_id: str, places: Mapping[int, int]) -> None:
        """Have a consumer begin at these places; what is set aside before them stays so.

        The record that says so comes after all that belongs to it.
        """
        generation = self.known()[consumer_id].generation
        for partition, to in places.items():
            old = self._keeper.states.state(self._topic, consumer_id, partition)
            if old is not None:
                await self.save(consumer_id, generation + 1, {partition: (None, old.moved(to))})
        await self.replace(consumer_id, Known(generation + 1, places))

    def standing(self, consumer_id: str, ends: Mapping[int, int]) -> Standing:
        """Return how far a consumer is, as it was saved; ``ends`` is where partitions end."""
        following: list[Position] = []
        still: dict[Position, str] = {}
        aside: dict[Position, str] = {}
        for partition, state in self.states(consumer_id).items():
            if state.next < ends.get(partition, 0):
                following.append(At(partition, state.next))
            still |= {At(partition, each): state.notes.get(each, "") for each in state.open}
            parked = state.notes.keys() - set(state.open)
            aside |= {At(partition, each): state.notes[each] for each in parked}
        return Standing(tuple(following), still, aside)

    async def place(self, consumer_id: str, standing: Standing, ends: Mapping[int, int]) -> None:
        """Make or replace a consumer, to go on like that: a generation of its own."""
        places = {**ends, **dict(cast(tuple[At, ...], standing.following))}
        known = self.known().get(consumer_id)
        generation = known.generation + 1 if known is not None else 0
        for partition, following in places.items():
            still = _of(partition, standing.open)
            notes = {at: text for at, text in still.items() if text}
            notes |= {at: text or "-" for at, text in _of(partition, standing.aside).items()}
            state = CursorState(following, tuple(sorted(still)), notes)
            await self.save(consumer_id, generation, {partition: (None, state)})
        await self.replace(consumer_id, Known(generation, places))

    async def begin_anew(self, consumer_id: str) -> None:
        """Have a consumer begin at the beginning; what was set aside went with the old topic."""
        generation = self.known()[consumer_id].generation
        await self.replace(consumer_id, Known(generation + 1))

    async def replace(self, consumer_id: str, instead: Known | None) -> None:
        """Put something in a consumer's place, and let go of what is void then."""
        void = list(self._void(consumer_id))
        await self._keeper.put([written(self._topic, consumer_id, instead)])
        await self._keeper.put(void)

    def _void(self, consumer_id: str) -> Iterator[Write]:
        known = self.known().get(consumer_id)
        if known is None:
            return
        generation = known.generation
        for partition, state in self.states(consumer_id).items():
            yield from changes(self._topic, consumer_id, generation, partition, state, None)
        for at in self.asked(consumer_id):
            yield asked(self._topic, consumer_id, generation, at, None)


def _of(partition: int, texts: Mapping[Position, str]) -> dict[int, str]:
    mine = cast(Mapping[At, str], texts)
    return {at.offset: text for at, text in mine.items() if at.partition == partition}


def _is_state(before: CursorState | None, now: CursorState | None) -> bool:
    """Whether a step changes more than notes."""
    return before is None or now is None or (before.next, before.open) != (now.next, now.open)
