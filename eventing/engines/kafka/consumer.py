"""One process's share of a subscription: what it is given of the partitions that are its own.

Which partitions those are is settled for the log as a whole, so that each record is read once for
all consumers.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol, cast

from eventing.engines.cursor import Cursor, CursorState
from eventing.engines.event import Position, StoredEvent
from eventing.engines.kafka.share import At
from eventing.engines.kafka.taking import Source, Taking

Steps = Mapping[int, tuple[CursorState | None, CursorState]]
"""By partition: what is saved of a consumer, and what is to be."""


class Owner(Source, Protocol):
    """What a consumer needs of its log."""

    def touch(self) -> None:
        """Note that the next checkpoint has something to do."""

    def left(self, consumer: KafkaConsumer) -> None:
        """Note that a consumer is closed, and have it leave."""

    def states_of(self, consumer_id: str) -> Mapping[int, CursorState]:
        """Return how far a consumer is in each partition, as saved by whomever."""

    def asked_of(self, consumer_id: str) -> Mapping[At, bool]:
        """Return what is to be recalled (True) or discarded (False), as other processes ask."""

    async def ask(self, consumer_id: str, asked: Mapping[At, bool]) -> None:
        """Have those processes whose partitions they are recall or discard events."""

    def asks(self, consumer_id: str, asked: Mapping[At, bool | None]) -> None:
        """Do that soon; None: it is done."""


class KafkaConsumer:
    """Positions are partition and offset; what is settled is kept in a ``Cursor`` for each."""

    def __init__(self, owner: Owner, consumer_id: str, generation: int) -> None:
        self.id = consumer_id
        self.generation = generation
        self._log = owner
        self._taking = Taking(owner, consumer_id)
        self._closed = False

    # -- partitions --------------------------------------------------------------------------

    def begin(self, partition: int, state: CursorState) -> None:
        """Take a partition over where the last process left it."""
        self._taking.begin(partition, state)

    def end(self, partition: int) -> None:
        """Let go of a partition."""
        self._taking.end(partition)

    def restart(self, generation: int) -> None:
        """Let go of all: others have moved this consumer."""
        self.generation = generation
        self._taking.restart()

    def is_busy(self, partition: int) -> bool:
        """Whether events are worked on that were not tried yet."""
        cursor = self.cursor(partition)
        return not self._closed and cursor is not None and cursor.is_worked_on

    def cursor(self, partition: int) -> Cursor | None:
        """Return how far it is in a partition of this process."""
        share = self._taking.shares.get(partition)
        return share.cursor if share is not None else None

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
            taken = await self._do_as_asked() or await self._taking.next(max_bytes)
            self._log.touch()
            if taken:
                return taken

    async def _do_as_asked(self) -> list[StoredEvent]:
        """Recall and discard what other processes were asked for; return what is given again."""
        shares, found, done = self._taking.shares, [], []
        for at, is_recalled in self._log.asked_of(self.id).items():
            if at.partition not in shares:
                continue
            if is_recalled and (event := await self._taking.again(*at)) is not None:
                found.append(event)
            elif not is_recalled and self._taking.is_parked(*at):
                shares[at.partition].cursor.done(at.offset)
            done.append(at)
        if done:
            self._log.asks(self.id, dict.fromkeys(done))
        return found

    def settle(self, event: StoredEvent) -> None:
        """Note that an event is not needed again."""
        partition, offset = cast(At, event.position)
        share = self._taking.share(partition)
        if share is not None:
            share.cursor.done(offset)
            self._log.touch()

    def needs(self, event: StoredEvent) -> bool:
        """Whether an event is still to be settled here, as far as this process knows."""
        partition, offset = cast(At, event.position)
        cursor = self.cursor(partition)
        return cursor is not None and (cursor.is_open(offset) or offset >= cursor.next)

    # -- notes and what is set aside ---------------------------------------------------------

    def note(self, event: StoredEvent, text: str) -> None:
        """Keep a text with an unsettled event."""
        partition, offset = cast(At, event.position)
        if (cursor := self.cursor(partition)) is not None:
            cursor.note(offset, text)
            self._log.touch()

    def note_of(self, event: StoredEvent) -> str:
        """Return what is kept with an event."""
        partition, offset = cast(At, event.position)
        cursor = self.cursor(partition)
        return cursor.note_of(offset) if cursor is not None else ""

    def park(self, event: StoredEvent, text: str) -> None:
        """Set an unsettled event aside."""
        partition, offset = cast(At, event.position)
        if (cursor := self.cursor(partition)) is not None:
            cursor.park(offset, text)
            self._log.touch()

    def parked(self) -> Mapping[Position, str]:
        """Return what is set aside, in partitions of others as they have saved it."""
        cursors = {partition: share.cursor for partition, share in self._taking.shares.items()}
        for partition, state in self._log.states_of(self.id).items():
            cursors.setdefault(partition, Cursor(state))
        return {
            At(partition, offset): text
            for partition, cursor in sorted(cursors.items())
            for offset, text in cursor.parked().items()
        }

    def _of_others(self, positions: Collection[Position]) -> list[At]:
        """Those of positions that are set aside in partitions of other processes."""
        others = [at for at in cast(Collection[At], positions) if self.cursor(at.partition) is None]
        parked = self.parked() if others else {}
        return [at for at in others if at in parked]

    async def recall(self, positions: Collection[Position]) -> Sequence[StoredEvent]:
        """Read events again that were set aside; those gone are settled.

        Those in partitions of others are given again there.
        """
        if others := self._of_others(positions):
            await self._log.ask(self.id, dict.fromkeys(others, True))
        again = [await self._taking.again(*at) for at in sorted(cast(Collection[At], positions))]
        self._log.touch()
        return [event for event in again if event is not None]

    def discard(self, positions: Collection[Position]) -> int:
        """Settle events that are set aside, in partitions of others soon."""
        found = [at for at in cast(Collection[At], positions) if self._taking.is_parked(*at)]
        for at in found:
            self._taking.shares[at.partition].cursor.done(at.offset)
        if others := self._of_others(positions):
            self._log.asks(self.id, dict.fromkeys(others, False))
        self._log.touch()
        return len(found) + len(others)

    # -- how far it is -----------------------------------------------------------------------

    def begin_saving(self) -> Steps:
        """Return what has changed."""
        steps = {}
        for partition, share in self._taking.shares.items():
            if share.cursor.changed:
                share.cursor.changed = False
                steps[partition] = share.saved, share.cursor.state()
        return steps

    def end_saving(self, steps: Steps, *, is_saved: bool) -> None:
        """Note what became of it."""
        for partition, (_, now) in steps.items():
            share = self._taking.shares.get(partition)
            if share is not None and is_saved:
                share.saved = now
            elif share is not None:
                share.cursor.changed = True

    def close(self) -> None:
        """Stop; whoever opens this consumer next is given what is unsettled."""
        if not self._closed:
            self._closed = True
            self._log.left(self)
