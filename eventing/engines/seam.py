"""What the runtime asks of an event engine: one durable log per addressable, consumers over it.

An engine opens logs by key. A log takes events in and reports each append when it is durable. A
subscription (a Trigger, later a Subscription of a Channel) is a consumer of the log, known by an
id that survives restarts::

    fetch -> settle -> checkpoint        an engine with cursors (a file, committed offsets)
    fetch -> settle                      an engine that is told of each event (acknowledgements)

Every fetched event is settled once: delivered, dead-lettered, dropped, or not matched. An event
that was not settled before its consumer was closed, or its process died, is given again to
whoever opens the consumer next: delivery is at least once. Retries and back-off are the runtime's
own; an engine that would take an unsettled event for lost meanwhile keeps it alive itself. It
keeps a note with an unsettled event, so that whoever is given the event again knows what was
tried, and sets events aside on request: those stay in the log, out of the way of the others.

All calls are made on one event loop; engines do their waiting elsewhere.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from eventing.engines.event import Position, RenderedEvent, StoredEvent


class Refused(Exception):
    """The log takes no event now. ``status`` is the HTTP answer that says so."""

    def __init__(self, message: str, *, status: int = 503, retry_after: int = 1) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after
        """Seconds after which a new attempt may succeed."""


class Unavailable(Exception):
    """An engine cannot be used now: its server is not there, or refuses. Says why."""


class Order(enum.Enum):
    """In which order a consumer is given the events of a log."""

    TOTAL = "total"
    """As they were appended."""
    PER_KEY = "per key"
    """As they were appended among events of one ``partitionkey``."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an engine promises."""

    order: Order
    partitioned: bool
    """A log has several parts, which different processes may read."""
    redelivers: bool
    """An unsettled event is given again while its consumer stays open, not only afterwards."""
    consumer_groups: bool
    """Several processes may open one consumer, and share its events."""
    processes: bool
    """Ingress and dispatcher may be different processes. Where this is False, the log has one
    writer, which is also where its readers learn of new events."""
    deduplicates: bool
    """An event whose source and id are those of one appended shortly before is that one: it is
    answered for and not stored. Not so ``own`` ones: answers may be like what they answer."""
    max_event_bytes: int
    """The largest event it stores: head and data."""


class Start(enum.Enum):
    """Where a new consumer begins."""

    EARLIEST = "earliest"
    LATEST = "latest"


@dataclass(frozen=True, slots=True)
class StartAt:
    """A new consumer begins with the event at this position (replay)."""

    position: Position


@dataclass(frozen=True, slots=True)
class StartTime:
    """A new consumer begins with the first event that arrived then or later."""

    arrival_ns: int
    """Nanoseconds since 1970, on the clock of whoever took the events in."""


Begin = Start | StartAt | StartTime
"""Where to read a log from. What is not kept any more is passed over."""


@dataclass(frozen=True, slots=True)
class LogStats:
    """The state of a log, as last known."""

    size_bytes: int
    """What it occupies."""
    needed_bytes: int
    """Of this, what is with events that some consumer has not settled; 0 where there are none."""
    events: int
    """Events that some consumer has not settled yet, but for those that are set aside."""
    gone: int = 0
    """Events that went before a consumer had settled them, as far as this process saw."""
    problem: str = ""
    """What somebody has to mend before events can be read or stored; empty for nothing."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a consumer is: all that another log needs to know, to go on there."""

    following: tuple[Position, ...] = ()
    """From this event on nothing was settled: one of each part of the log. Of a part of which none
    is named everything was given: that is past its end."""
    open: Mapping[Position, str] = field(default_factory=dict)
    """Unsettled events below, each with its note; what is in neither map there is settled."""
    aside: Mapping[Position, str] = field(default_factory=dict)
    """Events that are set aside, each with its note."""


Appended = Callable[[Refused | None], None]
"""Called once: with None when all events of an append are durable, else with the reason."""

Listener = Callable[[Sequence[StoredEvent]], None]


