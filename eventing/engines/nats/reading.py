"""Reading a stream without being a consumer: JetStream's direct reads."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from eventing.engines.event import StoredEvent
from eventing.engines.nats.connection import Connection
from eventing.engines.nats.messages import headers_of, stored_event
from eventing.engines.nats.wire import Message

_BATCH = 256
_CLOCK_NS = 1_000_000_000
"""Several processes stamp events: those of a moment may lie so far from each other."""


def sequence_of(message: Message) -> int:
    """Return where a message that was read directly lies."""
    return int(headers_of(message.block)["Nats-Sequence"])


def event_of(message: Message) -> StoredEvent | None:
    """Return the event of a message that was read directly."""
    headers = headers_of(message.block)
    stored = datetime.fromisoformat(headers["Nats-Time-Stamp"][:26].rstrip("Z") + "+00:00")
    sequence, stored_ns = int(headers["Nats-Sequence"]), int(stored.timestamp() * 1e9)
    return stored_event(message.block, message.data, sequence, stored_ns)


class NatsReading:
    """Reads from a sequence number on, whatever consumers do."""

    def __init__(self, connection: Connection, stream: str, sequence: int) -> None:
        self._connection = connection
        self._stream = stream
        self._sequence = max(sequence, 1)

    async def fetch(self, max_bytes: int) -> Sequence[StoredEvent]:
        """Return the next events there are; nothing at the end."""
        while True:
            asked = {"seq": self._sequence, "batch": _BATCH, "max_bytes": max(max_bytes, 1)}
            messages = await self._connection.direct(self._stream, asked)
            if not messages:
                return ()
            self._sequence = sequence_of(messages[-1]) + 1
            events = [event for event in map(event_of, messages) if event is not None]
            if events:
                return events


async def first_since(connection: Connection, stream: str, arrival_ns: int, end: int) -> int:
    """Return the sequence number of the first event that arrived then or later; else ``end``."""
    low, high = 1, end
    while low < high:
        middle = (low + high) // 2
        found = await _next(connection, stream, middle)
        if found is not None and found.arrival_ns < arrival_ns - _CLOCK_NS:
            low = int(str(found.position)) + 1
        else:
            high = middle
    reading = NatsReading(connection, stream, low)
    while events := await reading.fetch(1024 * 1024):
        for event in events:
            if event.arrival_ns >= arrival_ns:
                return int(str(event.position))
    return end


async def _next(connection: Connection, stream: str, sequence: int) -> StoredEvent | None:
    """The first event from a sequence number on."""
    asked = {"seq": sequence, "batch": 1}
    messages = await connection.direct(stream, asked)
    return event_of(messages[0]) if messages else None
