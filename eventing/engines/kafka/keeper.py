"""How far all consumers are: one compacted topic, that every process follows."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from confluent_kafka.admin import NewTopic

from eventing.engines.kafka import names
from eventing.engines.kafka.client import Client
from eventing.engines.kafka.consuming import Read
from eventing.engines.kafka.faults import KafkaFault
from eventing.engines.kafka.members import Follower
from eventing.engines.kafka.messages import Record
from eventing.engines.kafka.states import States, Write
from hearth.timeouts import time_limit

log = logging.getLogger(__name__)

_STATE_CONFIG = {"cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0.1"}


class Keeper:
    """Use on the event loop."""

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
