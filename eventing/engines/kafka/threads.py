"""Consumers of librdkafka, each in a thread: one reads from anywhere, others follow."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from time import monotonic
from typing import Any, NamedTuple, Protocol

from confluent_kafka import (
    OFFSET_BEGINNING,
    OFFSET_END,
    Consumer,
    KafkaError,
    Message,
    TopicPartition,
)

from eventing.engines.kafka.client import Client, KafkaFault, fault_of
from eventing.engines.kafka.messages import Record

_MOST_AT_ONCE = 500
_POLL_SECONDS = 0.1
_HEADERS_BYTES = 400
"""About so much is in the headers of a record."""
_AHEAD = {"queued.max.messages.kbytes": "4096"}
"""What a consumer reads ahead of us; librdkafka's own 64 MiB would be for each."""
_NO_GROUP = "hearth-none"


class Read(NamedTuple):
    """One thing that a partition said: a record, or that it ends here."""

    partition: int
    offset: int
    record: Record | None


def _consumer(client: Client, settings: Mapping[str, Any]) -> Consumer:
    ours = {
        "group.id": _NO_GROUP,
        "enable.auto.commit": "false",
        "enable.auto.offset.store": "false",
        "enable.partition.eof": "true",
        "auto.offset.reset": "earliest",
        "isolation.level": "read_committed",
    }
    said = _AHEAD | dict(client.server.consumer)
    return Consumer({**client.server.common(), **said, **ours, **settings})


def _read(message: Message) -> Read:
    """What a message says; raise KafkaFault for an error."""
    error = message.error()
    partition, offset = message.partition() or 0, message.offset() or 0
    if error is None:
        record = Record(message.key(), message.value(), _headers(message), message.timestamp()[1])
        return Read(partition, offset, record)
    if error.code() == KafkaError._PARTITION_EOF:
        return Read(partition, offset, None)
    raise fault_of(error, f"topic {message.topic()} cannot be read")


def _headers(message: Message) -> list[tuple[str, bytes]]:
    found: Any = message.headers() or []
    return [(name, b"" if value is None else value) for name, value in found]


class Reader:
    """Reads partitions from anywhere on, one question after the other."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._thread = ThreadPoolExecutor(1, "kafka-reader")
        self._closed = threading.Event()
        self._consumer: Consumer | None = None
        self._at: tuple[str, Mapping[int, int]] | None = None
        """Where it goes on by itself."""
        self._ended = set[int]()
        """Partitions that ended at that place."""
        self._ahead: deque[Read] = deque()
        """What came already from there on."""

    async def read(
        self, topic: str, places: Mapping[int, int], max_bytes: int
    ) -> tuple[list[Read], dict[int, int]]:
        """Return what lies from these places on, and the places after it.

        About so many bytes, at least one record; less where all partitions end before.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._read, topic, places, max_bytes)

    def _read(
        self, topic: str, places: Mapping[int, int], max_bytes: int
    ) -> tuple[list[Read], dict[int, int]]:
        self._go_to(topic, places)
        following, found, size = dict(places), list[Read](), 0
        until = monotonic() + self._client.limits.answer_seconds
        while len(self._ended) < len(places) and (not found or size < max_bytes):
            read = self._ahead.popleft() if self._ahead else None
            if read is None:
                self._ahead.extend(self._next(until))
            elif read.record is None:
                self._ended.add(read.partition)
                following[read.partition] = max(following[read.partition], read.offset)
            else:
                self._ended.discard(read.partition)
                found.append(read)
                following[read.partition] = read.offset + 1
                size += len(read.record.value or b"") + _HEADERS_BYTES
        if len(self._ended) == len(places):
            self._leave()
        else:
            self._at = topic, dict(following)
        return found, following

    def _leave(self) -> None:
        """Ask for nothing more: librdkafka goes on by itself with what is assigned."""
        self._at = None
        if self._consumer is not None:
            self._consumer.unassign()

    async def leave(self, topic: str) -> None:
        """Ask nothing more of a topic, which is to be removed: librdkafka does not survive that."""

        def leave() -> None:
            if self._at is not None and self._at[0] == topic:
                self._leave()

        await asyncio.get_running_loop().run_in_executor(self._thread, leave)

    def _go_to(self, topic: str, places: Mapping[int, int]) -> None:
        """Go on where it stopped, or elsewhere."""
        if self._consumer is None:
            self._consumer = _consumer(self._client, {})
        if self._at != (topic, places):
            self._consumer.assign([TopicPartition(topic, *place) for place in places.items()])
            self._ahead.clear()
            self._ended.clear()
        self._at = None

    def _next(self, until: float) -> list[Read]:
        assert self._consumer is not None
        first = None
        while first is None and monotonic() < until and not self._closed.is_set():
            first = self._consumer.poll(_POLL_SECONDS)
        if first is None:
            raise KafkaFault(self._client.problem or "Kafka does not answer")
        return [_read(each) for each in (first, *self._consumer.consume(_MOST_AT_ONCE, 0))]

    async def close(self) -> None:
        """Let go of it, in its thread: nobody may ask meanwhile, and an answer may be due yet."""
        self._closed.set()
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._thread, self._close)
        await asyncio.to_thread(self._thread.shutdown)

    def _close(self) -> None:
        if self._consumer is not None:
            self._consumer.close()


