"""One log: a topic that others may write to as well, and how far its consumers are."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Collection, Sequence
from time import monotonic
from typing import cast

from eventing.engines.event import Position, RenderedEvent
from eventing.engines.kafka import names
from eventing.engines.kafka.appending import Appending
from eventing.engines.kafka.consumer import KafkaConsumer
from eventing.engines.kafka.faults import KafkaFault
from eventing.engines.kafka.members import Member
from eventing.engines.kafka.ours import OwnPartitions
from eventing.engines.kafka.reading import KafkaReading
from eventing.engines.kafka.registry import Keeper, Registry
from eventing.engines.kafka.saving import Saving
from eventing.engines.kafka.serving import Serving
from eventing.engines.kafka.share import At, at_of, text_of
from eventing.engines.kafka.tails import Tail
from eventing.engines.kafka.tasks import Tasks
from eventing.engines.kafka.topic import KafkaTopic
from eventing.engines.kafka.usage import Usage
from eventing.engines.seam import Appended, Begin, Listener, LogStats, Refused, Standing, Start

log = logging.getLogger(__name__)

_PAUSE_SECONDS = 0.01


class KafkaLog:
    """Use on the event loop only."""

    def __init__(
        self, topic: KafkaTopic, keeper: Keeper, verify: Callable[[], Awaitable[object]]
    ) -> None:
        """``verify`` has consumers begin anew where the topic is another one than before."""
        self.topic = topic.name
        self.member: Member | None = None
        self._limits = topic.client.limits
        self._topic = topic
        self._registry = Registry(keeper, topic.name)
        self._consumers: dict[str, KafkaConsumer] = {}
        self._tasks = Tasks()
        self._usage = Usage()
        self._saving = Saving(topic, self._registry, self._consumers, self._usage)
        self._ours = OwnPartitions(
            topic,
            self._registry,
            self._consumers.values(),
            save=self._saving.save,
            spawn=self._tasks.spawn,
            failed=self._failed,
            verify=verify,
        )
        self._serving = Serving(
            topic,
            self._registry,
            self._ours,
            self._usage,
            tasks=self._tasks,
            left=self._left,
        )
        self._appending = Appending(topic.client, topic.name, self._usage, self._failed)
        self._saved_at = 0.0
        self._problem = ""
        self._closed = False

    # -- events ------------------------------------------------------------------------------

    def append(self, events: Sequence[RenderedEvent], done: Appended, *, own: bool = False) -> None:
        """Write all of the events, or raise Refused."""
        if self._closed:
            raise Refused("the broker has no connection to Kafka")
        self._ours.touched = True
        self._appending.append(events, done, own=own)

    def listen(self, listener: Listener) -> None:
        """Nobody is told of the tail: whoever wants events fetches them."""

    @property
    def tells_tail(self) -> bool:
        """Others write as well: consumers fetch."""
        return False

    @property
    def tails(self) -> dict[int, Tail]:
        """Of the partitions that are this process's."""
        return self._ours.tails

    async def look(self, begin: Begin) -> KafkaReading:
        """Read without being a consumer."""
        return await self._topic.look(begin)

    def position_text(self, position: Position) -> str:
        """Positions are partition and offset."""
        return text_of(cast(At, position))

    def position_of(self, text: str) -> Position:
        """Return the position that a text means."""
        return at_of(text)

    def _failed(self, fault: KafkaFault | None) -> None:
        """Say what went wrong; what somebody has to mend is a problem until it goes again."""
        if fault is None:
            self._problem = ""
            return
        log.warning("a topic fails", extra={"topic": self.topic, "error": str(fault)})
        if fault.is_to_mend:
            self._problem = str(fault)

    # -- consumers ---------------------------------------------------------------------------

    async def consumers(self) -> Collection[str]:
        """Return the ids of all consumers."""
        await self._registry.sync()
        return list(self._registry.known())

    def part_of(self, position: Position) -> int:
        """Return the partition."""
        return cast(At, position).partition

    async def consume(
        self, consumer_id: str, start: Begin = Start.LATEST, *, ordered: bool = False
    ) -> KafkaConsumer:
        """Open a consumer where it stopped, or a new one at ``start``."""
        await self._tasks.passed()
        await self._registry.sync()
        known = self._registry.known().get(consumer_id)
        if known is None:
            known = await self._registry.make(consumer_id, await self._topic.places(start))
        consumer = KafkaConsumer(self._serving, consumer_id, known.generation)
        self._consumers[consumer_id] = consumer
        self._usage.lags.setdefault(consumer_id, 0)
        self._ours.begin(consumer)
        if self.member is None:
            client = self._topic.client
            group = names.members_group(client.server.prefix, self.topic)
            self.member = Member(client, self.topic, self._ours, group)
            self.member.start()
        self._ours.touched = True
        return consumer

    def moved(self) -> None:
        """Have consumers begin anew that others have moved, and do what others ask of them."""
        known = self._registry.known()
        for consumer in self._consumers.values():
            now = known.get(consumer.id)
            if now is not None and now.generation > consumer.generation:
                consumer.restart(now.generation)
                self._ours.begin(consumer)
                self._ours.wake()
            if self._registry.asked(consumer.id):
                self._ours.wake()

    async def seek(self, consumer_id: str, begin: Begin) -> None:
        """Have a closed consumer begin elsewhere: its next generation does."""
        await self._tasks.passed()
        places = await self._topic.places(begin)
        await self._registry.sync()
        await self._registry.move(consumer_id, places)
        self._ours.touched = True

    async def standing(self, consumer_id: str) -> Standing:
        """Return how far a consumer is, as it was saved."""
        await self._tasks.passed()
        await self._registry.sync()
        return self._registry.standing(consumer_id, await self._topic.ends())

    async def place(self, consumer_id: str, standing: Standing) -> None:
        """Make or replace a consumer that is closed."""
        await self._tasks.passed()
        await self._registry.sync()
        await self._registry.place(consumer_id, standing, await self._topic.ends())
        self._ours.touched = True

    async def forget(self, consumer_id: str) -> None:
        """Remove a consumer and its state."""
        await self._tasks.passed()
        await self._registry.sync()
        if consumer_id in self._registry.known():
            await self._registry.replace(consumer_id, None)
            self._ours.touched = True

    def _left(self, consumer: KafkaConsumer) -> None:
        if not self._closed:
            self._tasks.spawn(self._leave(consumer), f"leaving-{consumer.id}")

    async def _leave(self, consumer: KafkaConsumer) -> None:
        with contextlib.suppress(KafkaFault):  # what is not known to be settled comes again
            await self._saving.save(consumer)
        if self._consumers.get(consumer.id) is consumer:
            del self._consumers[consumer.id]
        if not self._consumers and self.member is not None:
            member, self.member = self.member, None
            await member.close()

    # -- how far they are --------------------------------------------------------------------

    async def checkpoint(self) -> None:
        """Save how far consumers are; now and then look how much is unsettled."""
        now = monotonic()
        if not self._ours.touched or now - self._saved_at < self._limits.save_seconds:
            return
        self._saved_at, self._ours.touched = now, False
        try:
            for consumer in list(self._consumers.values()):
                await self._saving.save(consumer)
            await self._saving.look()
        except KafkaFault as fault:
            self._ours.touched = True
            facts = {"topic": self.topic, "error": str(fault)}
            log.warning("how far consumers are cannot be saved", extra=facts)

    @property
    def has_released(self) -> bool:
        """Whether Kafka has let go of events."""
        return any(self._usage.begins.values())

    def lag(self, consumer_id: str) -> int | None:
        """Return what was counted last."""
        return self._usage.lags.get(consumer_id) if self._usage.ends else None

    async def answered(self) -> None:
        """Return when Kafka has answered for all."""
        while self._usage.pending_bytes:  # noqa: ASYNC110  # once in the life of a log
            await asyncio.sleep(_PAUSE_SECONDS)

    def spare(self, *, kept: bool) -> None:
        """What nobody needs goes when the topic's own settings say so."""

    def stats(self) -> LogStats:
        """Return the log's state, as last seen; bytes are estimated."""
        return self._usage.stats(self._problem)

    # -- the end -----------------------------------------------------------------------------

    def abort(self) -> None:
        """As if the process had been killed."""
        self._ours.leaving = self._ours.ended = self._closed = True
        if self.member is not None:
            self.member.stop()

    async def close(self) -> None:
        """Let consumers leave."""
        self._ours.leaving = True
        for consumer in list(self._consumers.values()):
            consumer.close()
        if not self._closed:
            await self._tasks.ended()
        self._ours.ended = self._closed = True
        if self.member is not None:
            await self.member.close()
        await self._tasks.ended()
