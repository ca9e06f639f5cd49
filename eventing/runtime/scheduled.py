"""Events of one subscription that wait for a time of their own: set aside in the log till then.

They use no memory but for when they are due, and stand in nobody's way. Whoever opens the
consumer next knows them by their notes.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
from collections.abc import Callable

from eventing.engines.event import Position, StoredEvent
from eventing.engines.seam import Consumer
from eventing.runtime.accounting import HeldEvents
from eventing.runtime.config import SubscriptionLimits
from eventing.runtime.notes import Waiting, read_note, write_note
from hearth.kube.clock import Clock
from hearth.kube.timers import Timer, pause

log = logging.getLogger(__name__)

_RECALLED_AT_ONCE = 100
_LOOK_SECONDS = 60.0
"""The clock is looked at so often, in case that it is set."""
_PAUSE_SECONDS = 1.0
"""After the log could not be read."""


class Scheduled:
    """``resume`` is given each event when its time has come; ``passing`` is never set."""

    def __init__(
        self,
        consumer: Consumer,
        *,
        name: str,
        limits: SubscriptionLimits,
        memory: HeldEvents,
        clock: Clock,
        passing: Callable[[], float],
        resume: Callable[[StoredEvent], None],
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
        self._waiting: dict[Position, float] = {}
        self._order: list[tuple[float, int, Position]] = []
        self._number = 0
        self._timer: Timer | None = None
        self._wakes_at = 0.0
        self._recalling: asyncio.Task[None] | None = None
        self._is_closed = False

    def start(self) -> None:
        """Go on with what an earlier process set aside."""
        for position, text in self._consumer.parked().items():
            note = read_note(text)
            if isinstance(note, Waiting):
                self._add(position, note.due)
        self._count()
        self._wind()

    def wait(self, event: StoredEvent, due: float) -> bool:
        """Set an unsettled event aside, unless so many wait that it had better wait in memory.

        ``due`` in seconds since 1970.
        """
        if len(self._waiting) >= self._limits.waiting_events:
            return False
        self._consumer.park(event, write_note(Waiting(due)))
        self._add(event.position, due)
        self._count()
        self._wind()
        return True

    def __bool__(self) -> bool:
        """Whether any event is set aside here."""
        return bool(self._waiting)

    def waits(self, position: Position) -> bool:
        """Whether an event is set aside here."""
        return position in self._waiting

    def let_go(self) -> None:
        """Have all events come now: what they waited for counts no more."""
        self._order.clear()
        for position in self._waiting:
            self._add(position, 0.0)
        self._wind()

    def close(self) -> None:
        """Have none come any more; they wait on in the log."""
        self._is_closed = True
        if self._timer is not None:
            self._timer.cancel()
        if self._recalling is not None:
            self._recalling.cancel()

    # -- when they are due ---------------------------------------------------------------------

    def _add(self, position: Position, due: float) -> None:
        self._number += 1
        self._waiting[position] = due
        heapq.heappush(self._order, (due, self._number, position))

    def _count(self) -> None:
        self._counted(len(self._waiting))

    def _wind(self) -> None:
        """See to it that somebody looks when the first one is due."""
        if not self._order or self._is_closed:
            return
        due = self._order[0][0]
        if self._timer is not None:
            if self._wakes_at <= due:
                return
            self._timer.cancel()
        wait = min(max(due - self._clock(), 0.0), _LOOK_SECONDS)
        self._wakes_at = self._clock() + wait
        self._timer = Timer(wait, self._look, clock=self._passing)

    def _look(self) -> None:
        self._timer = None
        if self._recalling is None or self._recalling.done():
            self._recalling = asyncio.create_task(self._recall_due(), name=f"due-{self._name}")

    async def _recall_due(self) -> None:
        while due := self._due():
            try:
                await self._memory.wait_for_room()
                recalled = await self._consumer.recall(due)
            except OSError:
                log.exception("due events cannot be read", extra={"subscription": self._name})
                for position in due:
                    self._add(position, self._waiting[position])
                await pause(_PAUSE_SECONDS, clock=self._passing)
                continue
            for position in due:
                self._waiting.pop(position, None)
            self._count()
            for event in recalled:
                self._consumer.note(event, "")
                self._resume(event)
        self._wind()

    def _due(self) -> list[Position]:
        """Some of those that are due, in the order of their times; they wait till they are read."""
        now, order = self._clock(), self._order
        found: list[Position] = []
        while order and order[0][0] <= now and len(found) < _RECALLED_AT_ONCE:
            due, _, position = heapq.heappop(order)
            if self._waiting.get(position) == due:  # else another entry counts, or none
                found.append(position)
        return found
