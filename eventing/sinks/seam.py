"""Where events of an IntegrationSink go, and what becomes of them there."""

from __future__ import annotations

from typing import Protocol

from eventing.aws.faults import Asked, Fault, Problem
from eventing.codec import Event


class NotTaken(Exception):
    """An event that is not taken, and would not be another time; the text says why."""


class EventSink(Protocol):
    """Something that takes events."""

    asked: Asked

    async def open(self) -> None:
        """See that what events go to is there, or make it."""

    async def put(self, event: Event) -> None:
        """Return once the event is taken; raise NotTaken, or what else has failed."""


_STATUSES = {Fault.CONTENT: 400, Fault.BUSY: 429, Fault.OTHER: 502}
_TO_MEND = 503
"""For what the user has to mend: the event is sent again meanwhile."""


def status_of(problem: Problem) -> int:
    """Return the HTTP status that tells of a problem. Pure."""
    return _STATUSES.get(problem.fault, _TO_MEND)
