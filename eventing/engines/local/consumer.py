"""A consumer of the local log: reads from its cursor on, then follows the tail in memory."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol, cast

from eventing.engines.cursor import Cursor, CursorState
from eventing.engines.event import Position, StoredEvent
from eventing.engines.local.segments import Place, Portion

log = logging.getLogger(__name__)

_NEAR_EVENTS = 1000
"""Reading on is quicker than looking a place up if it is not further away than this."""
_RECALL_BYTES = 512 * 1024


class Source(Protocol):
    """What a consumer needs of its log."""

    @property
    def start(self) -> int:
        """The oldest event that can still be read."""

    @property
    def end(self) -> int:
        """One past the newest durable event."""

    async def read(self, place: Place, max_bytes: int) -> Portion:
        """Read durable events from a place on."""

    def touch(self) -> None:
        """Note that the next checkpoint has something to do."""


class LocalReading:
    """Reads from a sequence number on, whatever consumers do."""

    def __init__(self, source: Source, sequence: int) -> None:
        self._source = source
        self._place = Place(sequence)

    async def fetch(self, max_bytes: int) -> Sequence[StoredEvent]:
        """Return the next events there are."""
        while True:
            first = self._source.start
            if self._place.sequence < first:
                self._place = Place(first)
            if self._place.sequence >= self._source.end:
                return ()
            try:
                portion = await self._source.read(self._place, max_bytes)
            except FileNotFoundError:
                if self._source.start == first:
                    raise
                continue  # released meanwhile
            self._place = portion.following
            if portion.events:
                return portion.events


class LocalConsumer:
    """Positions are sequence numbers; what is settled is kept in a ``Cursor``."""

    def __init__(self, source: Source, state: CursorState) -> None:
        self.cursor = Cursor(state)
        self.attached = False
        self._source = source
        self._resumed = set(state.open)
        """Open events of an earlier process that reading has not come to yet."""
        self._place = Place(max(state.first, source.start))

    def attach(self) -> bool:
        """Join the tail if nothing lies between."""
        self._settle_unreadable()
        if self._place.sequence < self._source.end:
            return False
        self.cursor.advance(self._place.sequence)
        self.attached = True
        self._source.touch()
        return True

    def claim(self, event: StoredEvent) -> None:
        """Take an event of the tail."""
        position: Any = event.position  # a number; a call of cast() would be one for each event
        self.cursor.take(position)

    def detach(self, event: StoredEvent) -> None:
        """Go on from disk, beginning with this event."""
        self.attached = False
        self._place = Place(cast(int, event.position))
        self.cursor.advance(self._place.sequence)

    async def fetch(self, max_bytes: int) -> Sequence[StoredEvent]:
        """Return the next events, passing over those settled by an earlier process."""
        while self._place.sequence < self._source.end:
            portion = await self._source.read(self._place, max_bytes)
            self._place = portion.following
            if portion.skipped:
                log.error("events of the log are damaged", extra={"events": portion.skipped})
            events = [event for event in portion.events if self._take(cast(int, event.position))]
            self.cursor.advance(self._place.sequence)
            self._settle_unreadable()
            self._source.touch()
            if events:
                return events
        return ()

    def _take(self, sequence: int) -> bool:
        if sequence < self.cursor.next:
            is_open = sequence in self._resumed
            self._resumed.discard(sequence)
            return is_open
        self.cursor.take(sequence)
        return True

    def _settle_unreadable(self) -> None:
        """Open events that reading passed without coming to them are damaged."""
        if self._resumed:
            position = self._place.sequence
            for sequence in [passed for passed in self._resumed if passed < position]:
                self._resumed.discard(sequence)
                self.cursor.done(sequence)

    def settle(self, event: StoredEvent) -> None:
        """Note that an event is not needed again."""
        position: Any = event.position
        self.cursor.done(position)
        self._source.touch()

    def needs(self, event: StoredEvent) -> bool:
        """Whether an event is still to be settled."""
        sequence = cast(int, event.position)
        if self.cursor.is_open(sequence):
            return True
        return not self.attached and sequence >= self.cursor.next

    # -- notes and what is set aside ---------------------------------------------------------

    def note(self, event: StoredEvent, text: str) -> None:
        """Keep a text with an unsettled event."""
        self.cursor.note(cast(int, event.position), text)
        self._source.touch()

    def note_of(self, event: StoredEvent) -> str:
        """Return what is kept with an event."""
        return self.cursor.note_of(cast(int, event.position))

    def park(self, event: StoredEvent, text: str) -> None:
        """Set an unsettled event aside."""
        self.cursor.park(cast(int, event.position), text)
        self._source.touch()

    def parked(self) -> Mapping[Position, str]:
        """Return what is set aside."""
        return {sequence: text for sequence, text in self.cursor.parked().items()}

    async def recall(self, positions: Collection[Position]) -> Sequence[StoredEvent]:
        """Read events again that were set aside; those that cannot be read are settled."""
        wanted = sorted(self._parked_of(positions))
        asked = set(wanted)
        found: list[StoredEvent] = []
        place = Place(wanted[0]) if wanted else Place(0)
        for number, sequence in enumerate(wanted):
            if number and sequence < place.sequence:
                continue  # came with one before it
            if sequence > place.sequence + _NEAR_EVENTS:
                place = Place(sequence)
            while place.sequence <= sequence < self._source.end:
                portion = await self._source.read(place, _RECALL_BYTES)
                found += [event for event in portion.events if event.position in asked]
                place = portion.following
        still = set(self._parked_of(asked))  # others may have been here meanwhile
        recalled = [event for event in found if event.position in still]
        for event in recalled:
            self.cursor.recall(cast(int, event.position))
        self.discard(still - {event.position for event in recalled})
        self._source.touch()
        return recalled

    def _parked_of(self, positions: Collection[Position]) -> list[int]:
        return [each for each in cast(Collection[int], positions) if self.cursor.is_parked(each)]

    def discard(self, positions: Collection[Position]) -> int:
        """Settle events that are set aside."""
        found = self._parked_of(positions)
        for sequence in found:
            self.cursor.done(sequence)
        self._source.touch()
        return len(found)

    def close(self) -> None:
        """Stop; the cursor stays where it is, for the next checkpoint."""
        self.catch_up()
        self.attached = False

    def catch_up(self) -> None:
        """While attached, all that the listener was told of counts as looked at."""
        if self.attached:
            self.cursor.advance(self._source.end)

    @property
    def lag(self) -> int:
        """How many events it is not done with, nor were set aside."""
        ahead = 0 if self.attached else max(self._source.end - self.cursor.next, 0)
        return self.cursor.pending + ahead

    @property
    def is_idle(self) -> bool:
        """Whether it is at the tail and needs nothing before that."""
        return self.attached and not self.cursor.is_needed

    @property
    def first(self) -> int:
        """The oldest event that it was not done with, nor set aside."""
        idle = self.attached and not self.cursor.pending
        return self._source.end if idle else self.cursor.first

    @property
    def low(self) -> int:
        """The oldest event it still needs."""
        return self._source.end if self.is_idle else self.cursor.low
