"""The partitions that are this process's, and the newest of what they hold."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Collection, Coroutine, Sequence
from typing import Any

from eventing.engines.kafka.consumer import KafkaConsumer
from eventing.engines.kafka.consuming import Read
from eventing.engines.kafka.faults import KafkaFault
from eventing.engines.kafka.reading import event_at
from eventing.engines.kafka.registry import Registry
from eventing.engines.kafka.share import At
from eventing.engines.kafka.tails import Tail
from eventing.engines.kafka.topic import KafkaTopic
from hearth.timeouts import time_limit

log = logging.getLogger(__name__)

_AGAIN_SECONDS = 1


class OwnPartitions:
    """What a ``Member`` of the log's group is told. Use on the event loop."""

    def __init__(
        self,
        topic: KafkaTopic,
        registry: Registry,
        consumers: Collection[KafkaConsumer],
        *,
        save: Callable[[KafkaConsumer], Awaitable[None]],
        spawn: Callable[[Coroutine[Any, Any, None], str], None],
        failed: Callable[[KafkaFault | None], None],
        verify: Callable[[], Awaitable[object]],
    ) -> None:
        """``failed`` is told what went wrong with reading, and None when it goes again.

        ``verify`` has it known how far consumers are, in the topic that is there now.
        """
        self.tails = dict[int, Tail]()
        self.touched = True
        """Whether the next checkpoint has something to do."""
        self.leaving = self.ended = False
        """Whether nothing new is begun; whether nothing is saved any more."""
        self._topic = topic
        self._registry = registry
        self._consumers = consumers
        self._save = save
        self._spawn = spawn
        self._failed = failed
        self._verify = verify
        self._changed = asyncio.Event()
        self._arrived = asyncio.Event()

    def touch(self) -> None:
        """Note that the next checkpoint has something to do."""
        self.touched = True
        self._changed.set()

    def wake(self) -> None:
        """Have consumers look whether there is something for them."""
        self._arrived.set()
        self._arrived = asyncio.Event()

    async def wait(self) -> None:
        """Wait until something has come."""
        await self._arrived.wait()

    # -- partitions come and go --------------------------------------------------------------

    def assigned(self, partitions: Sequence[int]) -> None:
        """Know the partitions; consumers begin in them once it is known how far they are."""
        self._failed(None)
        self._topic.partitions = sorted({*self._topic.partitions, *partitions})
        room = self._topic.client.limits.tail_bytes // max(1, len(self._topic.partitions))
        for partition in partitions:
            self.tails[partition] = Tail(room)
        self._spawn(self._begin(partitions), "kafka-begin")

    async def _begin(self, partitions: Sequence[int]) -> None:
        try:
            await self._verify()
        except KafkaFault as fault:
            if not self.leaving:
                facts = {"topic": self._topic.name, "error": str(fault)}
                log.warning("partitions wait", extra=facts)
                await asyncio.sleep(_AGAIN_SECONDS)
                self._spawn(self._begin(partitions), "kafka-begin")
            return
        for consumer in list(self._consumers):
            self.begin(consumer, partitions)
        self.wake()

    def begin(self, consumer: KafkaConsumer, partitions: Collection[int] | None = None) -> None:
        """Have a consumer begin where it is in those partitions that are ours."""
        for partition in self.tails if partitions is None else partitions:
            if partition in self.tails:
                consumer.begin(partition, self._registry.state(consumer.id, partition))

    async def revoked(self, partitions: Sequence[int], *, lost: bool) -> None:
        """Save how far consumers are, and let go."""
        for partition in partitions:
            self.tails.pop(partition, None)
        if not lost and not self.ended:
            await self._work_off(partitions)
            for consumer in list(self._consumers):
                await self._save(consumer)
        for consumer in list(self._consumers):
            for partition in partitions:
                consumer.end(partition)

    async def _work_off(self, partitions: Sequence[int]) -> None:
        """Wait for a moment: what is settled before others have it does not come twice."""

        def is_busy() -> bool:
            return any(each.is_busy(part) for each in self._consumers for part in partitions)

        with contextlib.suppress(TimeoutError):
            async with time_limit(self._topic.client.limits.answer_seconds / 2):
                while is_busy():
                    self._changed.clear()
                    await self._changed.wait()

    # -- what they say -----------------------------------------------------------------------

    def heard(self, reads: Sequence[Read]) -> None:
        """Take in what came at the ends of our partitions."""
        if reads:
            self._failed(None)
        for partition, offset, record in reads:
            tail = self.tails.get(partition)
            if tail is None or (tail.end is not None and offset < tail.end):
                continue
            if record is None:
                tail.reach(offset)
            else:
                tail.add(offset, event_at(record, At(partition, offset)))
        self.touched = True
        self.wake()

    def failed(self, fault: KafkaFault) -> None:
        """Tell that something cannot be read."""
        self._failed(fault)
