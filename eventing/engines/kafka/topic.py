"""The topic of a log: where its partitions begin and end, and what lies in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from eventing.engines.event import StoredEvent
from eventing.engines.kafka.client import Client
from eventing.engines.kafka.reader import Reader
from eventing.engines.kafka.reading import KafkaReading, event_at, first_since
from eventing.engines.kafka.share import At
from eventing.engines.kafka.tails import Portion
from eventing.engines.seam import Begin, Start, StartTime


class KafkaTopic:
    """Asks Kafka; remembers nothing but its name and partitions."""

    def __init__(self, client: Client, reader: Reader, name: str, partitions: Sequence[int]):
        self.client = client
        self.name = name
        self.partitions = list(partitions)
        self._reader = reader

    async def begins(self) -> dict[int, int]:
        """Return the oldest record of each partition."""
        return await self.client.begins(self.name, self.partitions)

    async def ends(self) -> dict[int, int]:
        """Return one past the newest record of each partition."""
        return await self.client.ends(self.name, self.partitions)

    async def read_on(self, places: Mapping[int, int], max_bytes: int) -> dict[int, Portion]:
        """Read from places on, as far as there is something."""
        found, following = await self._reader.read(self.name, places, max_bytes)
        events: dict[int, list[StoredEvent]] = {partition: [] for partition in places}
        firsts = dict(following)
        for partition, offset, record in found:
            firsts[partition] = min(firsts[partition], offset)
            event = event_at(record, At(partition, offset)) if record is not None else None
            if event is not None:
                events[partition].append(event)
        leaps = [each for each, place in places.items() if firsts[each] > place]
        oldest = await self.client.begins(self.name, leaps) if leaps else {}
        return {
            each: Portion(events[each], following[each], oldest.get(each, 0)) for each in places
        }

    async def places(self, begin: Begin) -> dict[int, int]:
        """Where to begin in each partition."""
        if begin is Start.LATEST:
            return await self.ends()
        if begin is Start.EARLIEST:
            return await self.begins()
        if isinstance(begin, StartTime):
            return await self._since(begin.arrival_ns)
        at = cast(At, begin.position)
        events = (await self.read_on({at.partition: at.offset}, 1))[at.partition].events
        places = await self._since(events[0].arrival_ns) if events else await self.ends()
        return places | {at.partition: at.offset}

    async def _since(self, arrival_ns: int) -> dict[int, int]:
        return await first_since(self.client, self._reader, self.name, self.partitions, arrival_ns)

    async def look(self, begin: Begin) -> KafkaReading:
        """Read without being a consumer."""
        return KafkaReading(self._reader, self.name, await self.places(begin))
