"""A durable pull consumer: what it was given and is not acknowledged is kept alive meanwhile.

JetStream gives an event again that was not acknowledged in time, to whoever pulls. So what is
unsettled here says again and again that it is being worked on; what another process had is given
to us when that one is silent for long enough.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from typing import Any, Protocol, cast

import orjson
from nats.aio.msg import Msg

from eventing.engines.event import Position, StoredEvent
from eventing.engines.nats.asides import Aside, Asides, Kind
from eventing.engines.nats.config import NatsLimits
from eventing.engines.nats.connection import Connection, NatsError
from eventing.engines.nats.messages import stored_event
from eventing.engines.nats.names import delivery_of, plain
from eventing.engines.nats.reading import event_of
from eventing.engines.nats.recent import Recent
from eventing.engines.nats.wire import block_of, status_of

log = logging.getLogger(__name__)

_ACK, _NAK, _WORKING = b"+ACK", b"-NAK", b"+WPI"
_BATCH = 1024
_LITTLE_BYTES = 4096
"""Below this events are asked for one by one: no smaller limit is of use to the server."""
_EXPIRES_SECONDS = 30
_PAUSE_SECONDS = 0.25
_RECALLED = ""
"""In the place of where to acknowledge: the server has that long ago."""


class Owner(Protocol):
    """What a consumer needs of its log."""

    connection: Connection
    asides: Asides
    stream: str
    made: str
    limits: NatsLimits
    recent: Recent
    clock: Callable[[], float]
    touched: bool
    """Whether the next checkpoint has something to look at."""

    async def find(self, consumer_id: str, following: int, made: str) -> str:
        """Return the name of a consumer now, made anew where it was removed."""

    def left(self, consumer: NatsConsumer, leaving: Coroutine[Any, Any, None]) -> None:
        """Note that a consumer is closed, and have it leave."""


class NatsConsumer:
    """One process's share of a subscription."""

    def __init__(self, owner: Owner, consumer_id: str, name: str, following: int) -> None:
        self.id = consumer_id
        self.name = name
        self.tag = plain(consumer_id)
        """By which it is known beside the log."""
        self._log = owner
        self._connection = owner.connection
        self._asides = owner.asides
        self._made = owner.made
        self._inbox = self._connection.inbox()
        self._open: dict[int, str] = {}
        """Unsettled events, and where they are acknowledged."""
        self._older: set[int] = set()
        """Those that were open when it was last said that they are worked on."""
        self._following = following
        """The first event that nobody was given, as far as is known here."""
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
        asked = {"batch": 1, "expires": _EXPIRES_SECONDS * 10**9}
        if max_bytes > _LITTLE_BYTES:
            asked |= {"batch": _BATCH, "max_bytes": max_bytes}
        self._due = asked["batch"]
        verb = f"$JS.API.CONSUMER.MSG.NEXT.{self._log.stream}.{self.name}"
        self._connection.pull(verb, orjson.dumps(asked), self._inbox)

    def _lost(self) -> None:
        """What was asked before the connection was lost is not answered any more."""
        self._due = 0
        self._arrived.set()

    def _heard(self, message: Msg) -> None:
        status, words = status_of(message)
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
            self.name = await self._log.find(self.id, self._following, self._made)
            if self._made != self._log.made:
                self._made, self._following = self._log.made, 1
                self._open.clear()
            self._problem = ""
        except NatsError as error:
            log.info("a consumer is not there", extra={"consumer": self.id, "error": str(error)})

    def _given(self, message: Msg) -> None:
        sequence, stored_ns = delivery_of(message.reply)
        self._following = max(self._following, sequence + 1)
        if sequence in self._open:
            if self._open[sequence] != _RECALLED:
                self._open[sequence] = message.reply
            return
        aside = self._asides.of(self.tag).get(sequence)
        if aside is not None and aside.kind is not Kind.NOTE:
            self._connection.tell(message.reply, _ACK)
            return
        event = self._log.recent.get(self._log.stream, sequence)
        if event is None:
            event = stored_event(block_of(message), message.data, sequence, stored_ns)
            if event is not None:
                self._log.recent.put(self._log.stream, event)
        if event is None:
            log.error("a message of the stream is no CloudEvent", extra={"sequence": sequence})
            self._connection.tell(message.reply, _ACK)
            return
        self._open[sequence] = message.reply
        self._offer(event)

    def _offer(self, event: StoredEvent) -> None:
        self._buffer.append(event)
        self._arrived.set()

    def settle(self, event: StoredEvent) -> None:
        """Acknowledge an event."""
        sequence = cast(int, event.position)
        reply = self._open.pop(sequence, None)
        if reply:
            self._connection.tell(reply, _ACK)
            self._log.touched = True
        if sequence in self._asides.of(self.tag):
            self._asides.put(self.tag, sequence, None)

    def needs(self, event: StoredEvent) -> bool:
        """Whether an event is still to be settled here, as far as this process knows."""
        sequence = cast(int, event.position)
        if self._is_parked(sequence):
            return False
        return sequence in self._open or sequence >= self._following

    # -- notes and what is set aside ---------------------------------------------------------

    def note(self, event: StoredEvent, text: str) -> None:
        """Keep a text with an unsettled event."""
        sequence = cast(int, event.position)
        reply = self._open.get(sequence)
        if reply is None:
            return
        if reply == _RECALLED:
            self._put_recalled(sequence, text)
        else:
            self._asides.put(self.tag, sequence, Aside(Kind.NOTE, text) if text else None)

    def note_of(self, event: StoredEvent) -> str:
        """Return what is kept with an event."""
        found = self._asides.of(self.tag).get(cast(int, event.position))
        return found.text if found is not None else ""

    def park(self, event: StoredEvent, text: str) -> None:
        """Set an event aside; it is acknowledged once that is durable."""
        sequence = cast(int, event.position)
        reply = self._open.get(sequence)
        if reply is None:
            return

        def stored() -> None:
            aside = self._asides.of(self.tag).get(sequence)
            if aside is None or aside.kind is Kind.PARKED:
                self._open.pop(sequence, None)
            if reply:
                self._connection.tell(reply, _ACK)

        self._asides.put(self.tag, sequence, Aside(Kind.PARKED, text or "-"), stored)

    def parked(self) -> Mapping[Position, str]:
        """Return what is set aside."""
        found = self._asides.of(self.tag)
        return {at: found[at].text for at in sorted(found) if found[at].kind is Kind.PARKED}

    async def recall(self, positions: Collection[Position]) -> Sequence[StoredEvent]:
        """Read events again that were set aside; those that are gone are settled."""
        wanted = sorted(cast(Collection[int], positions))
        return await self._recall([at for at in wanted if self._is_parked(at)])

    async def _recall(self, sequences: Sequence[int]) -> list[StoredEvent]:
        found: list[StoredEvent] = []
        for sequence in sequences:
            messages = await self._connection.direct(self._log.stream, {"seq": sequence})
            aside = self._asides.of(self.tag).get(sequence)
            event = event_of(messages[0]) if messages else None
            if aside is None or (sequence in self._open and self._open[sequence] == _RECALLED):
                continue  # others may have been here meanwhile
            if event is None:
                self._asides.put(self.tag, sequence, None)
                continue
            self._open[sequence] = _RECALLED
            self._put_recalled(sequence, aside.text)
            found.append(event)
        return found

    def _put_recalled(self, sequence: int, text: str) -> None:
        until = self._log.clock() + 2 * self._log.limits.ack_seconds
        self._asides.put(self.tag, sequence, Aside(Kind.RECALLED, text, until))

    def _is_parked(self, sequence: int) -> bool:
        aside = self._asides.of(self.tag).get(sequence)
        return aside is not None and aside.kind is Kind.PARKED

    def discard(self, positions: Collection[Position]) -> int:
        """Settle events that are set aside."""
        found = [at for at in cast(Collection[int], positions) if self._is_parked(at)]
        for sequence in found:
            self._asides.put(self.tag, sequence, None)
        return len(found)

    # -- keeping it alive --------------------------------------------------------------------

    def unsettled(self, below: int) -> list[int]:
        """Return what it was given below a sequence number, and is not settled."""
        return [at for at, reply in self._open.items() if at < below and reply != _RECALLED]

    async def keep_alive(self) -> None:
        """Say that what is unsettled is worked on; take over what others left."""
        for sequence in self._older & self._open.keys():
            reply = self._open[sequence]
            if reply:
                self._connection.tell(reply, _WORKING)
        self._older = set(self._open)
        await self.take_over()

    async def take_over(self) -> None:
        """Work on what was recalled and nobody works on any more."""
        now = self._log.clock()
        left: list[int] = []
        for sequence, aside in list(self._asides.of(self.tag).items()):
            if aside.kind is not Kind.RECALLED:
                continue
            if self._open.get(sequence) == _RECALLED:
                if aside.until - now < self._log.limits.ack_seconds:
                    self._put_recalled(sequence, aside.text)
            elif aside.until < now:
                left.append(sequence)
        for event in await self._recall(sorted(left)):
            self._offer(event)

    # -- the end -----------------------------------------------------------------------------

    def close(self) -> None:
        """Stop; whoever opens this consumer next is given what is unsettled."""
        if self._closed:
            return
        self._closed = True
        self._connection.off_return(self._lost)
        self._log.left(self, self._leave())

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
