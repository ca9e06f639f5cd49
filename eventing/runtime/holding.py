"""Events of one subscription that nobody takes: they stay in the log, listed, till redriven.

That is what becomes of an event whose dead letter sink fails. While the sink may only be out of
order it is tried again by itself, in long turns; an answer that is final waits for somebody.
Held events use no memory but for their notes.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass

from eventing.engines.event import Position, StoredEvent
from eventing.engines.seam import Consumer
from eventing.runtime.accounting import HeldEvents
from eventing.runtime.config import SubscriptionLimits
from eventing.runtime.delivery import Hop
from eventing.runtime.notes import HeldNote, Progress, is_held, read_note, write_note
from hearth.kube.clock import Clock
from hearth.kube.timers import Timer

log = logging.getLogger(__name__)

_RECALLED_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Held:
    """One event that is held."""

    position: Position
    note: HeldNote


class Holding:
    """``resume`` is given events that are to be tried anew, from the start or where they were.

    ``passing`` is a clock that is never set.
    """

    def __init__(
        self,
        consumer: Consumer,
        *,
        name: str,
        limits: SubscriptionLimits,
        memory: HeldEvents,
        clock: Clock,
        passing: Callable[[], float],
        resume: Callable[[StoredEvent, Progress | None], None],
        counted: Callable[[int], None],
    ) -> None:
        self._consumer = consumer
        self._name = name
        self._limits = limits
        self._memory = memory
        self._clock = clock
        self._passing = passing
        self._resume = resume
        self._counted = counted
        self._count = 0
        self._timer: Timer | None = None
        self._trying: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Go on with what an earlier process held."""
        self._recount()
        if self._count:
            self._wind()

    def hold(self, event: StoredEvent, note: HeldNote) -> bool:
        """Hold an event, unless so many are held that it had better wait in its queue."""
        if self._count >= self._limits.parked_events:
            return False
        self._consumer.park(event, write_note(note))
        self._count += 1
        self._counted(self._count)
        if note.again:
            self._wind()
        return True

    def held(self) -> list[Held]:
        """Return all that is held, oldest first."""
        found = []
        for position, text in self._consumer.parked().items():
            note = read_note(text)
            if isinstance(note, HeldNote):
                found.append(Held(position, note))
        return found

    async def redrive(self, positions: Collection[Position]) -> int:
        """Deliver held events anew, beginning with the subscriber; return how many were held."""
        return await self._recall(positions, from_the_start=True)

    def discard(self, positions: Collection[Position]) -> int:
        """Give held events up; return how many were held."""
        count = self._consumer.discard(positions)
        self._recount()
        return count

    def close(self) -> None:
        """Try nothing again. What is held stays held."""
        if self._timer is not None:
            self._timer.cancel()
        if self._trying is not None:
            self._trying.cancel()

    # -- trying again ------------------------------------------------------------------------

    def _wind(self) -> None:
        if self._timer is None:
            pause = self._limits.dead_letter_pause_seconds
            self._timer = Timer(pause, self._try_again, clock=self._passing)

    def _try_again(self) -> None:
        self._timer = None
        if self._trying is None or self._trying.done():
            self._trying = asyncio.create_task(self._recall_due(), name=f"held-{self._name}")

    async def _recall_due(self) -> None:
        due = [each.position for each in self.held() if each.note.again]
        if not due:
            return
        self._wind()
        try:
            await self._recall(due, from_the_start=False)
        except OSError:
            log.exception("held events cannot be read", extra={"subscription": self._name})

    async def _recall(self, positions: Collection[Position], *, from_the_start: bool) -> int:
        count, parked = 0, self._consumer.parked()
        asked = list(positions)
        for start in range(0, len(asked), _RECALLED_AT_ONCE):
            await self._memory.wait_for_room()
            some = asked[start : start + _RECALLED_AT_ONCE]
            for event in await self._consumer.recall(some):
                self._go_on(event, from_the_start=from_the_start)
            count += sum(position in parked for position in some)
            self._recount()
        return count

    def _go_on(self, event: StoredEvent, *, from_the_start: bool) -> None:
        note = read_note(self._consumer.note_of(event))
        progress = None
        if isinstance(note, HeldNote) and not from_the_start:
            progress = Progress(Hop.DEAD_LETTER, 0, self._clock(), note.failure)
        self._consumer.note(event, write_note(progress) if progress else "")
        self._resume(event, progress)

    def given_again(self, event: StoredEvent) -> None:
        """Note that an event that was held is delivered anew: another process was asked for it."""
        self._consumer.note(event, "")
        self._recount()

    def _recount(self) -> None:
        self._count = sum(map(is_held, self._consumer.parked().values()))
        self._counted(self._count)
