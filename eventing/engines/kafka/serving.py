"""What the consumers of a log ask of it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from eventing.engines.cursor import CursorState
from eventing.engines.kafka.consumer import KafkaConsumer
from eventing.engines.kafka.ours import OwnPartitions
from eventing.engines.kafka.registry import Registry
from eventing.engines.kafka.share import At
from eventing.engines.kafka.tails import Portion, Tail
from eventing.engines.kafka.tasks import Tasks
from eventing.engines.kafka.topic import KafkaTopic
from eventing.engines.kafka.usage import Usage

log = logging.getLogger(__name__)


class Serving:
    """``left`` is told of a consumer that is closed."""

    def __init__(
        self,
        topic: KafkaTopic,
        registry: Registry,
        ours: OwnPartitions,
        usage: Usage,
        *,
        tasks: Tasks,
        left: Callable[[KafkaConsumer], None],
    ) -> None:
        self._topic = topic
        self._registry = registry
        self._ours = ours
        self._usage = usage
        self._tasks = tasks
        self._left = left

    @property
    def tails(self) -> dict[int, Tail]:
        """Of the partitions that are this process's."""
        return self._ours.tails

    def touch(self) -> None:
        """Note that the next checkpoint has something to do."""
        self._ours.touch()

    async def wait(self) -> None:
        """Wait until something has come, or partitions have changed hands."""
        await self._ours.wait()

    async def read_on(self, places: Mapping[int, int], max_bytes: int) -> dict[int, Portion]:
        """Read from places on, as far as there is something."""
        return await self._topic.read_on(places, max_bytes)

    def states_of(self, consumer_id: str) -> Mapping[int, CursorState]:
        """Return how far a consumer is in each partition, as saved by whomever."""
        return self._registry.states(consumer_id)

    def gone(self, consumer_id: str, partition: int, count: int) -> None:
        """Note that so many events went before a consumer had settled them."""
        self._usage.gone += count
        facts = {"topic": self._topic.name, "consumer": consumer_id, "partition": partition}
        text = "Kafka's retention took events that a consumer had not settled"
        log.warning(text, extra=facts | {"events": count})

    def asked_of(self, consumer_id: str) -> Mapping[At, bool]:
        """Return what is to be recalled (True) or discarded (False), as other processes ask."""
        return self._registry.asked(consumer_id)

    async def ask(self, consumer_id: str, asked: Mapping[At, bool]) -> None:
        """Have those processes whose partitions they are recall or discard events."""
        await self._registry.ask(consumer_id, asked)

    def asks(self, consumer_id: str, asked: Mapping[At, bool | None]) -> None:
        """Do that soon; None: it is done."""
        self._tasks.spawn(self._registry.ask(consumer_id, asked), f"kafka-asks-{consumer_id}")

    def left(self, consumer: KafkaConsumer) -> None:
        """Note that a consumer is closed, and have it leave."""
        self._left(consumer)