class Owner(Protocol):
    """Who is told what a follower hears, on the event loop."""

    def heard(self, reads: Sequence[Read]) -> None:
        """Take in what came."""

    def failed(self, fault: KafkaFault) -> None:
        """Know that nothing can be read now."""


class Partitions(Owner, Protocol):
    """Who is told which partitions are this process's."""

    def assigned(self, partitions: Sequence[int]) -> None:
        """Begin with partitions."""

    async def revoked(self, partitions: Sequence[int], *, lost: bool) -> None:
        """Be done with partitions; where they are lost, others have them already."""


class Follower:
    """Follows a topic in a thread of its own, and tells of all that comes."""

    def __init__(self, client: Client, topic: str, owner: Owner) -> None:
        self._client = client
        self._topic = topic
        self._owner = owner
        self._closed = threading.Event()
        self._taken = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"kafka-{topic}", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def _settings(self) -> dict[str, Any]:
        return {}

    def _begin(self, consumer: Consumer) -> None:
        consumer.assign([TopicPartition(self._topic, 0, OFFSET_BEGINNING)])

    def _run(self) -> None:
        consumer = _consumer(self._client, self._settings())
        self._begin(consumer)
        while not self._closed.is_set():
            first = consumer.poll(_POLL_SECONDS)
            if first is not None:
                self._hand_over([first, *consumer.consume(_MOST_AT_ONCE, 0)])
        consumer.close()

    def _hand_over(self, messages: Sequence[Message]) -> None:
        """Tell the loop, and go on once it has taken that."""
        reads = []
        for each in messages:
            try:
                reads.append(_read(each))
            except KafkaFault as fault:
                self._call(self._owner.failed, fault)
        self._taken.clear()
        if self._call(self._take, reads):
            while not self._taken.wait(_POLL_SECONDS) and not self._closed.is_set():
                pass

    def _take(self, reads: Sequence[Read]) -> None:
        self._taken.set()
        if not self._closed.is_set():
            self._owner.heard(reads)

    def _call(self, callback: Callable[..., object], *args: object) -> bool:
        with contextlib.suppress(RuntimeError):  # the loop may have ended
            self._client.loop.call_soon_threadsafe(callback, *args)
            return True
        return False

    def stop(self) -> None:
        """End soon."""
        self._closed.set()

    async def close(self) -> None:
        """End, and wait for that."""
        self.stop()
        if self._thread.ident is not None:
            await asyncio.to_thread(self._thread.join)


class Member(Follower):
    """Follows the end of those partitions of a topic that its group gives to this process."""

    def __init__(self, client: Client, topic: str, owner: Partitions, group: str) -> None:
        super().__init__(client, topic, owner)
        self.joined = threading.Event()
        """Whether its group has let it in, or is left."""
        self._partitions = owner
        self._group = group

    def stop(self) -> None:
        """End soon."""
        super().stop()
        self.joined.set()

    def _settings(self) -> dict[str, Any]:
        said = self._client.server.consumer.get("session.timeout.ms")
        session = int(said or self._client.limits.session_seconds * 1000)
        return {
            "group.id": self._group,
            "session.timeout.ms": str(session),
            "heartbeat.interval.ms": str(session // 3),
            # Others wait so long for one that stands still while partitions change hands.
            "max.poll.interval.ms": str(session * 2),
            "partition.assignment.strategy": "cooperative-sticky",
        }

    def _begin(self, consumer: Consumer) -> None:
        consumer.subscribe(
            [self._topic], on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._lost
        )

    def _assigned(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        for each in partitions:
            each.offset = OFFSET_END
        self._call(self._partitions.assigned, [each.partition for each in partitions])
        consumer.incremental_assign(partitions)
        self.joined.set()

    def _revoked(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Others get them when we have saved how far consumers are."""
        self._give_up(partitions, lost=False)
        consumer.incremental_unassign(partitions)

    def _lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._give_up(partitions, lost=True)
        consumer.incremental_unassign(partitions)

    def _give_up(self, partitions: list[TopicPartition], *, lost: bool) -> None:
        numbers = [each.partition for each in partitions]
        saving = self._partitions.revoked(numbers, lost=lost)
        if self._client.loop.is_closed():
            saving.close()
            return
        done = asyncio.run_coroutine_threadsafe(saving, self._client.loop)
        with contextlib.suppress(Exception):
            done.result(self._client.limits.answer_seconds)
