"""Saves how far consumers are, and looks how far behind that is."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from eventing.engines.kafka.consumer import KafkaConsumer
from eventing.engines.kafka.faults import KafkaFault
from eventing.engines.kafka.registry import Registry
from eventing.engines.kafka.topic import KafkaTopic
from eventing.engines.kafka.usage import Usage


class Saving:
    """Of one log, for the ``consumers`` that are open here, by their ids."""

    def __init__(
        self,
        topic: KafkaTopic,
        registry: Registry,
        consumers: Mapping[str, KafkaConsumer],
        usage: Usage,
    ) -> None:
        self._topic = topic
        self._registry = registry
        self._consumers = consumers
        self._usage = usage
        self._one_by_one = asyncio.Lock()

    async def save(self, consumer: KafkaConsumer) -> None:
        """Save how far a consumer is; raise KafkaFault."""
        async with self._one_by_one:
            steps = consumer.begin_saving()
            try:
                await self._registry.save(consumer.id, consumer.generation, steps)
            except KafkaFault:
                consumer.end_saving(steps, is_saved=False)
                raise
            consumer.end_saving(steps, is_saved=True)

    async def look(self) -> None:
        """See how much there is, and how much of it each consumer has not settled."""
        seen_bytes = self._usage.unseen_bytes
        ends, begins = await self._topic.ends(), await self._topic.begins()
        lags = {each: self._lag(each, ends) for each in self._registry.known()}
        self._usage.looked(begins, ends, lags, seen_bytes)

    def _lag(self, consumer_id: str, ends: Mapping[int, int]) -> int:
        """How many events a consumer has not settled, in partitions of others as they saved it."""
        consumer = self._consumers.get(consumer_id)
        count = 0
        for partition, end in ends.items():
            cursor = consumer.cursor(partition) if consumer is not None else None
            if cursor is not None:
                count += max(0, end - cursor.next) + cursor.pending
            else:
                state = self._registry.state(consumer_id, partition)
                count += max(0, end - state.next) + len(state.open)
        return count
