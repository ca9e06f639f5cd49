"""Delivers events of a log once more to one subscription, beside its own way through the log.

A replay is a consumer of its own, which holds its events back while it runs, and leaves nothing
behind. The subscription's cursor, its retries and what it holds are not touched; what follows a
delivery (retries, replies, dead letters) is as for any event, and journeys say which replay it
was. It ends with the process: what is not delivered then is not delivered.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, replace

from eventing.engines.event import StoredEvent
from eventing.engines.seam import Begin, Consumer, EventLog
from eventing.runtime.accounting import HeldEvents
from eventing.runtime.dispatcher import Dispatcher
from eventing.runtime.enriching import enriched
from eventing.runtime.metrics import EndpointCounters
from eventing.runtime.observer import DeliveryObserver
from eventing.runtime.replies import LogReplies
from eventing.runtime.services import Services
from eventing.runtime.spec import SubscriptionSpec

log = logging.getLogger(__name__)

CONSUMER_PREFIX = "replay:"
_PORTION_BYTES = 512 * 1024


@dataclass(frozen=True, slots=True)
class Counted:
    """What there is to replay."""

    events: int
    """Events from where it begins up to now."""
    matching: int
    """Of these, those that the subscription wants; no more than were asked for."""


async def count(events: EventLog, begin: Begin, spec: SubscriptionSpec, most: int) -> Counted:
    """Count what a replay would deliver, up to so many that match."""
    reading, matches = await events.look(begin), spec.filter.matches
    seen = matching = 0
    while matching < most and (found := await reading.fetch(_PORTION_BYTES)):
        for event in found:
            seen += 1
            matching += matches(event.attributes)
            if matching == most:
                break
    return Counted(seen, matching)


class Replay:
    """``run`` delivers; the rest says how far it is."""

    def __init__(
        self,
        replay_id: str,
        spec: SubscriptionSpec,
        *,
        services: Services,
        replies: LogReplies,
        observer: DeliveryObserver | None,
    ) -> None:
        # Whatever its events asked to wait for: they are asked for now.
        spec = replace(spec, options=replace(spec.options, time_attribute=""))
        self.id = replay_id
        self.spec = spec
        self.counted = Counted(0, 0)
        self.error = ""
        """Why it ended early."""
        self._counters = EndpointCounters()
        self._memory = HeldEvents(services.budget)
        self._settled = 0
        self._all_settled = asyncio.Event()
        self._is_counted = asyncio.Event()
        self._consumer: Consumer | None = None
        self._dispatcher = Dispatcher(
            spec,
            services=services,
            counters=self._counters,
            replies=replies,
            settled=self._settle,
            observer=observer,
        )
        self._dispatcher.behind(True)
        self.task: asyncio.Task[None] | None = None

    @property
    def consumer_id(self) -> str:
        """What its consumer is called in the log."""
        return CONSUMER_PREFIX + self.id

    @property
    def settled(self) -> int:
        """Events that are done with."""
        return self._settled

    @property
    def dead_lettered(self) -> int:
        """Of these, those that a dead letter sink took."""
        return self._counters.dead_lettered

    @property
    def dropped(self) -> int:
        """Of these, those that nobody took."""
        return self._counters.dropped

    @property
    def running(self) -> bool:
        """Whether it goes on."""
        return self.task is not None and not self.task.done()

    async def counting(self) -> Counted:
        """Return what there is to replay as soon as that is known."""
        await self._is_counted.wait()
        return self.counted

    def start(self, events: EventLog, begin: Begin, most: int) -> None:
        """Run in a task."""
        self.task = asyncio.create_task(self._guarded(events, begin, most), name=self.consumer_id)

    def stop(self) -> None:
        """End it now."""
        if self.task is not None:
            self.task.cancel()

    async def _guarded(self, events: EventLog, begin: Begin, most: int) -> None:
        try:
            await self._run(events, begin, most)
        except asyncio.CancelledError:
            self.error = "it was stopped"
            raise
        except Exception as error:
            self.error = str(error)
            log.exception("a replay failed", extra={"replay": self.id})
        finally:
            self._is_counted.set()

    async def _run(self, events: EventLog, begin: Begin, most: int) -> None:
        consumer = self._consumer = await events.consume(self.consumer_id, begin)
        try:
            self.counted = await count(events, begin, self.spec, most)
            self._is_counted.set()
            await self._deliver(consumer)
        finally:
            self._dispatcher.close()
            self._memory.clear()
            consumer.close()
            await asyncio.shield(events.forget(self.consumer_id))

    async def _deliver(self, consumer: Consumer) -> None:
        left = self.counted.events
        while left:
            await self._memory.wait_for_room()
            found = await consumer.fetch(self._memory.fetch_bytes)
            if not found:
                break  # what was counted is damaged
            for event in found:
                if left and self.spec.filter.matches(event.attributes):
                    if self.spec.options.enrich is not None:
                        event = enriched(event, self.spec.options.enrich)
                    self._memory.add(event)
                    self._dispatcher.add(event)
                else:
                    consumer.settle(event)
                left -= left > 0
        while self._memory.events:
            self._all_settled.clear()
            await self._all_settled.wait()

    def _settle(self, event: StoredEvent) -> None:
        self._settled += 1
        self._memory.remove(event)
        if self._consumer is not None:
            self._consumer.settle(event)
        if not self._memory.events:
            self._all_settled.set()
