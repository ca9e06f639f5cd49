"""Consumers that follow: a topic from its beginning, or what a group gives to this process.

Each has a thread, and tells its owner of what comes on the event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, Consumer, Message, TopicPartition

from eventing.engines.kafka.client import Client
from eventing.engines.kafka.consuming import (
    MOST_AT_ONCE,
    POLL_SECONDS,
    Read,
    consumer_of,
    read_of,
)
from eventing.engines.kafka.faults import KafkaFault


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
        consumer = consumer_of(self._client, self._settings())
        self._begin(consumer)
        while not self._closed.is_set():
            first = consumer.poll(POLL_SECONDS)
            if first is not None:
                self._hand_over([first, *consumer.consume(MOST_AT_ONCE, 0)])
        consumer.close()

    def _hand_over(self, messages: Sequence[Message]) -> None:
        """Tell the loop, and go on once it has taken that."""
        reads = []
        for each in messages:
            try:
                reads.append(read_of(each))
            except KafkaFault as fault:
                self._call(self._owner.failed, fault)
        self._taken.clear()
        if self._call(self._take, reads):
            while not self._taken.wait(POLL_SECONDS) and not self._closed.is_set():
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
        limits = self._client.limits
        said = self._client.server.consumer.get("session.timeout.ms")
        session = int(said or limits.session_seconds * 1000)
        return {
            "group.id": self._group,
            "session.timeout.ms": str(session),
            "heartbeat.interval.ms": str(session // 3),
            # Others wait so long for one that stands still while partitions change hands.
            "max.poll.interval.ms": str(session * 2),
            "partition.assignment.strategy": "cooperative-sticky",
            "topic.metadata.refresh.interval.ms": str(int(limits.refresh_seconds * 1000)),
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