class Consumer(Protocol):
    """One subscription's way through a log."""

    def attach(self) -> bool:
        """Join the tail of the log, if no event lies between it and this consumer.

        From then on the log's listener is told of this consumer's next events, each of which it
        either claims or lets pass (which settles it). An engine that does not tell of its tail
        always answers False; its ``fetch`` waits instead.
        """

    def claim(self, event: StoredEvent) -> None:
        """Take an event of the tail: it is settled later. Only while attached."""

    def detach(self, event: StoredEvent) -> None:
        """Leave the tail: events are fetched again, beginning with this one."""

    async def fetch(self, max_bytes: int) -> Sequence[StoredEvent]:
        """Return the next events, about so many bytes of them but at least one.

        At the end of the log: nothing, where the consumer can attach; else it waits for an event.
        """

    def settle(self, event: StoredEvent) -> None:
        """Say that a fetched or claimed event is not needed again. Takes effect soon."""

    def needs(self, event: StoredEvent) -> bool:
        """Whether an event is still to be settled: given or not yet, but not set aside."""

    def note(self, event: StoredEvent, text: str) -> None:
        """Keep a short text with an unsettled event, in the place of an earlier one; or none.

        It goes when the event is settled. Takes effect soon: a crash may bring back an earlier one.
        """

    def note_of(self, event: StoredEvent) -> str:
        """Return what is kept with an unsettled event, by whatever process; empty for nothing."""

    def park(self, event: StoredEvent, text: str) -> None:
        """Set an unsettled event aside: nobody is given it again before it is recalled."""

    def parked(self) -> Mapping[Position, str]:
        """Return the events that are set aside, oldest first, each with its note."""

    async def recall(self, positions: Collection[Position]) -> Sequence[StoredEvent]:
        """Give events again that were set aside; from now on they are unsettled ones, notes kept.

        Positions that nothing is set aside at are passed over.
        """

    def discard(self, positions: Collection[Position]) -> int:
        """Settle events that are set aside; return how many were."""

    def close(self) -> None:
        """Stop; unsettled events remain for whoever opens this consumer next."""


class Reading(Protocol):
    """A look at a log: it holds nothing back, and nothing is settled by it.

    How long an event can be looked at after its last consumer has settled it is the engine's own
    matter; what is gone is passed over.
    """

    async def fetch(self, max_bytes: int) -> Sequence[StoredEvent]:
        """Return the next events, about so many bytes of them but at least one.

        Nothing at the end of the log; asked again, what has come since.
        """


class EventLog(Protocol):
    """The log of one addressable."""

    def append(self, events: Sequence[RenderedEvent], done: Appended, *, own: bool = False) -> None:
        """Append all of the events or none; raise Refused at once where there is no room.

        ``own`` events settle others once they are durable, as replies do: some are taken though
        the log is full for producers, else it might stay so for ever.
        ``done`` is called later, never from here.
        """

    @property
    def tells_tail(self) -> bool:
        """Whether the listener is told of what became durable."""

    def listen(self, listener: Listener) -> None:
        """Name the one who is told of events that became durable, in order, once each.

        Engines that do not tell of their tail never call it.
        """

    async def consumers(self) -> Collection[str]:
        """Return the ids of all consumers, open or not."""

    async def look(self, begin: Begin) -> Reading:
        """Read without being a consumer."""

    def position_text(self, position: Position) -> str:
        """Return a position as text, which means it as long as the log is there."""

    def position_of(self, text: str) -> Position:
        """Return the position that a text means; raise ValueError where it is none."""

    def part_of(self, position: Position) -> int:
        """Return the part of the log that a position lies in: order holds within one."""

    async def consume(
        self, consumer_id: str, start: Begin = Start.LATEST, *, ordered: bool = False
    ) -> Consumer:
        """Open a consumer where it stopped, or a new one at ``start``.

        Of several processes that open an ``ordered`` one, an engine gives events of one key to one
        at a time; what that one had unsettled is given again before all that follows it.
        On return a new one is durable: no event acknowledged later can pass it by.
        """

    async def seek(self, consumer_id: str, begin: Begin) -> None:
        """Have a consumer that is closed begin there when it is opened next.

        Nothing before is given to it any more, all from there on is, whatever it had settled. What
        is set aside before that stays so. On return that is durable; a crash meanwhile leaves the
        consumer where it was, or there.
        """

    async def standing(self, consumer_id: str) -> Standing:
        """Return how far a consumer is that no process has open any more."""

    async def place(self, consumer_id: str, standing: Standing) -> None:
        """Make or replace a consumer that is closed, to go on like that. Durable on return."""

    def lag(self, consumer_id: str) -> int | None:
        """Return how many events a consumer is not done with, whatever process has them.

        Without those that are set aside; as last known, without asking anybody; None: not known.
        """

    async def answered(self) -> None:
        """Return when all appends up to now were answered."""

    @property
    def has_released(self) -> bool:
        """Whether events have gone from it that nobody needed."""

    async def forget(self, consumer_id: str) -> None:
        """Remove a consumer and its state."""

    async def checkpoint(self) -> None:
        """Save how far consumers are, and let go of events that none of them needs."""

    def spare(self, *, kept: bool) -> None:
        """Whether what no consumer needs may be kept, to be looked at. Takes effect soon."""

    def stats(self) -> LogStats:
        """Return the log's state, without asking anybody."""


class Engine(Protocol):
    """Opens and drops logs by key."""

    @property
    def capabilities(self) -> Capabilities:
        """What this engine promises."""

    async def open(self, key: str, options: Mapping[str, Any] | None = None) -> EventLog:
        """Open a log, making it where there is none.

        ``options`` are what its Broker or channel asks for, in the words of the engine's class;
        raises ValueError for those that mean nothing.
        """

    async def drop(self, key: str) -> None:
        """Remove a log with all its events and consumers."""

    async def keys(self) -> Collection[str]:
        """Return the keys of all logs there are."""

    async def close(self) -> None:
        """Make everything durable and let go of it."""
