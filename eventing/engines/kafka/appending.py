"""Events become records of a topic; what Kafka refuses, whoever sent them is told of."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from confluent_kafka import KafkaError, KafkaException

from eventing.engines.event import RenderedEvent
from eventing.engines.kafka.client import Client
from eventing.engines.kafka.faults import KafkaFault, fault_of
from eventing.engines.kafka.messages import record_of
from eventing.engines.kafka.usage import Usage
from eventing.engines.seam import Appended, Refused

MAX_EVENT_BYTES = 1_000_000
_TYPES_BYTES = 2048
"""So much of what the broker knows of an event has room in a record beside it."""
_FULL_SECONDS = 5
_STATUSES = {
    KafkaError.MSG_SIZE_TOO_LARGE: 413,
    KafkaError.RECORD_LIST_TOO_LARGE: 413,
    KafkaError._QUEUE_FULL: 429,
}


class Appending:
    """``failed`` is told what Kafka refuses for other reasons than an event's size."""

    def __init__(
        self, client: Client, topic: str, usage: Usage, failed: Callable[[KafkaFault], None]
    ) -> None:
        self._client = client
        self._topic = topic
        self._usage = usage
        self._failed = failed

    def append(self, events: Sequence[RenderedEvent], done: Appended, *, own: bool) -> None:
        """Write all of the events, or raise Refused.

        Where Kafka takes some of them and not others, all are refused, and come again.
        """
        size = sum(event.size for event in events)
        self._check(events, size, own=own)
        self._usage.pending_bytes += size
        left = len(events)
        problem: KafkaError | None = None

        def answered(error: KafkaError | None) -> None:
            nonlocal left, problem
            left -= 1
            problem = problem or error
            if not left:
                self._appended(done, size, len(events), problem)

        for number, event in enumerate(events):
            try:
                self._client.produce(self._topic, record_of(event), answered)
            except (BufferError, KafkaException) as error:
                what = KafkaError._QUEUE_FULL if isinstance(error, BufferError) else error.args[0]
                problem = what if isinstance(what, KafkaError) else KafkaError(what)
                for _ in events[number:]:
                    self._client.loop.call_soon(answered, problem)
                return

    def _check(self, events: Sequence[RenderedEvent], size: int, *, own: bool) -> None:
        limits = self._client.limits
        for event in events:
            more = max(0, len(event.types) - _TYPES_BYTES)
            if len(event.head) + len(event.data) + more > MAX_EVENT_BYTES:
                text = f"the event is larger than Kafka takes ({MAX_EVENT_BYTES} bytes)"
                raise Refused(text, status=413)
        if self._usage.pending_bytes + size > limits.pending_bytes:
            raise Refused("too many events are waiting for Kafka", status=429)
        if self._usage.lags and self._usage.needed_bytes > limits.log_bytes * (2 if own else 1):
            raise Refused(
                "the broker's log is full until its slowest Trigger has caught up",
                status=429,
                retry_after=_FULL_SECONDS,
            )

    def _appended(self, done: Appended, size: int, count: int, error: KafkaError | None) -> None:
        self._usage.answered(size, count, is_stored=error is None)
        if error is None:
            done(None)
            return
        fault = fault_of(error, f"the event cannot be stored in topic {self._topic}")
        if error.code() not in _STATUSES:
            self._failed(fault)
        done(Refused(str(fault), status=_STATUSES.get(error.code(), 503)))
