"""The engine: a topic for each log, one topic for how far all their consumers are."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Any

from confluent_kafka.admin import NewTopic

from eventing.engines.kafka import names
from eventing.engines.kafka.appending import MAX_EVENT_BYTES
from eventing.engines.kafka.client import Client, Source
from eventing.engines.kafka.config import KafkaLimits, KafkaServer, TopicOptions
from eventing.engines.kafka.keeper import Keeper
from eventing.engines.kafka.log import KafkaLog
from eventing.engines.kafka.reader import Reader
from eventing.engines.kafka.registry import Registry
from eventing.engines.kafka.states import Topic, opened, written
from eventing.engines.kafka.topic import KafkaTopic
from eventing.engines.seam import Capabilities, Order

log = logging.getLogger(__name__)


CAPABILITIES = Capabilities(
    order=Order.PER_KEY,
    partitioned=True,
    redelivers=True,
    consumer_groups=True,
    processes=True,
    deduplicates=False,
    max_event_bytes=MAX_EVENT_BYTES,
)


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
        return CAPABILITIES

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
            server = await self.client.asked_again()
            config = {**server.topic_config, **asked.config}
            sizes = asked.partitions or server.partitions, asked.replicas or server.replicas
            new = NewTopic(topic, *sizes, config=config)
            await self.client.ensure_topic(new)
        verify = partial(self._verify, key, topic, asked.is_external)
        partitions = await verify()
        of = KafkaTopic(self.client, self._reader, topic, partitions)
        made = KafkaLog(of, self._keeper, verify)
        self._keeper.listeners.append(made.moved)
        return made

    async def _verify(self, key: str, topic: str, is_external: bool) -> Sequence[int]:
        """Return the partitions of a log's topic.

        In one that was made anew since somebody looked last all is new to its consumers.
        """
        found = await self.client.topic(topic)
        await self._keeper.sync()
        now, known = (
            Topic(topic, is_external, str(found.topic_id)),
            self._keeper.states.logs.get(key),
        )
        if known is not None and known.name == topic and known.id not in ("", now.id):
            log.warning("a topic was made anew", extra={"topic": topic})
            registry = Registry(self._keeper, topic)
            for consumer_id in list(registry.known()):
                await registry.begin_anew(consumer_id)
        if known != now:
            await self._keeper.put([opened(key, now)])
            await self._keeper.sync()
        return [each.id for each in found.partitions]

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
            await self._reader.leave()
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
