"""What a process was given of a subscription and has not settled: kept alive, noted, set aside.

JetStream gives an event again that was not acknowledged in time, to whoever pulls. So what is
unsettled here says again and again that it is being worked on; what another process had is given
to us when that one is silent for long enough.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol, cast

from eventing.engines.event import Position, StoredEvent
from eventing.engines.nats.asides import Aside, Asides, Kind
from eventing.engines.nats.config import NatsLimits
from eventing.engines.nats.names import plain
from eventing.engines.nats.reading import event_of
from eventing.engines.nats.stream import Stream

_ACK, _WORKING = b"+ACK", b"+WPI"
RECALLED = ""
"""In the place of where to acknowledge: the server has that long ago."""


class Owner(Protocol):
    """What is needed of all consumers of a log."""

    stream: Stream
    asides: Asides
    limits: NatsLimits
    clock: Callable[[], float]


class Unsettled:
    """Of one consumer."""

    def __init__(self, owner: Owner, consumer_id: str, following: int) -> None:
        self.id = consumer_id
        self.tag = plain(consumer_id)
        """By which it is known beside the log."""
        self._log = owner
        self._connection = owner.stream.connection
        self._asides = owner.asides
        self._open: dict[int, str] = {}
        """Unsettled events, and where they are acknowledged."""
        self._older: set[int] = set()
        """Those that were open when it was last said that they are worked on."""
        self._following = following
        """The first event that nobody was given, as far as is known here."""

    @abstractmethod
    def _offer(self, event: StoredEvent) -> None:
        """Have an event fetched."""

    def settle(self, event: StoredEvent) -> None:
        """Acknowledge an event."""
        sequence = cast(int, event.position)
        reply = self._open.pop(sequence, None)
        if reply:
            self._connection.tell(reply, _ACK)
            self._log.stream.touched = True
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
        if reply == RECALLED:
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
            messages = await self._connection.direct(self._log.stream.name, {"seq": sequence})
            aside = self._asides.of(self.tag).get(sequence)
            event = event_of(messages[0]) if messages else None
            if aside is None or (sequence in self._open and self._open[sequence] == RECALLED):
                continue  # others may have been here meanwhile
            if event is None:
                self._asides.put(self.tag, sequence, None)
                continue
            self._open[sequence] = RECALLED
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
        return [at for at, reply in self._open.items() if at < below and reply != RECALLED]

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
            if self._open.get(sequence) == RECALLED:
                if aside.until - now < self._log.limits.ack_seconds:
                    self._put_recalled(sequence, aside.text)
            elif aside.until < now:
                left.append(sequence)
        for event in await self._recall(sorted(left)):
            self._offer(event)
