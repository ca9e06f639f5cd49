"""Topics that events are written to: one client for each Kafka and each user there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import NewTopic

from eventing.codec import Event
from eventing.engines.kafka.client import Client
from eventing.engines.kafka.config import KafkaLimits, KafkaServer
from eventing.engines.kafka.faults import KafkaFault
from eventing.engines.kafka.messages import binary_record, structured_record
from eventing.engines.kafka.security import security_of
from eventing.engines.seam import Refused
from eventing.engines.topics import (
    NO_ADMIN,
    NOT_PRESENT,
    TopicProblem,
    WantedTopic,
    Written,
)


class KafkaTopics:
    """Use on one event loop."""

    def __init__(self, limits: KafkaLimits | None = None) -> None:
        self._limits = limits or KafkaLimits()
        self._clients: dict[str, Client] = {}
        self._open: dict[str, set[str]] = {}
        """The topics that are written to, by their client."""
        self._changing = asyncio.Lock()

    async def open(self, wanted: WantedTopic) -> KafkaOutlet:
        """Return who writes to a topic, which is made if it is ours; raise TopicProblem."""
        async with self._changing:
            client = await self._client(wanted)
            self._open.setdefault(_name(wanted), set()).add(wanted.topic)
            await _ensure(client, wanted)
            return KafkaOutlet(client, wanted.topic)

    async def _client(self, wanted: WantedTopic) -> Client:
        """The client of a Kafka and a user there, connected."""
        name = _name(wanted)
        client = self._clients.get(name)
        try:
            if client is None:
                server = KafkaServer(wanted.servers, _security(wanted))
                client = self._clients[name] = Client(server, self._limits)
            await client.connect()
        except (KafkaFault, ValueError) as error:
            raise TopicProblem(NO_ADMIN, str(error)) from error
        return client

    async def drop(self, wanted: WantedTopic) -> None:
        """Remove a topic; raise TopicProblem."""
        async with self._changing:
            client = await self._client(wanted)
            try:
                await client.drop_topic(wanted.topic)
            except KafkaFault as fault:
                why = f"failed to delete topic {wanted.topic}: {fault}"
                raise TopicProblem("Failed to delete topic", why) from fault
        await self.release(wanted)

    async def release(self, wanted: WantedTopic) -> None:
        """Write to it no more; the last topic takes its client along."""
        async with self._changing:
            name = _name(wanted)
            topics = self._open.get(name, set())
            topics.discard(wanted.topic)
            if not topics:
                self._open.pop(name, None)
                if client := self._clients.pop(name, None):
                    await client.close()

    async def close(self) -> None:
        """Write to none any more."""
        while self._clients:
            await self._clients.popitem()[1].close()


def _name(wanted: WantedTopic) -> str:
    return repr((wanted.servers, sorted(wanted.secret.items())))


def _security(wanted: WantedTopic) -> dict[str, str]:
    return security_of(wanted.secret) if wanted.secret else {}


async def _ensure(client: Client, wanted: WantedTopic) -> None:
    topic = wanted.topic
    if wanted.partitions is not None and wanted.replicas is not None:
        try:
            await client.ensure_topic(NewTopic(topic, wanted.partitions, wanted.replicas))
        except KafkaFault as fault:
            raise TopicProblem(f"Failed to create topic: {topic}", str(fault)) from fault
        return
    try:
        await client.partitions(topic)
    except KafkaFault as fault:
        raise TopicProblem(NOT_PRESENT, f"topics [{topic}]: {fault}") from fault


class KafkaOutlet:
    """Writes events to one topic, and tells when Kafka has them (``acks=all``)."""

    def __init__(self, client: Client, topic: str) -> None:
        self._client = client
        self._topic = topic

    def write(self, events: Sequence[Event], done: Written, *, structured: bool) -> None:
        """Write all; raise Refused where the first cannot be taken now."""
        made = structured_record if structured else binary_record
        now_ms = time.time_ns() // 1_000_000
        left, refused = len(events), None

        def answered(error: KafkaError | None) -> None:
            nonlocal left, refused
            left -= 1
            if error is not None:
                refused = Refused(f"topic {self._topic} cannot be written: {error.str()}")
            if not left:
                done(refused)

        for event in events:
            try:
                self._client.produce(self._topic, made(event, now_ms), answered)
            except BufferError as error:
                raise Refused("too many events are waiting for Kafka", status=429) from error
            except KafkaException as error:
                too_large = error.args[0].code() == KafkaError.MSG_SIZE_TOO_LARGE
                status = 413 if too_large else 503
                raise Refused(f"Kafka: {error.args[0].str()}", status=status) from error
