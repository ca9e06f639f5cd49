"""Reading a topic without being a consumer, and finding a moment in it."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from confluent_kafka.admin import OffsetSpec

from eventing.engines.event import StoredEvent
from eventing.engines.kafka.client import Client
from eventing.engines.kafka.messages import Record, stored_event
from eventing.engines.kafka.reader import Reader
from eventing.engines.kafka.share import At

log = logging.getLogger(__name__)

_SCAN_BYTES = 1024 * 1024


def event_at(record: Record, at: At) -> StoredEvent | None:
    """Return the event of a record; None, and a word in the log, where it is none."""
    try:
        return stored_event(record, at)
    except ValueError as error:  # a CodecError, or headers of ours that somebody else wrote
        facts = {"partition": at.partition, "offset": at.offset, "error": str(error)}
        log.error("a record of the topic is no CloudEvent", extra=facts)
        return None


class KafkaReading:
    """Reads all partitions from somewhere on, whatever consumers do."""

    def __init__(self, reader: Reader, topic: str, places: Mapping[int, int]) -> None:
        self._reader = reader
        self._topic = topic
        self._places = dict(places)

    async def fetch(self, max_bytes: int) -> Sequence[StoredEvent]:
        """Return the next events there are; nothing at the end."""
        while True:
            found, self._places = await self._reader.read(self._topic, self._places, max_bytes)
            if not found:
                return ()
            events = [
                event_at(each.record, At(each.partition, each.offset))
                for each in found
                if each.record is not None
            ]
            if taken := [event for event in events if event is not None]:
                return taken


async def first_since(
    client: Client, reader: Reader, topic: str, partitions: Sequence[int], arrival_ns: int
) -> dict[int, int]:
    """Return of each partition the first event that arrived then or later, or its end.

    Kafka knows to the millisecond where to begin to look.
    """
    at_time = OffsetSpec.for_timestamp(max(arrival_ns, 0) // 1_000_000)
    hints = await client.offsets(topic, partitions, at_time)
    ends = await client.ends(topic, partitions)
    found = {}
    for partition in partitions:
        found[partition] = ends[partition]
        if hints[partition] < 0:
            continue
        place = {partition: hints[partition]}
        reading = KafkaReading(reader, topic, place)
        while events := await reading.fetch(_SCAN_BYTES):
            later = [e for e in events if e.arrival_ns >= arrival_ns]
            if later:
                position = later[0].position
                assert isinstance(position, At)
                found[partition] = position.offset
                break
    return found
