"""Events into a stream: several at once, all or none, each acknowledged by the server."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from functools import partial

from eventing.engines.event import RenderedEvent, StoredEvent
from eventing.engines.nats.faults import FULL, HAS_DUPLICATES, NOBODY, NatsError, full, refusal
from eventing.engines.nats.faults import result_of as read
from eventing.engines.nats.messages import block_for, message_id
from eventing.engines.nats.stream import Stream
from eventing.engines.nats.wire import Message
from eventing.engines.seam import Appended, Refused

Done = Callable[[NatsError | None], None]

_MOST_OF_A_BATCH = 1000
"""The server's own limit (ADR-50)."""
_TYPES_BYTES = 2048
"""So much of what the broker knows of an event has room in a message beside it."""


class Appending:
    """``is_read``: whether somebody here is sent what is appended."""

    def __init__(self, stream: Stream, is_read: Callable[[], bool]) -> None:
        self.pending_bytes = 0
        self.closed = False
        self._stream = stream
        self._connection = stream.connection
        self._is_read = is_read

    def append(self, events: Sequence[RenderedEvent], done: Appended, *, own: bool) -> None:
        """Publish all of the events or none, or raise Refused."""
        size = sum(event.size for event in events)
        self._check(events, size, own=own)
        self.pending_bytes += size
        answered = partial(self._appended, done, size)
        if len(events) == 1:
            self._publish(events[0], b"", answered, own=own)
        else:
            self._publish_all(events, answered, own=own)

    def _check(self, events: Sequence[RenderedEvent], size: int, *, own: bool) -> None:
        if self.closed or not self._connection.is_connected:
            raise Refused("the broker has no connection to NATS")
        most = self._connection.max_event_bytes
        for event in events:
            more = max(0, len(event.types) - _TYPES_BYTES)
            if len(event.head) + len(event.data) + more > most:
                raise Refused(f"the event is larger than NATS takes ({most} bytes)", status=413)
        if len(events) > _MOST_OF_A_BATCH:
            raise Refused(f"NATS takes {_MOST_OF_A_BATCH} events at once at most", status=413)
        if self.pending_bytes + size > self._stream.limits.pending_bytes:
            raise Refused("too many events are waiting for NATS", status=429)
        stream = self._stream
        if stream.size + stream.unseen_bytes + self.pending_bytes > stream.room(own=own):
            stream.look_soon()
            raise full()

    def _publish(self, event: RenderedEvent, more: bytes, done: Done, *, own: bool) -> None:
        block = block_for(event, more if own else more + message_id(event))
        answered = partial(self._acknowledged, done, event)
        self._connection.ask(self._stream.subject, event.data, answered, block=block)

    def _acknowledged(self, done: Done, event: RenderedEvent, found: Message | NatsError) -> bool:
        try:
            if isinstance(found, NatsError):
                raise found
            said = read(found.data)
        except NatsError as error:
            done(error)
            return True
        if self._is_read() and not said.get("duplicate") and "batch" not in said:
            # What it is sent for need not be read again off what the server sends.
            stored = StoredEvent(
                event.arrival_ns,
                event.ttl,
                event.head,
                event.types,
                event.data,
                event.attributes,
                int(said["seq"]),
            )
            self._stream.recent.put(self._stream.name, stored)
        done(None)
        return True

    def _publish_all(self, events: Sequence[RenderedEvent], done: Done, *, own: bool) -> None:
        """All of them in one batch, of which the last is answered for all (ADR-50)."""
        batch_id = secrets.token_hex(16).encode()
        batch = b"Nats-Batch-Id: %b\r\nNats-Batch-Sequence: %d\r\n"
        for number, event in enumerate(events[:-1], 1):
            more = batch % (batch_id, number) + (b"" if own else message_id(event))
            self._connection.publish(self._stream.subject, event.data, block_for(event, more))
        last = batch % (batch_id, len(events)) + b"Nats-Batch-Commit: 1\r\n"

        def answered(error: NatsError | None) -> None:
            if error is not None and error.code == HAS_DUPLICATES:
                self._one_by_one(list(events), done)
            else:
                done(error)

        self._publish(events[-1], last, answered, own=own)

    def _one_by_one(self, events: list[RenderedEvent], done: Done) -> None:
        """Some of a batch are there already, for it is sent again: what is missing is added."""

        def answered(error: NatsError | None) -> None:
            if error is not None or not events:
                done(error)
            else:
                self._publish(events.pop(0), b"", answered, own=False)

        answered(None)

    def _appended(self, done: Appended, size: int, error: NatsError | None) -> None:
        self.pending_bytes -= size
        if error is None:
            self._stream.unseen_bytes += size
            self._stream.touched = True
            if self._stream.problem:
                self._stream.well()
            done(None)
        else:
            if error.code in (*FULL, NOBODY):
                self._stream.look_soon()
            done(refusal(error))
