"""Notes what becomes of one addressable's events: an observer of deliveries, on their hot path."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from eventing.engines.event import Position as EnginePosition
from eventing.engines.event import RenderedEvent, StoredEvent
from eventing.runtime.journeys.records import ATTEMPTED, REPLIED, ROUTED, Note, Position
from eventing.runtime.observer import Attempt
from eventing.runtime.spec import SubscriptionSpec
from hearth.kube.clock import Clock

_MAIN = ("id", "source", "type", "subject", "time", "specversion")
_LONG_HEAD_BYTES = 4096
"""Of an event with longer attributes only the main ones are noted."""


class Recorder:
    """Gathers notes until somebody takes them; what is beyond ``most`` meanwhile is lost."""

    def __init__(
        self, *, clock: Clock, position_text: Callable[[EnginePosition], str], most: int
    ) -> None:
        self._clock = clock
        self._position_text = position_text
        self._most = most
        self._notes: list[Note] = []
        self.lost = 0
        """Notes that there was no room for."""

    def take(self) -> list[Note]:
        """Return what was noted since the last time."""
        notes, self._notes = self._notes, []
        return notes

    def replaying(self, replay: str) -> Replaying:
        """Return an observer of the deliveries of one replay."""
        return Replaying(self, replay)

    def position(self, event: StoredEvent) -> Position:
        """Return where an event lies, as notes say it."""
        position = event.position
        return position if position.__class__ is int else self._position_text(position)

    def _add(self, note: Note) -> None:
        if len(self._notes) < self._most:
            self._notes.append(note)
        else:
            self.lost += 1

    # -- what an observer is told --------------------------------------------------------------

    def routed(self, event: StoredEvent, matched: Sequence[SubscriptionSpec]) -> None:
        """Note an event with all that its filters look at."""
        attributes: Mapping[str, str] = event.attributes
        if len(event.head) > _LONG_HEAD_BYTES:
            attributes = {name: attributes[name] for name in _MAIN if name in attributes}
        labels = [spec.label for spec in matched]
        self._add((ROUTED, self.position(event), event.arrival_ns, attributes, labels))

    def attempted(self, attempt: Attempt, replay: str = "") -> None:
        """Note how an attempt ended and what follows."""
        self._add(
            (
                ATTEMPTED,
                self.position(attempt.event),
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
                self.position(event),
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
