"""The one place where librdkafka's threads meet the event loop: a producer, and questions.

Deliveries are told by a thread; what one poll brought wakes the loop once.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Mapping
from concurrent.futures import Future
from functools import partial
from typing import Any, TypeVar

from confluent_kafka import (
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, NewTopic, OffsetSpec

from eventing.engines.kafka.config import KafkaLimits, KafkaServer
from eventing.engines.kafka.messages import Record
from eventing.engines.seam import Unavailable
from hearth.timeouts import time_limit

log = logging.getLogger(__name__)

T = TypeVar("T")
Answered = Callable[[KafkaError | None], None]
Source = Callable[[], Awaitable[KafkaServer]]
"""Returns where Kafka is; asked when the engine is first used."""

_POLL_SECONDS = 0.1
MAX_MESSAGE_BYTES = 1_048_588
"""What a broker takes as it comes (``message.max.bytes``)."""
_PRODUCER = {
    "enable.idempotence": "true",
    "acks": "all",
    "linger.ms": "0",
    "partitioner": "murmur2_random",  # a key lies where Java's clients put it
    "message.max.bytes": str(MAX_MESSAGE_BYTES),
    "queue.buffering.max.messages": "100000",
}


_SPOILT = {
    KafkaError._MSG_TIMED_OUT,
    KafkaError._FATAL,
    KafkaError._FENCED,
    KafkaError.PRODUCER_FENCED,
    KafkaError.INVALID_PRODUCER_EPOCH,
    KafkaError.OUT_OF_ORDER_SEQUENCE_NUMBER,
    KafkaError.UNKNOWN_PRODUCER_ID,
}
"""After these Kafka and an idempotent producer may not agree on what comes next."""


class KafkaFault(Unavailable):
    """Kafka refused, or did not answer."""

    def __init__(self, message: str, code: int = 0) -> None:
        super().__init__(message)
        self.code = code


def fault_of(error: KafkaError, what: str) -> KafkaFault:
    """Return what Kafka said of something, as an exception."""
    return KafkaFault(f"{what}: {error.str()} ({error.name()})", error.code())


class Client:
    """Use on one event loop. ``connect`` before all else."""

    def __init__(self, server: KafkaServer | Source, limits: KafkaLimits) -> None:
        self._source = None if isinstance(server, KafkaServer) else server
        self.server = server if isinstance(server, KafkaServer) else KafkaServer()
        self.limits = limits
        self.loop: asyncio.AbstractEventLoop
        self._producer: Producer | None = None
        self._admin: AdminClient | None = None
        self._threads: list[threading.Thread] = []
        self._answers: deque[tuple[Producer, Answered, KafkaError | None]] = deque()
        self._closed = threading.Event()
        self._connecting = asyncio.Lock()
        self._problem = ""

    # -- connecting --------------------------------------------------------------------------

    async def connect(self) -> None:
        """Find Kafka, if that was not done yet; raise Unavailable where it is not there."""
        async with self._connecting:
            if self._closed.is_set():
                raise KafkaFault("the connection is closed")
            if self._producer is None:
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
        self._use(producer)

    def _new_producer(self) -> Producer:
        timeout = str(int(self.limits.answer_seconds * 1000))
        ours = {
            "message.timeout.ms": timeout,
            "topic.metadata.propagation.max.ms": timeout,
            "error_cb": self._heard_error,
        }
        return Producer({**self.server.common(), **self.server.producer, **_PRODUCER, **ours})

    def _use(self, producer: Producer) -> None:
        """Write with this one from now on; one before it ends once all is told."""
        self._producer = producer
        thread = threading.Thread(
            target=self._poll, args=(producer,), name="kafka-producer", daemon=True
        )
        self._threads = [each for each in self._threads if each.is_alive()] + [thread]
        thread.start()

    def _heard_error(self, error: KafkaError) -> None:
        self._problem = error.str()

    @property
    def problem(self) -> str:
        """What librdkafka last said of the connection."""
        return self._problem

    # -- producing ---------------------------------------------------------------------------

    def produce(self, topic: str, record: Record, answered: Answered) -> None:
        """Write a record; raise BufferError where too many wait. Its order is that of calls."""
        assert self._producer is not None, "connect() comes first"
        self._producer.produce(
            topic,
            value=record.value,
            key=record.key,
            headers=list(record.headers),
            timestamp=record.timestamp_ms,
            on_delivery=partial(self._delivered, self._producer, answered),
        )

    def _delivered(
        self, producer: Producer, answered: Answered, error: KafkaError | None, _: Message
    ) -> None:
        self._answers.append((producer, answered, error))

    def _poll(self, producer: Producer) -> None:
        while not self._closed.is_set() and (producer is self._producer or len(producer)):
            producer.poll(_POLL_SECONDS)
            if self._answers:
                with contextlib.suppress(RuntimeError):  # the loop may have ended
                    self.loop.call_soon_threadsafe(self._tell)

    def _tell(self) -> None:
        while self._answers:
            producer, answered, error = self._answers.popleft()
            is_spoilt = error is not None and (error.fatal() or error.code() in _SPOILT)
            if is_spoilt and producer is self._producer and not self._closed.is_set():
                self._use(self._new_producer())
            answered(error)

    async def write(self, topic: str, records: Collection[Record]) -> None:
        """Write records and wait until all are durable; raise KafkaFault."""
        left, done = len(records), self.loop.create_future()

        def answered(error: KafkaError | None) -> None:
            nonlocal left
            left -= 1
            if done.done():
                return
            if error is not None:
                done.set_exception(fault_of(error, f"topic {topic} cannot be written"))
            elif not left:
                done.set_result(None)

        try:
            for record in records:
                self.produce(topic, record, answered)
        except BufferError as error:
            done.cancel()
            raise KafkaFault("too many records are waiting for Kafka") from error
        if records:
            await done

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
        options = {"request_timeout": self.limits.answer_seconds}
        made = self._asked.create_topics([topic], **options)
        try:
            await self._ask(f"topic {topic.topic} cannot be made", made)
        except KafkaFault as fault:
            if fault.code != KafkaError.TOPIC_ALREADY_EXISTS:
                raise

    async def drop_topic(self, topic: str) -> None:
        """Remove a topic, if it is there."""
        options = {"request_timeout": self.limits.answer_seconds}
        try:
            dropped = self._asked.delete_topics([topic], **options)
            await self._ask(f"topic {topic} cannot be removed", dropped)
        except KafkaFault as fault:
            if fault.code != KafkaError.UNKNOWN_TOPIC_OR_PART:
                raise

    async def drop_group(self, group: str) -> None:
        """Remove a group, if it is there and nobody is in it."""
        options = {"request_timeout": self.limits.answer_seconds}
        with contextlib.suppress(KafkaFault):
            dropped = self._asked.delete_consumer_groups([group], **options)
            await self._ask(f"group {group}", dropped)

    async def partitions(self, topic: str) -> list[int]:
        """Return the numbers of a topic's partitions."""
        options = {"request_timeout": self.limits.answer_seconds}
        asked = self._asked.describe_topics(TopicCollection([topic]), **options)
        found = await self._ask(f"invalid topic {topic}", asked)
        return [each.id for each in found[topic].partitions]

    async def offsets(
        self, topic: str, partitions: Collection[int], spec: OffsetSpec
    ) -> dict[int, int]:
        """Return an offset of each partition; -1 where no record is as asked for."""
        asked = {TopicPartition(topic, each): spec for each in partitions}
        options = {"request_timeout": self.limits.answer_seconds}
        found = await self._ask(f"topic {topic}", self._asked.list_offsets(asked, **options))
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
        if self._producer is not None:
            self._producer.purge()
        self._closed.set()

    async def close(self) -> None:
        """Wait for what is under way, and let go."""
        if self._producer is not None and not self._closed.is_set():
            await asyncio.to_thread(self._producer.flush, self.limits.answer_seconds)
        self._closed.set()
        for thread in self._threads:
            await asyncio.to_thread(thread.join)
        self._tell()
        self._producer = self._admin = None
