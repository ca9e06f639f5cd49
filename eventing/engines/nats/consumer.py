"""A durable pull consumer: events as the server sends them, until it is closed."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Coroutine, Sequence
from typing import Any, Protocol

import orjson

from eventing.engines.event import StoredEvent
from eventing.engines.nats.asides import Aside, Kind
from eventing.engines.nats.faults import NatsError
from eventing.engines.nats.messages import stored_event
from eventing.engines.nats.names import delivery_of
from eventing.engines.nats.unsettled import RECALLED, Owner, Unsettled
from eventing.engines.nats.wire import Message

log = logging.getLogger(__name__)

_ACK, _NAK = b"+ACK", b"-NAK"
_BATCH = 1024
_LITTLE_BYTES = 4096
"""Below this events are asked for one by one: no smaller limit is of use to the server."""
_EXPIRES_SECONDS = 30
_PAUSE_SECONDS = 0.25


class Consumers(Owner, Protocol):
    """Who opens consumers."""

    async def find(self, consumer: NatsConsumer, following: int, made: str) -> str:
        """Return the name of a consumer now, made anew where it was removed."""

    def left(self, consumer: NatsConsumer, leaving: Coroutine[Any, Any, None]) -> None:
        """Note that a consumer is closed, and have it leave."""


class NatsConsumer(Unsettled):
    """One process's share of a subscription."""

    ordered = False

    def __init__(self, consumers: Consumers, consumer_id: str, name: str, following: int) -> None:
        super().__init__(consumers, consumer_id, following)
        self.name = name
        self._consumers = consumers
        self._made = consumers.stream.made
        self._inbox = self._connection.inbox()
        self._buffer: deque[StoredEvent] = deque()
        self._arrived = asyncio.Event()
        self._due = 0
        """How many events the server may still send for what was asked."""
        self._problem = ""
        self._closed = False

    async def start(self) -> None:
        """Listen for what is pulled."""
        await self._connection.subscribe(self._inbox, self._heard)
        self._connection.on_return(self._lost)

    # -- events ------------------------------------------------------------------------------

    def attach(self) -> bool:
        """There is no tail to follow in memory."""
        return False

    def claim(self, event: StoredEvent) -> None:
        """Never: nobody is attached."""
        raise RuntimeError("a consumer of NATS is not attached to a tail")

    def detach(self, event: StoredEvent) -> None:
        """Never: nobody is attached."""
        raise RuntimeError("a consumer of NATS is not attached to a tail")

    async def fetch(self, max_bytes: int) -> Sequence[StoredEvent]:
        """Return the next events; wait for one."""
        while not self._buffer:
            if self._problem:
                await self._mend()
            if self._due <= 0:
                self._pull(max_bytes)
            self._arrived.clear()
            await self._arrived.wait()
        return self._take(max_bytes)

    def _take(self, max_bytes: int) -> list[StoredEvent]:
        taken: list[StoredEvent] = []
        size = 0
        while self._buffer and (not taken or size < max_bytes):
            event = self._buffer.popleft()
            size += event.size
            taken.append(event)
        return taken

    def _pull(self, max_bytes: int) -> None:
        asked: dict[str, Any] = {"batch": 1, "expires": _EXPIRES_SECONDS * 10**9}
        if max_bytes > _LITTLE_BYTES:
            asked |= {"batch": _BATCH, "max_bytes": max_bytes}
        self._due = asked["batch"]
        self._ask(asked)

    def _ask(self, asked: dict[str, Any]) -> None:
        self._connection.pull(self._next, orjson.dumps(asked), self._inbox)

    @property
    def _next(self) -> str:
        """Where events are asked for."""
        return f"$JS.API.CONSUMER.MSG.NEXT.{self._log.stream.name}.{self.name}"

    def _lost(self) -> None:
        """What was asked before the connection was lost is not answered any more."""
        self._due = 0
        self._arrived.set()

    def _heard(self, message: Message) -> None:
        status, words = message.status
        if status:
            self._told(status, words)
            return
        if self._closed:
            self._connection.tell(message.reply, _NAK)
            return
        self._due -= 1
        self._given(message)
        if self._due <= 0:
            self._arrived.set()  # that may have been none to be given

    def _told(self, status: str, words: str) -> None:
        """The server ends a pull, at its time or because something is wrong."""
        if status == "100":
            return
        self._due = 0
        if status == "409" and "Exceeds MaxBytes" in words:
            self._pull(0)
            return
        if status == "503" or "Deleted" in words or "Shutdown" in words or "Leadership" in words:
            self._problem = words or "nobody answers"
        self._arrived.set()

    async def _mend(self) -> None:
        """Find the consumer again: it was moved, or the server is being started."""
        await asyncio.sleep(_PAUSE_SECONDS)
        try:
            self.name = await self._consumers.find(self, self._following, self._made)
            if self._made != self._log.stream.made:
                self._made, self._following = self._log.stream.made, 1
                self._open.clear()
            self._problem = ""
        except NatsError as error:
            log.info("a consumer is not there", extra={"consumer": self.id, "error": str(error)})

    def _given(self, message: Message) -> None:
        sequence, stored_ns = delivery_of(message.reply)
        self._following = max(self._following, sequence + 1)
        if sequence in self._open:
            if self._open[sequence] != RECALLED:
                self._open[sequence] = message.reply
            return
        aside = self._asides.of(self.tag).get(sequence)
        if aside is not None and aside.kind is not Kind.NOTE:
            self._connection.tell(message.reply, _ACK)
            return
        stream = self._log.stream
        event = stream.recent.get(stream.name, sequence)
        if event is None:
            event = stored_event(message.block, message.data, sequence, stored_ns)
            if event is not None:
                stream.recent.put(stream.name, event)
        if event is None:
            log.error("a message of the stream is no CloudEvent", extra={"sequence": sequence})
            self._connection.tell(message.reply, _ACK)
            return
        self._open[sequence] = message.reply
        self._offer(event)

    def _offer(self, event: StoredEvent) -> None:
        self._buffer.append(event)
        self._arrived.set()

    # -- the end -----------------------------------------------------------------------------

    def close(self) -> None:
        """Stop; whoever opens this consumer next is given what is unsettled."""
        if self._closed:
            return
        self._closed = True
        self._connection.off_return(self._lost)
        self._consumers.left(self, self._leave())

    async def _leave(self) -> None:
        await self._connection.unsubscribe(self._inbox)
        for sequence, reply in self._open.items():
            aside = self._asides.of(self.tag).get(sequence)
            if reply:
                self._connection.tell(reply, _NAK)
            elif aside is not None and aside.kind is Kind.RECALLED:
                self._asides.put(self.tag, sequence, Aside(Kind.RECALLED, aside.text))
        self._open.clear()
        self._buffer.clear()
