"""The consumers of a stream: which there are, how they are made, what takes the place of one.

A moved consumer is a new one with the next generation in its name; the highest counts, so a crash
in between leaves one of the two.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from eventing.engines.nats import names
from eventing.engines.nats.asides import Asides
from eventing.engines.nats.config import NatsLimits
from eventing.engines.nats.consumer import NatsConsumer
from eventing.engines.nats.faults import NO_CONSUMER, NatsError
from eventing.engines.nats.pinned import UNPINNED, PinnedConsumer, settings
from eventing.engines.nats.stream import Stream
from eventing.engines.seam import Begin, Start, StartAt

log = logging.getLogger(__name__)


class Consumers:
    """Of one stream."""

    def __init__(
        self, stream: Stream, asides: Asides, limits: NatsLimits, clock: Callable[[], float]
    ) -> None:
        self.stream = stream
        self.asides = asides
        self.limits = limits
        self.clock = clock
        self.opened: set[NatsConsumer] = set()
        self._connection = stream.connection
        self._names: dict[str, str] | None = None
        self._leaving: set[asyncio.Task[None]] = set()

    # -- which there are ---------------------------------------------------------------------

    async def listed(self) -> dict[str, tuple[str, dict[str, Any]]]:
        """Return name and state of each consumer by its id; of one that was moved, the newest."""
        found: dict[str, tuple[str, dict[str, Any]]] = {}
        verb, offset, total = f"CONSUMER.LIST.{self.stream.name}", 0, 1
        while offset < total:
            page = await self._connection.call(verb, {"offset": offset})
            total, consumers = int(page.get("total", 0)), page.get("consumers") or []
            offset += len(consumers)
            for each in consumers:
                consumer_id = (each["config"].get("metadata") or {}).get(names.CONSUMER)
                name = each["name"]
                if consumer_id is None:
                    continue
                known = found.get(consumer_id)
                if known is None or names.generation_of(known[0]) < names.generation_of(name):
                    found[consumer_id] = name, each
            if not consumers:
                break
        return found

    async def _known(self, *, anew: bool = False) -> dict[str, str]:
        if self._names is None or anew:
            self._names = {key: name for key, (name, _) in (await self.listed()).items()}
        return self._names

    # -- opening -----------------------------------------------------------------------------

    async def open(self, consumer_id: str, start: Begin, *, ordered: bool) -> NatsConsumer:
        """Open a consumer where it stopped, or a new one at ``start``."""
        await self.asides.open()
        known = await self._known()
        name = known.get(consumer_id) or names.consumer_name(consumer_id, 0)
        info = await self._made(consumer_id, name, start, ordered=ordered)
        known[consumer_id] = name
        following = int(info["delivered"]["stream_seq"]) + 1
        kind = PinnedConsumer if ordered else NatsConsumer
        consumer = kind(self, consumer_id, name, following)
        await consumer.start()
        await consumer.take_over()
        self.opened.add(consumer)
        self.stream.touched = True
        return consumer

    async def _made(
        self, consumer_id: str, name: str, start: Begin, *, ordered: bool
    ) -> dict[str, Any]:
        """Return a consumer's state; make it where there is none, or as it is wanted now."""
        try:
            info = await self._connection.call(f"CONSUMER.INFO.{self.stream.name}.{name}")
        except NatsError as error:
            if error.code != NO_CONSUMER:
                raise
            policy = await self._policy(start)
            return await self._make(consumer_id, name, policy, ordered=ordered)
        if bool(info["config"].get("priority_groups")) == ordered:
            return info
        wanted = settings(self.limits.ack_seconds) if ordered else UNPINNED
        config = {**info["config"], **wanted}
        return await self._create(name, config, "update")

    async def _make(
        self, consumer_id: str, name: str, policy: Mapping[str, Any], *, ordered: bool
    ) -> dict[str, Any]:
        config = {
            "durable_name": name,
            "name": name,
            "ack_policy": "explicit",
            "ack_wait": int(self.limits.ack_seconds * 1e9),
            "max_ack_pending": self.stream.options.max_pending,
            "max_deliver": -1,
            "replay_policy": "instant",
            "metadata": {names.CONSUMER: consumer_id},
            **self.stream.options.consumer,
            **policy,
        }
        if ordered:
            config |= settings(self.limits.ack_seconds)
        return await self._create(name, config, "create")

    async def _create(self, name: str, config: Mapping[str, Any], action: str) -> dict[str, Any]:
        body = {"stream_name": self.stream.name, "config": config, "action": action}
        return await self._connection.call(f"CONSUMER.CREATE.{self.stream.name}.{name}", body)

    async def _policy(self, start: Begin) -> Mapping[str, Any]:
        if start is Start.LATEST:
            return self.stream.options.begin or {"deliver_policy": "new"}
        if start is Start.EARLIEST:
            return {"deliver_policy": "all"}
        return _from(await self.stream.sequence(start))

    async def find(self, consumer: NatsConsumer, following: int, made: str) -> str:
        """Return the name of a consumer now; make it anew where somebody removed it.

        Then it goes on from ``following``, or with all there is where the stream was ``made`` anew.
        """
        await self.stream.make_sure()
        name = (await self._known(anew=True)).get(consumer.id)
        if name is None:
            name = names.consumer_name(consumer.id, 0)
            is_same = made == self.stream.made
            policy = await self._policy(StartAt(following) if is_same else Start.EARLIEST)
            await self._make(consumer.id, name, policy, ordered=consumer.ordered)
            log.warning("a consumer was made anew", extra={"consumer": consumer.id})
        return name

    # -- another in its place ----------------------------------------------------------------

    async def renew(self, consumer_id: str, sequence: int) -> None:
        """Put a consumer that begins there in the place of the one there is, if there is one."""
        known = await self._known(anew=True)
        old = known.get(consumer_id)
        generation = 0 if old is None else names.generation_of(old) + 1
        name = names.consumer_name(consumer_id, generation)
        await self._make(consumer_id, name, _from(sequence), ordered=False)
        known[consumer_id] = name
        if old is not None:
            await self._connection.call(f"CONSUMER.DELETE.{self.stream.name}.{old}")
        self.stream.touched = True

    async def forget(self, consumer_id: str) -> None:
        """Remove a consumer, and what is kept beside the log for it."""
        await self.gone()
        name = (await self._known(anew=True)).pop(consumer_id, None)
        if name is not None:
            await self._connection.call(f"CONSUMER.DELETE.{self.stream.name}.{name}")
        await self.asides.open()
        self.asides.forget(names.plain(consumer_id))
        self.stream.touched = True

    # -- the end -----------------------------------------------------------------------------

    def left(self, consumer: NatsConsumer, leaving: Coroutine[Any, Any, None]) -> None:
        """Note that a consumer is closed, and have it leave."""
        self.opened.discard(consumer)
        task = asyncio.get_running_loop().create_task(leaving, name=f"leaving-{consumer.name}")
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    async def gone(self) -> None:
        """Wait until closed consumers have left."""
        if self._leaving:
            await asyncio.wait(list(self._leaving))


def _from(sequence: int) -> dict[str, Any]:
    return {"deliver_policy": "by_start_sequence", "opt_start_seq": max(sequence, 1)}
