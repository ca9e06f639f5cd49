"""One process's share of a subscription: what it is given of the partitions that are its own.

Which partitions those are is settled for the log as a whole, so that each record is read once for
all consumers. Those that are near the end take events from the tail in memory; others read on by
themselves until they come there.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Collection, Coroutine, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, cast

from eventing.engines.cursor import Cursor, CursorState
from eventing.engines.event import Position, StoredEvent
from eventing.engines.kafka.tails import Portion, Tail
from eventing.engines.seam import Unavailable

log = logging.getLogger(__name__)

_PAUSE_SECONDS = 0.25


class At(NamedTuple):
    """A position."""

    partition: int
    offset: int


class Source(Protocol):
    """What a consumer needs of its log."""

    tails: dict[int, Tail]
    """Of the partitions that are this process's."""

    def touch(self) -> None:
        """Note that the next checkpoint has something to do."""

    async def read_on(self, places: Mapping[int, int], max_bytes: int) -> Mapping[int, Portion]:
        """Read from places on, as far as there is something."""

    async def wait(self) -> None:
        """Wait until something has come, or partitions have changed hands."""

    def left(self, consumer: KafkaConsumer, leaving: Coroutine[Any, Any, None]) -> None:
        """Note that a consumer is closed, and have it leave."""

    async def save(self, consumer: KafkaConsumer) -> None:
        """Save how far a consumer is."""

    def states_of(self, consumer_id: str) -> Mapping[int, CursorState]:
        """Return how far a consumer is in each partition, as saved by whomever."""


class Share:
    """How far a consumer is in one partition."""

    def __init__(self, state: CursorState) -> None:
        self.cursor = Cursor(state)
        self.saved: CursorState | None = state
        self.following = state.first
        """Where to go on."""
        self._resumed = set(state.open)
        """Open events of an earlier process that reading has not come to yet."""

    def take(self, portion: Portion) -> list[StoredEvent]:
        """Return those events that are not settled; reading has come to the end of the portion."""
        taken = [e for e in portion.events if self._take(cast(At, e.position).offset)]
        self.following = max(self.following, portion.following)
        self.cursor.advance(self.following)
        for gone in [each for each in self._resumed if each < self.following]:
            self._resumed.discard(gone)
            self.cursor.done(gone)
        return taken

    def _take(self, offset: int) -> bool:
        if offset < self.cursor.next:
            is_open = offset in self._resumed
            self._resumed.discard(offset)
            return is_open
        self.cursor.take(offset)
        return True


