"""What all consumers of librdkafka have in common here: their settings, and what they say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from confluent_kafka import Consumer, KafkaError, Message

from eventing.engines.kafka.client import Client
from eventing.engines.kafka.faults import fault_of
from eventing.engines.kafka.messages import Record

POLL_SECONDS = 0.1
MOST_AT_ONCE = 500
_AHEAD = {"queued.max.messages.kbytes": "4096"}
"""What a consumer reads ahead of us; librdkafka's own 64 MiB would be for each."""
_OURS = {
    "group.id": "hearth-none",
    "enable.auto.commit": "false",
    "enable.auto.offset.store": "false",
    "enable.partition.eof": "true",
    "auto.offset.reset": "earliest",
    "isolation.level": "read_committed",
}


class Read(NamedTuple):
    """One thing that a partition said: a record, or that it ends here."""

    partition: int
    offset: int
    record: Record | None


def consumer_of(client: Client, settings: Mapping[str, Any]) -> Consumer:
    """Make a consumer. Only the thread that polls it may close it."""
    said = _AHEAD | dict(client.server.consumer)
    return Consumer({**client.server.common(), **said, **_OURS, **settings})


def read_of(message: Message) -> Read:
    """Return what a message says; raise KafkaFault for an error."""
    error = message.error()
    partition, offset = message.partition() or 0, message.offset() or 0
    if error is None:
        record = Record(message.key(), message.value(), _headers(message), message.timestamp()[1])
        return Read(partition, offset, record)
    if error.code() == KafkaError._PARTITION_EOF:
        return Read(partition, offset, None)
    raise fault_of(error, f"topic {message.topic()} cannot be read")


def _headers(message: Message) -> list[tuple[str, bytes]]:
    found: Any = message.headers() or []
    return [(name, b"" if value is None else value) for name, value in found]
