"""What a consumer is given next, of those partitions that are this process's."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Protocol

from eventing.engines.cursor import CursorState
from eventing.engines.event import StoredEvent
from eventing.engines.kafka.faults import KafkaFault
from eventing.engines.kafka.share import Share
from eventing.engines.kafka.tails import Portion, Tail

log = logging.getLogger(__name__)

_PAUSE_SECONDS = 0.25


class Source(Protocol):
    """What is needed of a log."""

    @property
    def tails(self) -> Mapping[int, Tail]:
        """Of the partitions that are this process's."""

    async def read_on(self, places: Mapping[int, int], max_bytes: int) -> Mapping[int, Portion]:
        """Read from places on, as far as there is something."""

    async def wait(self) -> None:
        """Wait until something has come, or partitions have changed hands."""

    def gone(self, consumer_id: str, partition: int, count: int) -> None:
        """Note that so many events went before a consumer had settled them."""


class Taking:
    """Near the end events come from the tail in memory; who is behind reads on by itself."""

    def __init__(self, source: Source, consumer_id: str) -> None:
        self.shares: dict[int, Share] = {}
        self._gone: dict[int, Share] = {}
        """Of partitions that others may have now; what is settled of them may still count."""
        self._source = source
        self._id = consumer_id
        self._turns: deque[int] = deque()

    def begin(self, partition: int, state: CursorState) -> None:
        """Take a partition over where the last process left it.

        If that was this one, and no other since, what it was given then is still worked on.
        """
        if partition not in self.shares:
            gone = self._gone.pop(partition, None)
            is_ours = gone is not None and gone.saved == state
            self.shares[partition] = gone if gone is not None and is_ours else Share(state)
            self._turns.append(partition)

    def end(self, partition: int) -> None:
        """Let go of a partition."""
        if partition in self.shares:
            self._gone[partition] = self.shares.pop(partition)
            self._turns.remove(partition)

    def restart(self) -> None:
        """Let go of all."""
        self.shares.clear()
        self._gone.clear()
        self._turns.clear()

    def share(self, partition: int) -> Share | None:
        """Return how far it is or was in a partition, as far as this process knows."""
        return self.shares.get(partition) or self._gone.get(partition)

    async def next(self, max_bytes: int) -> Sequence[StoredEvent]:
        """Return the next events; nothing where something else may have happened meanwhile."""
        if taken := self._from_tails(max_bytes):
            return taken
        if behind := self._behind():
            return await self._read_on(behind, max_bytes)
        await self._source.wait()
        return ()

    def _from_tails(self, max_bytes: int) -> list[StoredEvent]:
        """Events of all partitions in turn."""
        taken: list[StoredEvent] = []
        for _ in range(len(self._turns)):
            partition = self._turns[0]
            self._turns.rotate(-1)
            share, tail = self.shares[partition], self._source.tails.get(partition)
            while tail is not None and tail.has(share.following):
                portion = tail.since(share.following, max_bytes)
                is_new = portion.following > share.following
                taken += share.take(portion)
                if taken or not is_new:
                    break
            if sum(event.size for event in taken) >= max_bytes:
                break
        return taken

    def _behind(self) -> dict[int, int]:
        """Where to read on by itself."""
        tails = self._source.tails
        return {
            partition: share.following
            for partition, share in self.shares.items()
            if partition in tails
            and tails[partition].end
            and not tails[partition].has(share.following)
        }

    async def _read_on(self, places: Mapping[int, int], max_bytes: int) -> list[StoredEvent]:
        taken: list[StoredEvent] = []
        try:
            found = await self._source.read_on(places, max_bytes)
        except KafkaFault as error:
            log.warning("events wait", extra={"consumer": self._id, "error": str(error)})
            await asyncio.sleep(_PAUSE_SECONDS)
            return []
        for partition, portion in found.items():
            share = self.shares.get(partition)
            if share is not None and share.following == places[partition]:
                if gone := share.passed(portion.oldest):
                    self._source.gone(self._id, partition, gone)
                taken += share.take(portion)
        return taken

    async def again(self, partition: int, offset: int) -> StoredEvent | None:
        """Read one event once more, and open it; None where it is not set aside, or has gone."""
        if not self.is_parked(partition, offset):
            return None
        found = await self._source.read_on({partition: offset}, 1)
        if not self.is_parked(partition, offset):
            return None  # others may have been here meanwhile
        cursor = self.shares[partition].cursor
        for event in found[partition].events:
            if event.position == (partition, offset):
                cursor.recall(offset)
                return event
        cursor.done(offset)
        self._source.gone(self._id, partition, 1)
        return None

    def is_parked(self, partition: int, offset: int) -> bool:
        """Whether an event is set aside, in a partition of this process."""
        share = self.shares.get(partition)
        return share is not None and share.cursor.is_parked(offset)
