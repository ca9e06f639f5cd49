"""Gathers the replies of a Parallel's branches, and sends them on as one event.

Parts come into the log of a channel of their own, and the joined event goes into the same log,
where whoever is subscribed gets it. So all there is to keep is kept with the log: a part is settled
once its joined event is durable. After a restart, parts that are not settled are given again, and
joined events in the log say which joins are done. Parts beyond what memory may hold are set aside
in the log, and read again when their join is complete; beyond a number of them no more are taken,
and wait in the log.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from eventing.api.joins import JoinOptions
from eventing.engines.event import Position, RenderedEvent, StoredEvent
from eventing.engines.seam import Consumer, EventLog, StartTime
from eventing.filters import EVERYTHING
from eventing.runtime.accounting import MemoryBudget
from eventing.runtime.joins.composing import TYPE
from eventing.runtime.joins.joined import joined_of
from eventing.runtime.joins.memory import PartsMemory
from eventing.runtime.joins.parts import MARK, read_part, token_of
from eventing.runtime.joins.table import Gathered, JoinTable, Verdict
from eventing.runtime.metrics import JoinCounters
from eventing.runtime.observer import DeliveryObserver
from eventing.runtime.places import Place
from eventing.runtime.policy import DeliveryPolicy
from eventing.runtime.reader import Reader
from eventing.runtime.replies import LogReplies
from eventing.runtime.sharing import Share
from eventing.runtime.spec import SubscriptionSpec
from hearth.kube.clock import Clock
from hearth.kube.timers import Timer

log = logging.getLogger(__name__)

CONSUMER = "join"
_PAUSE_SECONDS = 1.0


def _nothing() -> None:
    """Nobody waits."""


def _whether_behind(is_behind: bool) -> None:
    """Parts are put together, and not sent to a subscriber."""


@dataclass(frozen=True, slots=True)
class JoinServices:
    """What a joiner needs of its process."""

    budget: MemoryBudget
    clock: Clock
    counters: JoinCounters
    share: Share = field(default_factory=Share)


class Joiner:
    """The join of one Parallel, over the log of the channel where its parts come in."""

    def __init__(
        self,
        place: Place,
        options: JoinOptions,
        consumer: Consumer,
        events: EventLog,
        *,
        services: JoinServices,
        replies: LogReplies,
        observer: DeliveryObserver | None,
    ) -> None:
        self.options = options
        self.spec = SubscriptionSpec(
            uid=CONSUMER,
            namespace=place.namespace,
            name=place.name,
            filter=EVERYTHING,
            policy=DeliveryPolicy(),
            target=None,
            kind="join",
        )
        """Stands for the join where it is told what became of an event."""
        self.observer = observer
        self._consumer = consumer
        self._log = events
        self._clock = services.clock
        self._counters = services.counters
        self._limits = services.budget.limits
        self._replies = replies
        self._table = JoinTable(options.branches, options.timeout_seconds)
        self._memory = PartsMemory(services.budget, self._table)
        self._parts: dict[Position, StoredEvent] = {}
        self._recalling = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: Timer | None = None
        self._timer_at = 0.0
        self._closed = self._knows_done = False
        self._reader = Reader(
            consumer,
            self._memory,
            name=self.spec.label,
            matches=self.wants,
            take=self._take,
            before=self._look_back,
            behind=_whether_behind,
            share=services.share,
        )

    @staticmethod
    def wants(event: RenderedEvent) -> bool:
        """Whether an event is a part of a join."""
        return MARK in event.attributes

    def start(self) -> None:
        """Go on with what an earlier process had, then with what comes."""
        self._reader.start()

    def route(self, events: Sequence[StoredEvent]) -> None:
        """Take what came into the log."""
        for event in events:
            if self.wants(event) and self._reader.live:
                if self._memory.is_over:
                    self._reader.fall_back(event)
                else:
                    self._consumer.claim(event)
                    self._take(event)

    @property
    def waiting(self) -> int:
        """Joins that are under way."""
        return len(self._table)

    # -- parts -------------------------------------------------------------------------------

    def _take(self, event: StoredEvent) -> None:
        value = event.attributes[MARK]
        verdict = self._judge(value, event.position, event.arrival_ns / 1e9)
        if verdict is Verdict.UNWANTED:
            self._counters.unwanted += 1
            self._consumer.settle(event)
            return
        if self._memory.is_full:
            self._consumer.park(event, f"{event.arrival_ns}/{value}")
        else:
            self._memory.add(event)
            self._parts[event.position] = event
        if verdict is Verdict.COMPLETE:
            self._send(token_of(value))
        else:
            self._wind()
        self._counters.waiting = len(self._table)

    def _judge(self, value: str, position: Position, arrival: float) -> Verdict:
        try:
            part = read_part(value)
            if part is None:
                return self._table.add_event(value, position, arrival)
            return self._table.add(part, position, arrival)
        except ValueError:
            return Verdict.UNWANTED

    async def _look_back(self) -> None:
        """Know what was done, and what was set aside, before."""
        if self._knows_done:
            return
        since = self._clock() - self._limits.join_memory_seconds - self.options.timeout_seconds
        reading = await self._log.look(StartTime(int(since * 1e9)))
        while events := await reading.fetch(self._memory.fetch_bytes):
            for event in events:
                given = event.attributes
                if given.get("type") == TYPE and given.get("source") == self.options.source:
                    self._remember(given["id"])
        self._knows_done = True
        for position, note in self._consumer.parked().items():
            arrival, _, value = note.partition("/")
            verdict = self._judge(value, position, int(arrival) / 1e9)
            if verdict is Verdict.UNWANTED:
                self._consumer.discard([position])
            elif verdict is Verdict.COMPLETE:
                self._send(token_of(value))
        self._wind()

    def _remember(self, token: str) -> None:
        try:
            self._table.done(token)
        except ValueError:
            log.info("a joined event that is not ours", extra={"id": token})

    # -- sending on --------------------------------------------------------------------------

    def _wind(self) -> None:
        """Look again when the next time limit is over."""
        due = self._table.next_due()
        if due is None or self._closed or (self._timer is not None and self._timer_at <= due):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = due
        wait = max(0.0, due - self._clock())
        self._timer = Timer(wait, self.look)

    def look(self) -> None:
        """Send on what is not waited for any longer. Called when a time limit is over."""
        self._timer = None
        over, lost = self._table.due(self._clock())
        for token in over:
            self._send(token)
        for token in lost:
            self._counters.lost += 1
            gathered = self._table.take(token)
            self._memory.sending += gathered.size
            self._settle(gathered)
        self._wind()

    def _send(self, token: str) -> None:
        """Send a join on: at once where all of it is in memory."""
        gathered = self._table.take(token)
        self._memory.sending += gathered.size
        missing = [each for each in gathered.positions() if each not in self._parts]
        if not missing:
            self._sent_on(gathered, {}, _nothing)
            return
        task = asyncio.create_task(self._recalled(gathered, missing), name=f"join-{token}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _recalled(self, gathered: Gathered, missing: Collection[Position]) -> None:
        """Read what was set aside; what is damaged is as if it had not come.

        One join after the other: memory is short where something was set aside.
        """
        async with self._recalling:
            while True:
                try:
                    found = await self._consumer.recall(missing)
                    break
                except Exception:
                    log.exception("parts of a join cannot be read", extra={"join": self.spec.label})
                    await asyncio.sleep(_PAUSE_SECONDS)
            is_sent = asyncio.Event()
            self._sent_on(gathered, {event.position: event for event in found}, is_sent.set)
            await is_sent.wait()

    def _sent_on(
        self,
        gathered: Gathered,
        recalled: dict[Position, StoredEvent],
        sent: Callable[[], None],
    ) -> None:
        def read(position: Position) -> StoredEvent | None:
            return self._parts.get(position) or recalled.get(position)

        original, rendered = joined_of(
            gathered,
            self.options,
            read,
            arrival_ns=int(self._clock() * 1e9),
            most_bytes=self._limits.joined_bytes,
        )
        if self.observer is not None and original is not None:
            self.observer.replied(self.spec, original, rendered, "")
        for position, event in recalled.items():
            self._memory.add(event)
            self._parts[position] = event

        def stored() -> None:
            if gathered.is_whole:
                self._counters.whole += 1
            else:
                self._counters.partial += 1
            self._settle(gathered)
            sent()

        self._replies.append([rendered], stored)

    def _settle(self, gathered: Gathered) -> None:
        """Its event is durable: the parts are not needed any more."""
        if self._closed:
            return
        for position in gathered.positions():
            event = self._parts.pop(position, None)
            if event is None:
                self._consumer.discard([position])
            else:
                self._consumer.settle(event)
                self._memory.remove(event)
        self._memory.has_gone(gathered.size)
        self._counters.waiting = len(self._table)

    def close(self) -> None:
        """Stop; what is not sent on is gathered by whoever opens the log next."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        for task in self._tasks:
            task.cancel()
        self._reader.close()
        self._memory.clear()
        self._parts.clear()
