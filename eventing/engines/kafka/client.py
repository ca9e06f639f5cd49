"""One process's way to Kafka: a producer, and questions about topics and groups."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Collection, Mapping
from concurrent.futures import Future
from typing import Any, TypeVar

from confluent_kafka import KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic, OffsetSpec, TopicDescription

from eventing.engines.kafka.config import KafkaLimits, KafkaServer
from eventing.engines.kafka.faults import UNKNOWN_TOPIC, KafkaFault, fault_of
from eventing.engines.kafka.messages import Record
from eventing.engines.kafka.producing import Answered, Producing, producer_of
from hearth.timeouts import time_limit

T = TypeVar("T")
Source = Callable[[], Awaitable[KafkaServer]]
"""Returns where Kafka is; asked when the engine is first used."""

_GONE_POLL_SECONDS = 0.05


class Client:
    """Use on one event loop. ``connect`` before all else."""

    def __init__(self, server: KafkaServer | Source, limits: KafkaLimits) -> None:
        self._source = None if isinstance(server, KafkaServer) else server
        self.server = server if isinstance(server, KafkaServer) else KafkaServer()
        self.limits = limits
        self.loop: asyncio.AbstractEventLoop
        self._producing: Producing | None = None
        self._admin: AdminClient | None = None
        self._closed = False
        self._connecting = asyncio.Lock()
        self._problem = ""
        self._options = {"request_timeout": limits.answer_seconds}

    # -- connecting --------------------------------------------------------------------------

    async def connect(self) -> None:
        """Find Kafka, if that was not done yet; raise Unavailable where it is not there."""
        async with self._connecting:
            if self._closed:
                raise KafkaFault("the connection is closed")
            if self._producing is None:
                await self._connect()

    async def _connect(self) -> None:
        self.loop = asyncio.get_running_loop()
        if self._source is not None:
            self.server = await self._source()
        try:
            producer = self._new_producer()
            asking: dict[str, Any] = {**self.server.common(), "error_cb": self._heard_error}
            admin = AdminClient(asking)
            await asyncio.to_thread(producer.list_topics, "", self.limits.answer_seconds)
        except (KafkaException, ValueError) as error:
            why = self._problem or str(error)
            raise KafkaFault(f"Kafka at {self.server.bootstrap}: {why}") from error
        self._admin = admin
        self._producing = Producing(producer, self._new_producer)

    async def asked_again(self) -> KafkaServer:
        """Return what is said now of where Kafka is, and of topics."""
        return self.server if self._source is None else await self._source()

    def _new_producer(self) -> Any:
        return producer_of(self.server, self.limits.answer_seconds, self._heard_error)

    def _heard_error(self, error: KafkaError) -> None:
        self._problem = error.str()

    @property
    def problem(self) -> str:
        """What librdkafka last said of the connection."""
        return self._problem

    # -- producing ---------------------------------------------------------------------------

    def produce(self, topic: str, record: Record, answered: Answered) -> None:
        """Write a record; raise BufferError where too many wait. Its order is that of calls."""
        assert self._producing is not None, "connect() comes first"
        self._producing.produce(topic, record, answered)

    async def write(self, topic: str, records: Collection[Record]) -> None:
        """Write records and wait until all are durable; raise KafkaFault."""
        assert self._producing is not None, "connect() comes first"
        await self._producing.write(topic, records)

    # -- questions ---------------------------------------------------------------------------

    async def _ask(self, what: str, futures: Mapping[Any, Future[T]]) -> dict[Any, T]:
        found = {}
        for of, future in futures.items():
            try:
                async with time_limit(self.limits.answer_seconds + 1):
                    found[of] = await asyncio.wrap_future(future)
            except KafkaException as error:
                raise fault_of(error.args[0], what) from error
            except TimeoutError as error:
                raise KafkaFault(f"{what}: {self._problem or 'Kafka does not answer'}") from error
        return found

    @property
    def _asked(self) -> AdminClient:
        assert self._admin is not None, "connect() comes first"
        return self._admin

    async def ensure_topic(self, topic: NewTopic) -> None:
        """Make a topic where there is none."""
        made = self._asked.create_topics([topic], **self._options)
        try:
            await self._ask(f"topic {topic.topic} cannot be made", made)
        except KafkaFault as fault:
            if fault.code != KafkaError.TOPIC_ALREADY_EXISTS:
                raise

    async def drop_topic(self, topic: str) -> None:
        """Remove a topic, if it is there, and wait until Kafka has.

        One that is made anew meanwhile would be taken for this one, and go with it.
        """
        try:
            dropped = self._asked.delete_topics([topic], **self._options)
            await self._ask(f"topic {topic} cannot be removed", dropped)
            async with time_limit(self.limits.answer_seconds):
                while True:
                    await self.topic(topic)
                    await asyncio.sleep(_GONE_POLL_SECONDS)
        except KafkaFault as fault:
            if fault.code not in UNKNOWN_TOPIC:
                raise
        except TimeoutError:
            raise KafkaFault(f"topic {topic} is not removed yet") from None

    async def drop_group(self, group: str) -> None:
        """Remove a group, if it is there and nobody is in it."""
        with contextlib.suppress(KafkaFault):
            dropped = self._asked.delete_consumer_groups([group], **self._options)
            await self._ask(f"group {group}", dropped)

    async def topic(self, topic: str) -> TopicDescription:
        """Return what there is of a topic."""
        asked = self._asked.describe_topics(TopicCollection([topic]), **self._options)
        found: dict[str, TopicDescription] = await self._ask(f"invalid topic {topic}", asked)
        return found[topic]

    async def partitions(self, topic: str) -> list[int]:
        """Return the numbers of a topic's partitions."""
        return [each.id for each in (await self.topic(topic)).partitions]

    async def offsets(
        self, topic: str, partitions: Collection[int], spec: OffsetSpec
    ) -> dict[int, int]:
        """Return an offset of each partition; -1 where no record is as asked for."""
        asked = {TopicPartition(topic, each): spec for each in partitions}
        found = await self._ask(f"topic {topic}", self._asked.list_offsets(asked, **self._options))
        return {of.partition: each.offset for of, each in found.items()}

    async def ends(self, topic: str, partitions: Collection[int]) -> dict[int, int]:
        """Return one past the newest record of each partition."""
        return await self.offsets(topic, partitions, OffsetSpec.latest())

    async def begins(self, topic: str, partitions: Collection[int]) -> dict[int, int]:
        """Return the oldest record of each partition."""
        return await self.offsets(topic, partitions, OffsetSpec.earliest())

    # -- the end -----------------------------------------------------------------------------

    def abort(self) -> None:
        """As if the process had been killed: what is under way is not waited for."""
        self._closed = True
        if self._producing is not None:
            self._producing.abort()

    async def close(self) -> None:
        """Wait for what is under way, and let go."""
        self._closed = True
        if self._producing is not None:
            await self._producing.close(self.limits.answer_seconds)
        self._producing = self._admin = None
