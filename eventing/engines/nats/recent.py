"""Events that were read a moment ago: each consumer is sent its own copy, and one is enough. Pure.

Consumers of a log come to the same event one soon after the other. What the first of them read is
given to the others, too, so its attributes are read once, and memory holds it once.
"""

from __future__ import annotations

from collections import OrderedDict

from eventing.engines.event import StoredEvent

MOST_BYTES = 16 * 1024 * 1024
"""What is kept of all logs together."""


class Recent:
    """By the stream and the sequence number."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most = most_bytes
        self._bytes = 0
        self._events: OrderedDict[tuple[str, int], StoredEvent] = OrderedDict()

    def get(self, stream: str, sequence: int) -> StoredEvent | None:
        """Return an event that was read shortly before."""
        return self._events.get((stream, sequence))

    def put(self, stream: str, event: StoredEvent) -> None:
        """Remember an event; the oldest are forgotten."""
        sequence = event.position
        assert isinstance(sequence, int)
        self._events[stream, sequence] = event
        self._bytes += event.size
        while self._bytes > self._most:
            _, oldest = self._events.popitem(last=False)
            self._bytes -= oldest.size

    def forget(self, stream: str) -> None:
        """Forget the events of a stream: one made anew counts from 1 again."""
        for named in [each for each in self._events if each[0] == stream]:
            self._bytes -= self._events.pop(named).size
