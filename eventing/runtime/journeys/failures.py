"""Events that a subscriber did not take in the end: dead letters, and what was dropped. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from eventing.runtime.journeys.journey import DEAD_LETTER, Journey, Try, journeys_at
from eventing.runtime.journeys.records import ATTEMPTED, all_notes

BAD_ENDS = ("dead letter", "dropped", "held")


@dataclass(frozen=True, slots=True)
class Failure:
    """One event that one subscriber did not take."""

    journey: Journey
    subscription: str
    outcome: str
    """One of ``BAD_ENDS``."""
    cause: Try
    """The last attempt at the subscriber, or at where its reply was to go."""
    url: str
    """Of the dead letter sink that took the event; empty where none did."""


def failures(batches: Callable[[], Iterator[bytes]], *, most: int) -> list[Failure]:
    """Return the last ones, the oldest first. The batches are gone through twice."""
    ends: deque[str] = deque(maxlen=most)
    for note in all_notes(batches()):
        if note[0] == ATTEMPTED and (note[10] in ("dropped", "held") or note[4] == DEAD_LETTER):
            ends.append(str(note[1]))
    found = journeys_at(batches(), set(ends)) if ends else {}
    return sorted(_failures(found.values()), key=lambda each: each.cause.at)[-most:]


def _failures(journeys: Iterable[Journey]) -> Iterator[Failure]:
    for journey in journeys:
        for leg in journey.legs.values():
            causes = [each for each in leg.tries if each.hop != DEAD_LETTER]
            if leg.outcome in BAD_ENDS and causes:
                taken = leg.tries[-1].url if leg.outcome == DEAD_LETTER else ""
                yield Failure(journey, leg.subscription, leg.outcome, causes[-1], taken)
