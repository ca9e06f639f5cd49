"""What became of one event: its notes put together again. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from eventing.runtime.journeys.records import (
    ATTEMPTED,
    REPLIED,
    ROUTED,
    Position,
    all_notes,
    mentions,
    notes_of,
    tells_of,
)

DEAD_LETTER, REPLY, SUBSCRIBER = "dead letter", "reply", "subscriber"
_WAITING = "waiting"


class EventName(NamedTuple):
    """What tells events apart; no source stands for any."""

    id: str
    source: str | None = None


@dataclass(slots=True)
class Try:
    """One attempt to send an event, its reply or its dead letter."""

    at: float
    hop: str
    number: int
    url: str
    status: int
    error: str
    seconds: float
    follows: str
    retry_at: float
    replay: str = ""


@dataclass(slots=True)
class Answer:
    """An event that a subscriber answered with."""

    at: float
    event: EventName
    type: str
    url: str
    """Where it went; empty: into the log that the event came from."""
    replay: str = ""


@dataclass(slots=True)
class Leg:
    """What became of an event for one subscription."""

    subscription: str
    matched: bool = False
    """Whether it was among those that the event was routed to when it came."""
    tries: list[Try] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)

    @property
    def outcome(self) -> str:
        """How it stands: the last attempt says, those of replays left aside where there are others.

        ``delivered``, ``dead letter`` (it was taken there), ``retry``, ``dropped``, ``held``, or
        ``waiting`` while there is nothing to tell.
        """
        tries = [each for each in self.tries if not each.replay] or self.tries
        if not tries:
            return _WAITING
        last = tries[-1]
        if last.follows == "done":
            return DEAD_LETTER if last.hop == DEAD_LETTER else "delivered"
        if last.follows == REPLY and any(not each.url for each in self.answers):
            return "delivered"  # it is durable when it is told of
        return _WAITING if last.follows in (REPLY, DEAD_LETTER) else last.follows


@dataclass(slots=True)
class Journey:
    """What is known of one event in one log."""

    position: Position
    arrival_ns: int
    attributes: Mapping[str, str]
    legs: dict[str, Leg]

    @property
    def name(self) -> EventName:
        """What tells the event apart."""
        return EventName(self.attributes.get("id", ""), self.attributes.get("source", ""))

    @property
    def answers(self) -> Iterator[Answer]:
        """All events that it was answered with."""
        return (answer for leg in self.legs.values() for answer in leg.answers)


def journeys_of(batches: Iterable[bytes], names: Iterable[EventName]) -> list[Journey]:
    """Return the journeys of these events, in the order they came; batches the oldest first."""
    wanted = set(names)
    ids = {name.id for name in wanted}
    found: dict[Position, Journey] = {}
    for batch in batches:
        if mentions(batch, ids) or tells_of(batch, found):
            for note in notes_of(batch):
                if note[0] == ROUTED and _is_wanted(note[3], wanted):
                    _begin(found, note)
                elif note[0] != ROUTED and (journey := found.get(note[1])) is not None:
                    _add(journey, note)
    return list(found.values())


def _is_wanted(attributes: Mapping[str, str], wanted: set[EventName]) -> bool:
    event_id = attributes.get("id", "")
    return (
        EventName(event_id) in wanted or EventName(event_id, attributes.get("source", "")) in wanted
    )


def journeys_at(batches: Iterable[bytes], positions: Collection[str]) -> dict[str, Journey]:
    """Return the journeys of the events that lie there, as far as there are notes of them.

    By the texts of their positions.
    """
    found: dict[Position, Journey] = {}
    for note in all_notes(batches):
        if note[0] == ROUTED and str(note[1]) in positions:
            _begin(found, note)
        elif note[0] != ROUTED and note[1] in found:
            _add(found[note[1]], note)
    return {str(position): journey for position, journey in found.items()}


def _begin(found: dict[Position, Journey], note: Sequence[Any]) -> None:
    """Each subscription may have a note of its own that an event goes to it."""
    _, position, arrival_ns, attributes, matched = note
    journey = found.get(position)
    if journey is None or journey.arrival_ns != arrival_ns:
        journey = found[position] = Journey(position, arrival_ns, attributes, {})
    for label in matched:
        journey.legs.setdefault(label, Leg(label)).matched = True


def _add(journey: Journey, note: Sequence[Any]) -> None:
    leg = journey.legs.setdefault(note[2], Leg(note[2]))
    if note[0] == ATTEMPTED:
        leg.tries.append(Try(*note[3:]))
    elif note[0] == REPLIED:
        _, _, _, at, event_id, source, kind, url, replay = note
        leg.answers.append(Answer(at, EventName(event_id, source), kind, url, replay))
