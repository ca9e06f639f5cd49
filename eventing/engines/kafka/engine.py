"""The engine: a topic for each log, one topic for how far all their consumers are."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from confluent_kafka.admin import NewTopic

from eventing.engines.kafka import names
from eventing.engines.kafka.client import Client, KafkaFault, Source
from eventing.engines.kafka.config import KafkaLimits, KafkaServer, TopicOptions
from eventing.engines.kafka.log import MAX_EVENT_BYTES, KafkaLog
from eventing.engines.kafka.messages import Record
from eventing.engines.kafka.states import States, Topic, Write, opened, written
from eventing.engines.kafka.threads import Follower, Read, Reader
from eventing.engines.seam import Capabilities, Order
from hearth.timeouts import time_limit

log = logging.getLogger(__name__)

_STATE_CONFIG = {"cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0.1"}


class Keeper:
    """How far all consumers are: written to one compacted topic, and read by every process."""

    def __init__(self, client: Client) -> None:
        self.states = States()
        self.listeners: list[Callable[[], None]] = []
        """Called when something was read."""
        self._client = client
        self._topic = ""
        self._follower: Follower | None = None
        self._read = 0
        """One past the last record that was read."""
        self._came = asyncio.Event()

    async def start(self) -> None:
        """Make the topic where there is none, and follow it."""
        if self._follower is not None:
            return
        self._topic = names.state_topic(self._client.server.prefix)
        replicas = self._client.server.replicas
        await self._client.ensure_topic(NewTopic(self._topic, 1, replicas, config=_STATE_CONFIG))
        self._follower = Follower(self._client, self._topic, self)
        self._follower.start()

    def heard(self, reads: Sequence[Read]) -> None:
        """Know what was written, by whomever."""
        for _, offset, record in reads:
            self._read = max(self._read, offset + (record is not None))
            if record is not None and record.key is not None:
                try:
                    self.states.apply(record.key, record.value)
                except ValueError as error:
                    log.error("a record of the state is not ours", extra={"error": str(error)})
        for moved in self.listeners:
            moved()
        self._came.set()
        self._came = asyncio.Event()

    def failed(self, fault: KafkaFault) -> None:
        """Say so."""
        log.warning("how far consumers are cannot be read", extra={"error": str(fault)})

    async def sync(self) -> None:
        """Know all that was written until now."""
        end = (await self._client.ends(self._topic, [0]))[0]
        try:
            async with time_limit(self._client.limits.answer_seconds):
                while self._read < end:
                    await self._came.wait()
        except TimeoutError as error:
            raise KafkaFault(f"topic {self._topic} is not read to its end") from error

    async def put(self, writes: Sequence[Write]) -> None:
        """Write, and wait until that is durable; it is known here when it was read again."""
        records = [Record(key, value, (), 0) for key, value in writes]
        await self._client.write(self._topic, records)

    async def close(self) -> None:
        """Follow no more."""
        if self._follower is not None:
            await self._follower.close()


class KafkaEngine:
    """Connects when it is first used."""

    def __init__(self, server: KafkaServer | Source, limits: KafkaLimits | None = None) -> None:
        self._limits = limits or KafkaLimits()
        self.client = Client(server, self._limits)
        self._reader = Reader(self.client)
        self._keeper = Keeper(self.client)
        self.logs: dict[str, KafkaLog] = {}
        """Those that are open, by their keys."""
        self._opening = asyncio.Lock()

    @property
    def capabilities(self) -> Capabilities:
        """What it promises."""
        return Capabilities(
            order=Order.PER_KEY,
            partitioned=True,
            redelivers=True,
            consumer_groups=True,
            processes=True,
            deduplicates=False,
            max_event_bytes=MAX_EVENT_BYTES,
        )

    async def open(self, key: str, options: Mapping[str, Any] | None = None) -> KafkaLog:
        """Open a log, making its topic where there is none."""
        asked = TopicOptions.of(options or {})
        async with self._opening:
            await self._start()
            found = self.logs.get(key)
            if found is None:
                found = self.logs[key] = await self._open(key, asked)
            return found

    async def _start(self) -> None:
        await self.client.connect()
        await self._keeper.start()

    async def _open(self, key: str, asked: TopicOptions) -> KafkaLog:
        topic = asked.topic or names.topic_of(self.client.server.prefix, key)
        if not asked.is_external:
            config = dict(asked.config)
            server = self.client.server
            sizes = asked.partitions or server.partitions, asked.replicas or server.replicas
            new = NewTopic(topic, *sizes, config=config)
            await self.client.ensure_topic(new)
        partitions = await self.client.partitions(topic)
        await self._keeper.sync()
        known = Topic(topic, asked.is_external)
        if self._keeper.states.logs.get(key) != known:
            await self._keeper.put([opened(key, known)])
        made = KafkaLog(
            self.client,
            self._reader,
            self._keeper,
            topic=topic,
            partitions=partitions,
            limits=self._limits,
        )
        self._keeper.listeners.append(made.moved)
        return made

    async def drop(self, key: str) -> None:
        """Remove a log with all its events and consumers."""
        await self._start()
        closing = self.logs.pop(key, None)
        if closing is not None:
            self._keeper.listeners.remove(closing.moved)
            await closing.close()
        await self._keeper.sync()
        states = self._keeper.states
        topic = states.logs.get(key)
        if topic is None:
            return
        others = [each.name for of, each in states.logs.items() if of != key]
        if not topic.is_external and topic.name not in others:
            await self._reader.leave(topic.name)
            await self.client.drop_topic(topic.name)
        await self.client.drop_group(names.members_group(self.client.server.prefix, topic.name))
        gone = [written(topic.name, each, None) for each in states.consumers(topic.name)]
        await self._keeper.put([*gone, opened(key, None)])

    async def keys(self) -> Collection[str]:
        """Return the keys of all logs there are."""
        await self._start()
        await self._keeper.sync()
        return list(self._keeper.states.logs)

    def abort(self) -> None:
        """As if the process had been killed: nothing more is saved."""
        for each in self.logs.values():
            each.abort()
        self.client.abort()

    async def close(self) -> None:
        """Let go of all logs, and of Kafka."""
        for each in self.logs.values():
            await each.close()
        self.logs.clear()
        await self._keeper.close()
        await self._reader.close()
        await self.client.close()
