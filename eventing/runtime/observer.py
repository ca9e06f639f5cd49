"""Who wants to know what becomes of events: told at each step, off by default. Pure.

Where nobody observes, ``None`` stands in the observer's place and nothing is made or called. An
observer is called on the event loop, between deliveries: it notes what it is told and returns.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from eventing.engines.event import RenderedEvent, StoredEvent
from eventing.runtime.delivery import Hop
from eventing.runtime.spec import SubscriptionSpec


class Follows(enum.Enum):
    """What follows an attempt."""

    DONE = "done"
    """Nothing: it was the last one of this event."""
    REPLY = "reply"
    """The answer's event goes where replies go; ``replied`` tells of it first."""
    RETRY = "retry"
    """Another attempt of the same hop."""
    DEAD_LETTER = "dead letter"
    """The event goes to the dead letter sink."""
    HELD = "held"
    """Nobody takes the event: it stays in the log until it is redriven or discarded."""
    EXPIRED = "expired"
    """The event was not sent any more: it says that it is of no use after a time that is over."""
    DUPLICATE = "duplicate"
    """The event was not sent: it came before."""
    WAITING = "waiting"
    """The event was not sent yet: it asks to be delivered at a later time."""
    AT_ONCE = "at once"
    """The event is delivered like any other: what it asks for cannot be had."""
    DROPPED = "dropped"
    """The event is given up: nobody takes it."""


@dataclass(slots=True)
class Attempt:
    """An attempt that has ended."""

    subscription: SubscriptionSpec
    event: StoredEvent
    """The event that came to the subscription, also where its reply was sent."""
    hop: Hop
    number: int
    """Counted from 1 for each hop."""
    url: str
    """Where it was sent to; empty where there is no address."""
    status: int
    """The HTTP status that counts; 0 where there was no answer."""
    error: str
    """Why there was no answer, or why the answer counts as another one."""
    seconds: float
    """How long the attempt took."""
    follows: Follows
    retry_at: float = 0.0
    """When the next attempt is due, in seconds since 1970, where one follows."""


class DeliveryObserver(Protocol):
    """One addressable's events: which of its subscriptions they match, and how these fare."""

    def routed(self, event: StoredEvent, matched: Sequence[SubscriptionSpec]) -> None:
        """A durable event was looked at; these subscriptions want it.

        Not told again of events that a subscription reads from the log later.
        """

    def attempted(self, attempt: Attempt) -> None:
        """An attempt has ended."""

    def replied(
        self, subscription: SubscriptionSpec, event: StoredEvent, reply: RenderedEvent, url: str
    ) -> None:
        """The subscriber has answered an event with another one, which goes to this URL.

        No URL: it goes into the log that the event came from.
        """

    def settled(self, subscription: SubscriptionSpec, event: StoredEvent) -> None:
        """The subscription needs the event no more. The last that is told of both.

        Not told of an event that is held; of one that is redriven, in the end.
        """
