"""Reads any topic from anywhere on, one question after the other, in a thread."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from time import monotonic

from confluent_kafka import Consumer, TopicPartition

from eventing.engines.kafka.client import Client
from eventing.engines.kafka.consuming import (
    MOST_AT_ONCE,
    POLL_SECONDS,
    Read,
    consumer_of,
    read_of,
)
from eventing.engines.kafka.faults import KafkaFault

_HEADERS_BYTES = 400
"""About so much is in the headers of a record."""


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

    async def leave(self) -> None:
        """Ask nothing more of a topic that is to be removed: librdkafka may not survive that.

        What was asked last is still under way after an unassign; what else is read begins anew.
        """
        await asyncio.get_running_loop().run_in_executor(self._thread, self._close)

    def _go_to(self, topic: str, places: Mapping[int, int]) -> None:
        """Go on where it stopped, or elsewhere."""
        if self._consumer is None:
            self._consumer = consumer_of(self._client, {})
        if self._at != (topic, places):
            self._consumer.assign([TopicPartition(topic, *place) for place in places.items()])
            self._ahead.clear()
            self._ended.clear()
        self._at = None

    def _next(self, until: float) -> list[Read]:
        assert self._consumer is not None
        first = None
        while first is None and monotonic() < until and not self._closed.is_set():
            first = self._consumer.poll(POLL_SECONDS)
        if first is None:
            raise KafkaFault(self._client.problem or "Kafka does not answer")
        return [read_of(each) for each in (first, *self._consumer.consume(MOST_AT_ONCE, 0))]

    async def close(self) -> None:
        """Let go of it, in its thread: nobody may ask meanwhile, and an answer may be due yet."""
        self._closed.set()
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._thread, self._close)
        await asyncio.to_thread(self._thread.shutdown)

    def _close(self) -> None:
        if self._consumer is not None:
            self._consumer.close()
        self._consumer = self._at = None