class KafkaConsumer:
    """Positions are partition and offset; what is settled is kept in a ``Cursor`` for each."""

    def __init__(self, owner: Source, consumer_id: str, generation: int) -> None:
        self.id = consumer_id
        self.generation = generation
        self.shares: dict[int, Share] = {}
        self._gone: dict[int, Share] = {}
        """Of partitions that others may have now; what is settled of them may still count."""
        self._log = owner
        self._turns: deque[int] = deque()
        self._closed = False

    def begin(self, partition: int, state: CursorState) -> None:
        """Take a partition over where the last process left it.

        If that was this one, and no other since, what it was given then is still worked on.
        """
        if partition not in self.shares:
            gone = self._gone.pop(partition, None)
            is_ours = gone is not None and gone.saved == state
            self.shares[partition] = gone if gone is not None and is_ours else Share(state)
            self._turns.append(partition)

    def end(self, partition: int) -> None:
        """Let go of a partition."""
        if partition in self.shares:
            self._gone[partition] = self.shares.pop(partition)
            self._turns.remove(partition)

    def restart(self, generation: int) -> None:
        """Let go of all: others have moved this consumer."""
        self.generation = generation
        self.shares.clear()
        self._gone.clear()
        self._turns.clear()

    def is_busy(self, partition: int) -> bool:
        """Whether events are worked on that were not tried yet."""
        share = self.shares.get(partition)
        return not self._closed and share is not None and share.cursor.is_worked_on

    # -- events ------------------------------------------------------------------------------

    def attach(self) -> bool:
        """There is no tail to be told of: partitions come and go."""
        return False

    def claim(self, event: StoredEvent) -> None:
        """Never: nobody is attached."""
        raise RuntimeError("a consumer of Kafka is not attached to a tail")

    def detach(self, event: StoredEvent) -> None:
        """Never: nobody is attached."""
        raise RuntimeError("a consumer of Kafka is not attached to a tail")

    async def fetch(self, max_bytes: int) -> Sequence[StoredEvent]:
        """Return the next events; wait for one."""
        while True:
            if taken := self._from_tails(max_bytes):
                return taken
            if behind := self._behind():
                if taken := await self._read_on(behind, max_bytes):
                    return taken
            else:
                await self._log.wait()

    def _from_tails(self, max_bytes: int) -> list[StoredEvent]:
        """Events of all partitions in turn."""
        taken: list[StoredEvent] = []
        for _ in range(len(self._turns)):
            partition = self._turns[0]
            self._turns.rotate(-1)
            share, tail = self.shares[partition], self._log.tails.get(partition)
            while tail is not None and tail.has(share.following):
                portion = tail.since(share.following, max_bytes)
                is_new = portion.following > share.following
                taken += share.take(portion)
                if taken or not is_new:
                    break
            if sum(event.size for event in taken) >= max_bytes:
                break
        if taken:
            self._log.touch()
        return taken

    def _behind(self) -> dict[int, int]:
        """Where to read on by ourselves."""
        tails = self._log.tails
        return {
            partition: share.following
            for partition, share in self.shares.items()
            if partition in tails
            and tails[partition].end
            and not tails[partition].has(share.following)
        }

    async def _read_on(self, places: Mapping[int, int], max_bytes: int) -> list[StoredEvent]:
        taken: list[StoredEvent] = []
        try:
            found = await self._log.read_on(places, max_bytes)
        except Unavailable as error:
            log.warning("events wait", extra={"consumer": self.id, "error": str(error)})
            await asyncio.sleep(_PAUSE_SECONDS)
            return []
        for partition, portion in found.items():
            share = self.shares.get(partition)
            if share is not None and share.following == places[partition]:
                taken += share.take(portion)
        self._log.touch()
        return taken

    def settle(self, event: StoredEvent) -> None:
        """Note that an event is not needed again."""
        partition, offset = cast(At, event.position)
        share = self.shares.get(partition) or self._gone.get(partition)
        if share is not None:
            share.cursor.done(offset)
            self._log.touch()

    def needs(self, event: StoredEvent) -> bool:
        """Whether an event is still to be settled here, as far as this process knows."""
        partition, offset = cast(At, event.position)
        share = self.shares.get(partition)
        if share is None:
            return False
        return share.cursor.is_open(offset) or offset >= share.cursor.next

    # -- notes and what is set aside ---------------------------------------------------------

    def note(self, event: StoredEvent, text: str) -> None:
        """Keep a text with an unsettled event."""
        partition, offset = cast(At, event.position)
        if partition in self.shares:
            self.shares[partition].cursor.note(offset, text)
            self._log.touch()

    def note_of(self, event: StoredEvent) -> str:
        """Return what is kept with an event."""
        partition, offset = cast(At, event.position)
        share = self.shares.get(partition)
        return share.cursor.note_of(offset) if share is not None else ""

    def park(self, event: StoredEvent, text: str) -> None:
        """Set an unsettled event aside."""
        partition, offset = cast(At, event.position)
        if partition in self.shares:
            self.shares[partition].cursor.park(offset, text)
            self._log.touch()

    def parked(self) -> Mapping[Position, str]:
        """Return what is set aside, in partitions of others as they have saved it."""
        cursors = {partition: share.cursor for partition, share in self.shares.items()}
        for partition, state in self._log.states_of(self.id).items():
            cursors.setdefault(partition, Cursor(state))
        return {
            At(partition, offset): text
            for partition, cursor in sorted(cursors.items())
            for offset, text in cursor.parked().items()
        }

    def _is_parked(self, at: At) -> bool:
        share = self.shares.get(at.partition)
        return share is not None and share.cursor.is_parked(at.offset)

    async def recall(self, positions: Collection[Position]) -> Sequence[StoredEvent]:
        """Read events again that were set aside in partitions of ours; those gone are settled."""
        found: list[StoredEvent] = []
        for at in sorted(cast(Collection[At], positions)):
            if not self._is_parked(at):
                continue
            portion = (await self._log.read_on({at.partition: at.offset}, 1)).get(at.partition)
            if not self._is_parked(at):
                continue  # others may have been here meanwhile
            event = next((e for e in portion.events if e.position == at), None) if portion else None
            if event is None:
                self.discard([at])
                continue
            self.shares[at.partition].cursor.recall(at.offset)
            found.append(event)
        self._log.touch()
        return found

    def discard(self, positions: Collection[Position]) -> int:
        """Settle events that are set aside."""
        found = [at for at in cast(Collection[At], positions) if self._is_parked(at)]
        for at in found:
            self.shares[at.partition].cursor.done(at.offset)
        self._log.touch()
        return len(found)

    # -- the end -----------------------------------------------------------------------------

    def close(self) -> None:
        """Stop; whoever opens this consumer next is given what is unsettled."""
        if not self._closed:
            self._closed = True
            self._log.left(self, self._log.save(self))
