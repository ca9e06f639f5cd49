"""Writing records: librdkafka's threads tell of deliveries, and one poll wakes the loop once."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable, Collection
from functools import partial

from confluent_kafka import KafkaError, Message, Producer

from eventing.engines.kafka.config import KafkaServer
from eventing.engines.kafka.faults import SPOILT, KafkaFault, fault_of
from eventing.engines.kafka.messages import Record

Answered = Callable[[KafkaError | None], None]

_POLL_SECONDS = 0.1
MAX_MESSAGE_BYTES = 1_048_588
"""What a broker takes as it comes (``message.max.bytes``)."""
_OURS = {
    "enable.idempotence": "true",
    "acks": "all",
    "partitioner": "murmur2_random",  # a key lies where Java's clients put it
    "message.max.bytes": str(MAX_MESSAGE_BYTES),
    "queue.buffering.max.messages": "100000",
}


def producer_of(
    server: KafkaServer, seconds: float, heard_error: Callable[[KafkaError], None]
) -> Producer:
    """Make a producer whose records are refused where they wait longer than so many seconds."""
    timeout = str(int(seconds * 1000))
    ours = {
        "message.timeout.ms": timeout,
        "topic.metadata.propagation.max.ms": timeout,
        "error_cb": heard_error,
    }
    return Producer({**server.common(), "linger.ms": "0", **server.producer, **_OURS, **ours})


class Producing:
    """One producer at a time. One that may not agree with Kafka on what comes next is replaced.

    Use on the event loop.
    """

    def __init__(self, producer: Producer, another: Callable[[], Producer]) -> None:
        self._another = another
        self._loop = asyncio.get_running_loop()
        self._threads: list[threading.Thread] = []
        self._answers: deque[tuple[Producer, Answered, KafkaError | None]] = deque()
        self._closed = threading.Event()
        self._producer = producer
        self._use(producer)

    def _use(self, producer: Producer) -> None:
        """Write with this one from now on; one before it ends once all is told."""
        self._producer = producer
        thread = threading.Thread(
            target=self._poll, args=(producer,), name="kafka-producer", daemon=True
        )
        self._threads = [each for each in self._threads if each.is_alive()] + [thread]
        thread.start()

    def produce(self, topic: str, record: Record, answered: Answered) -> None:
        """Write a record; raise BufferError where too many wait. Its order is that of calls."""
        self._producer.produce(
            topic,
            value=record.value,
            key=record.key,
            headers=list(record.headers),
            timestamp=record.timestamp_ms,
            on_delivery=partial(self._delivered, self._producer, answered),
        )

    def _delivered(
        self, producer: Producer, answered: Answered, error: KafkaError | None, _: Message
    ) -> None:
        self._answers.append((producer, answered, error))

    def _poll(self, producer: Producer) -> None:
        while not self._closed.is_set() and (producer is self._producer or len(producer)):
            producer.poll(_POLL_SECONDS)
            if self._answers:
                with contextlib.suppress(RuntimeError):  # the loop may have ended
                    self._loop.call_soon_threadsafe(self._tell)

    def _tell(self) -> None:
        while self._answers:
            producer, answered, error = self._answers.popleft()
            is_spoilt = error is not None and (error.fatal() or error.code() in SPOILT)
            if is_spoilt and producer is self._producer and not self._closed.is_set():
                self._use(self._another())
            answered(error)

    async def write(self, topic: str, records: Collection[Record]) -> None:
        """Write records and wait until all are durable; raise KafkaFault."""
        left, done = len(records), self._loop.create_future()

        def answered(error: KafkaError | None) -> None:
            nonlocal left
            left -= 1
            if done.done():
                return
            if error is not None:
                done.set_exception(fault_of(error, f"topic {topic} cannot be written"))
            elif not left:
                done.set_result(None)

        try:
            for record in records:
                self.produce(topic, record, answered)
        except BufferError as error:
            done.cancel()
            raise KafkaFault("too many records are waiting for Kafka") from error
        if records:
            await done

    def abort(self) -> None:
        """As if the process had been killed: what is under way is not waited for."""
        self._producer.purge()
        self._closed.set()

    async def close(self, seconds: float) -> None:
        """Wait so long for what is under way, and let go."""
        if not self._closed.is_set():
            await asyncio.to_thread(self._producer.flush, seconds)
        self._closed.set()
        for thread in self._threads:
            await asyncio.to_thread(thread.join)
        self._tell()
