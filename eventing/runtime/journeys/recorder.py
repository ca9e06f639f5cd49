"""Notes what becomes of one addressable's events: an observer of deliveries, on their hot path."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from eventing.engines.event import Position as EnginePosition
from eventing.engines.event import RenderedEvent, StoredEvent
from eventing.runtime.journeys.records import (
    ATTEMPTED,
    REPLIED,
    ROUTED,
    Note,
    Position,
    written,
)
from eventing.runtime.observer import Attempt
from eventing.runtime.spec import SubscriptionSpec
from hearth.kube.clock import Clock

_MAIN = ("id", "source", "type", "subject", "time", "specversion")
_LONG_HEAD_BYTES = 4096
"""Of an event with longer attributes only the main ones are noted."""


_PIECE = 64


class Taken(NamedTuple):
    """Notes that are written down, in pieces."""

    notes: int
    pieces: list[bytes]


class Recorder:
    """Gathers notes until somebody takes them; those that there is no room for are lost."""

    def __init__(
        self, *, clock: Clock, position_text: Callable[[EnginePosition], str], waiting_bytes: int
    ) -> None:
        self._clock = clock
        self._position_text = position_text
        self._waiting_bytes = waiting_bytes
        self._notes: list[Note] = []
        self._pieces: list[bytes] = []
        self._bytes = self._count = 0
        self.lost = 0
        """Notes that were not kept."""

    def take(self) -> Taken:
        """Return what was noted since the last time."""
        self._write_down()
        taken = Taken(self._count, self._pieces)
        self._pieces, self._bytes, self._count = [], 0, 0
        return taken

    def replaying(self, replay: str) -> Replaying:
        """Return an observer of the deliveries of one replay."""
        return Replaying(self, replay)

    def _position(self, event: StoredEvent) -> Position:
        position = event.position
        return position if position.__class__ is int else self._position_text(position)

    def _add(self, note: Note) -> None:
        notes = self._notes
        notes.append(note)
        if len(notes) >= _PIECE:
            self._write_down()

    def _write_down(self) -> None:
        """Soon, in small pieces: as objects notes would push others out of the caches."""
        notes, self._notes = self._notes, []
        try:
            piece = written(notes)
        except TypeError:  # a text that is no Unicode: no delivery may end by that
            self.lost += len(notes)
            return
        if self._bytes + len(piece) > self._waiting_bytes:
            self.lost += len(notes)
        elif notes:
            self._pieces.append(piece)
            self._bytes += len(piece)
            self._count += len(notes)

    # -- what an observer is told; without calls where that is told of every event ---------------

    def routed(self, event: StoredEvent, matched: Sequence[SubscriptionSpec]) -> None:
        """Note an event with all that its filters look at."""
        attributes: Mapping[str, str] = event.attributes
        if len(event.head) > _LONG_HEAD_BYTES:
            attributes = {name: attributes[name] for name in _MAIN if name in attributes}
        labels = [spec.label for spec in matched]
        position = event.position
        if position.__class__ is not int:
            position = self._position_text(position)
        notes = self._notes
        notes.append((ROUTED, position, event.arrival_ns, attributes, labels))
        if len(notes) >= _PIECE:
            self._write_down()

    def attempted(self, attempt: Attempt, replay: str = "") -> None:
        """Note how an attempt ended and what follows."""
        position = attempt.event.position
        if position.__class__ is not int:
            position = self._position_text(position)
        notes = self._notes
        notes.append(
            (
                ATTEMPTED,
                position,
                attempt.subscription.label,
                self._clock(),
                attempt.hop,
                attempt.number,
                attempt.url,
                attempt.status,
                attempt.error,
                attempt.seconds,
                attempt.follows,
                attempt.retry_at,
                replay,
            )
        )
        if len(notes) >= _PIECE:
            self._write_down()

    def replied(
        self,
        subscription: SubscriptionSpec,
        event: StoredEvent,
        reply: RenderedEvent,
        url: str,
        replay: str = "",
    ) -> None:
        """Note which event an answer was, and where it goes."""
        names = reply.attributes
        self._add(
            (
                REPLIED,
                self._position(event),
                subscription.label,
                self._clock(),
                names.get("id", ""),
                names.get("source", ""),
                names.get("type", ""),
                url,
                replay,
            )
        )

    def settled(self, subscription: SubscriptionSpec, event: StoredEvent) -> None:
        """Nothing to note: the last attempt says what it ended with."""


class Replaying:
    """Tells a recorder of deliveries that are part of a replay."""

    def __init__(self, recorder: Recorder, replay: str) -> None:
        self._recorder = recorder
        self._replay = replay

    def routed(self, event: StoredEvent, matched: Sequence[SubscriptionSpec]) -> None:
        """Nothing to note: it was routed when it came."""

    def attempted(self, attempt: Attempt) -> None:
        """Note an attempt as the replay's."""
        self._recorder.attempted(attempt, self._replay)

    def replied(
        self, subscription: SubscriptionSpec, event: StoredEvent, reply: RenderedEvent, url: str
    ) -> None:
        """Note a reply as the replay's."""
        self._recorder.replied(subscription, event, reply, url, self._replay)

    def settled(self, subscription: SubscriptionSpec, event: StoredEvent) -> None:
        """Nothing to note."""
