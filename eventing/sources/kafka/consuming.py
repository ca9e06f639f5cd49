"""One member of a consumer group. All that librdkafka's consumer does happens in one thread.

It is asked each tenth of a second, however long deliveries take, so the group never misses us;
partitions that bring more than can be delivered are paused.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from time import monotonic
from typing import Any, TypeVar

from confluent_kafka import (
    OFFSET_INVALID,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)

from eventing.engines.kafka.messages import Record
from eventing.sources.kafka.deliveries import Deliveries, Partition

log = logging.getLogger(__name__)

T = TypeVar("T")

_POLL_SECONDS = 0.1
_MOST_AT_ONCE = 500
_COMMIT_SECONDS = 1.0
_ANSWER_SECONDS = 10.0
_GRACE_SECONDS = 10.0
"""For what is under way when partitions go to another; pods have 30 s to end."""
_TRIES_TO_BEGIN = 5
CONSUMER: Mapping[str, str] = {
    "enable.auto.commit": "false",
    "enable.auto.offset.store": "false",
    "session.timeout.ms": "10000",
    "partition.assignment.strategy": "cooperative-sticky",
    "queued.max.messages.kbytes": "4096",
    "isolation.level": "read_committed",
}
_USERS_FAULTS = frozenset(
    {
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError.INCONSISTENT_GROUP_PROTOCOL,
        KafkaError.SASL_AUTHENTICATION_FAILED,
        KafkaError._AUTHENTICATION,
        KafkaError._UNKNOWN_TOPIC,
        KafkaError._FATAL,
    }
)
"""What does not come right by itself: it ends the adapter, whose last words are told."""


class KafkaProblem(ValueError):
    """What the user has to mend."""


class Member:
    """Reads topics as one of a group, for ``Deliveries``. ``open`` first, ``close`` at the end."""

    def __init__(
        self,
        settings: Mapping[str, str],
        topics: Sequence[str],
        deliveries: Deliveries,
        *,
        earliest: bool,
        lag: Callable[[Partition, int | None], None] = lambda of, lag: None,
    ) -> None:
        """``lag`` is told how many records of a partition are not done with; None: not ours."""
        self._settings = settings
        self._topics = topics
        self._deliveries = deliveries
        self._earliest = earliest
        self._lag = lag
        self._thread = ThreadPoolExecutor(1, "kafka-member")
        self._loop = asyncio.get_running_loop()
        self._consumer: Consumer
        self._ours: set[Partition] = set()
        self._paused: set[Partition] = set()
        self._problem = ""
        self._is_open = False
        self._commit_at = 0.0

    async def _ask(self, question: Callable[..., T], *given: Any) -> T:
        return await self._loop.run_in_executor(self._thread, question, *given)

    # -- beginning ---------------------------------------------------------------------------

    async def open(self) -> None:
        """Find the topics, have a place in each partition, and join the group."""
        for tries in range(1, _TRIES_TO_BEGIN + 1):
            try:
                return await self._ask(self._open)
            except KafkaException as error:
                told = error.args[0]
                if told.code() in _USERS_FAULTS or tries == _TRIES_TO_BEGIN:
                    raise KafkaProblem(self._said(told)) from error
                log.warning("Kafka does not answer: %s", self._said(told))
                await asyncio.sleep(2.0 ** (tries - 1) / 2)

    def _said(self, error: KafkaError) -> str:
        where = self._settings["bootstrap.servers"]
        return f"Kafka at {where}: {self._problem or error.str()} ({error.name()})"

    def _open(self) -> None:
        if not self._is_open:
            ours = {
                "error_cb": self._heard,
                "auto.offset.reset": "earliest" if self._earliest else "latest",
            }
            self._consumer = Consumer({**CONSUMER, **self._settings, **ours})
            self._is_open = True
        partitions = self._partitions()
        if not self._earliest:
            self._begin_at_the_end(partitions)
        self._consumer.subscribe(
            list(self._topics),
            on_assign=self._assigned,
            on_revoke=self._revoked,
            on_lost=self._lost,
        )

    def _heard(self, error: KafkaError) -> None:
        self._problem = error.str()

    def _partitions(self) -> list[TopicPartition]:
        """All partitions there are; upstream's words for what is not there."""
        found = []
        for topic in self._topics:
            told = self._consumer.list_topics(topic, timeout=_ANSWER_SECONDS).topics[topic]
            if told.error is not None or not told.partitions:
                why = told.error.str() if told.error is not None else "it has none"
                raise KafkaProblem(
                    "failed to initialize consumer group offset: failed to initialize offset: "
                    f"failed to get partitions for topic {topic}: {why}"
                )
            found += [TopicPartition(topic, number) for number in told.partitions]
        return found

    def _begin_at_the_end(self, partitions: list[TopicPartition]) -> None:
        """A place for each partition, before anybody is told that events are not missed."""
        missing = [
            each
            for each in self._consumer.committed(partitions, timeout=_ANSWER_SECONDS)
            if each.offset == OFFSET_INVALID
        ]
        for each in missing:
            _, each.offset = self._consumer.get_watermark_offsets(each, timeout=_ANSWER_SECONDS)
        if missing:
            try:
                self._consumer.commit(offsets=missing, asynchronous=False)
            except KafkaException as error:
                # Who is in the group already has seen to it, or it begins with what comes next.
                log.warning("a place in the group is not kept: %s", error.args[0].str())

    # -- reading -----------------------------------------------------------------------------

    async def run(self) -> None:
        """Read until cancelled; raise KafkaProblem for what the user has to mend."""
        while True:
            crowded = {of for of in self._ours if self._deliveries.is_crowded(of)}
            for message in await self._ask(self._next, crowded):
                self._take(message)
            if monotonic() >= self._commit_at:
                self._commit_at = monotonic() + _COMMIT_SECONDS
                await self._commit()

    def _next(self, crowded: set[Partition]) -> list[Message]:
        self._consumer.pause(_listed((crowded - self._paused) & self._ours))
        self._consumer.resume(_listed((self._paused - crowded) & self._ours))
        self._paused = crowded & self._ours
        first = self._consumer.poll(_POLL_SECONDS)
        return [] if first is None else [first, *self._consumer.consume(_MOST_AT_ONCE, 0)]

    def _take(self, message: Message) -> None:
        error = message.error()
        if error is not None:
            if error.code() in _USERS_FAULTS or error.fatal():
                raise KafkaProblem(self._said(error))
            log.warning("Kafka says: %s", error.str())
            return
        partition = Partition(message.topic() or "", message.partition() or 0)
        if partition in self._ours:  # it may be another's since it was fetched
            headers: Any = message.headers() or []
            named = [(name, value or b"") for name, value in headers]
            record = Record(message.key(), message.value(), named, message.timestamp()[1])
            self._deliveries.take(partition, message.offset() or 0, record)

    async def _commit(self) -> None:
        places = self._deliveries.to_commit()
        try:
            ends = await self._ask(self._committed, places)
        except KafkaException as error:
            log.warning("offsets are not committed: %s", error.args[0].str())
            return
        self._deliveries.committed(places)
        for of, (begin, end) in ends.items():
            place = self._deliveries.place(of)
            if end >= 0:
                self._lag(of, max(0, end - (begin if place is None else place)))

    def _committed(self, places: Mapping[Partition, int]) -> dict[Partition, tuple[int, int]]:
        """Commit, and return where partitions of ours are read and where they end."""
        if places:
            self._consumer.commit(offsets=_listed(places, places), asynchronous=False)
        found = {}
        for each in self._consumer.position(_listed(self._ours)):
            _, end = self._consumer.get_watermark_offsets(each, cached=True)
            at = each.offset if each.offset >= 0 else end
            found[Partition(each.topic, each.partition)] = at, end
        return found

    # -- partitions come and go, in the consumer's thread --------------------------------------

    def _assigned(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._ours |= _named(partitions)
        consumer.incremental_assign(partitions)

    def _revoked(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        places = self._leave(_named(partitions), _GRACE_SECONDS)
        if places:
            with contextlib.suppress(KafkaException):
                consumer.commit(offsets=_listed(places, places), asynchronous=False)
        consumer.incremental_unassign(partitions)

    def _lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Others have them already."""
        self._leave(_named(partitions), 0.0)
        consumer.incremental_unassign(partitions)

    def _leave(self, partitions: set[Partition], grace_seconds: float) -> dict[Partition, int]:
        self._ours -= partitions
        leaving = self._deliveries.leave(partitions, grace_seconds)
        done = asyncio.run_coroutine_threadsafe(leaving, self._loop)
        places = done.result()
        for each in partitions:
            self._loop.call_soon_threadsafe(self._lag, each, None)
        return places

    # -- the end -----------------------------------------------------------------------------

    async def close(self) -> None:
        """Leave the group, when what is under way has ended."""
        if self._is_open:
            await self._ask(self._consumer.close)
        await asyncio.to_thread(self._thread.shutdown)


def _named(partitions: Iterable[TopicPartition]) -> set[Partition]:
    return {Partition(each.topic, each.partition) for each in partitions}


def _listed(
    partitions: Iterable[Partition], places: Mapping[Partition, int] | None = None
) -> list[TopicPartition]:
    offsets = places or {}
    return [TopicPartition(*each, offsets.get(each, OFFSET_INVALID)) for each in partitions]
