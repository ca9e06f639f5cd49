"""The open logs as somebody sees who may not see all of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from eventing.runtime.addressable import Addressable
from eventing.runtime.journeys.keeper import LogJourneys
from eventing.runtime.moving import Moves
from eventing.runtime.places import Place


class Logs(Protocol):
    """What questions look at."""

    @property
    def observed(self) -> bool:
        """Whether the journeys of events are kept."""

    def places(self) -> list[Place]:
        """Return all that is open."""

    def find(self, place: Place) -> Addressable | None:
        """Return what is open there."""

    def journeys(self, place: Place) -> LogJourneys | None:
        """Return the journeys of the events of what is open there."""

    def moves_of(self, place: Place) -> Moves | None:
        """Return who moves the log of a place; None where it is not this process."""


class Visible:
    """What may not be seen is as if it were not there."""

    def __init__(self, logs: Logs, may: Callable[[Place], bool]) -> None:
        self._logs = logs
        self._may = may

    @property
    def observed(self) -> bool:
        """Whether the journeys of events are kept."""
        return self._logs.observed

    def places(self) -> list[Place]:
        """Return what may be seen."""
        return [each for each in self._logs.places() if self._may(each)]

    def find(self, place: Place) -> Addressable | None:
        """Return what is open there, if it may be seen."""
        return self._logs.find(place) if self._may(place) else None

    def journeys(self, place: Place) -> LogJourneys | None:
        """Return the journeys of what is open there, if it may be seen."""
        return self._logs.journeys(place) if self._may(place) else None

    def moves_of(self, place: Place) -> Moves | None:
        """Return who moves the log of a place, if that may be seen."""
        return self._logs.moves_of(place) if self._may(place) else None
