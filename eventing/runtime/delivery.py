"""One event on its way to one place after the other. Pure."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from eventing.engines.event import RenderedEvent, StoredEvent
from eventing.runtime.request import ErrorInfo


class Hop(enum.Enum):
    """Where a delivery is on its way to."""

    SUBSCRIBER = "subscriber"
    REPLY = "reply"
    DEAD_LETTER = "dead letter"


class Timer(Protocol):
    """What waits for the next attempt."""

    def cancel(self) -> None:
        """Let it not come."""


@dataclass(slots=True, eq=False)
class Delivery:
    """One event on its way."""

    event: StoredEvent
    hop: Hop = Hop.SUBSCRIBER
    attempts: int = 0
    """Attempts of this hop so far."""
    started: float = 0.0
    reply: RenderedEvent | None = None
    """What is sent on the hop of replies."""
    replies: Sequence[RenderedEvent] = ()
    """Further ones to be sent after it."""
    failure: ErrorInfo | None = None
    is_alone: bool = False
    """It is not sent together with others again."""
    lane: str | None = None
    """The key whose events it keeps back, where order is kept."""
    span: bytes = b""
    """The id of the attempt under way, where the event is traced."""
    is_traced: bool = False
    """Whether the event is; known once it was sent."""
    timer: Timer | None = field(default=None, repr=False)


class Course(Protocol):
    """What brings a delivery on its way."""

    def next_hop(self, item: Delivery, hop: Hop) -> None:
        """Send an event on to another place."""

    def later(self, item: Delivery, seconds: float) -> None:
        """Try again after a while."""

    def left(self, item: Delivery) -> None:
        """Note that the event of a lane is done with, or held."""
