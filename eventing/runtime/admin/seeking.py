"""Where in a log to begin, and what moving a subscription there repeats and passes over."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from eventing.engines.event import StoredEvent
from eventing.engines.seam import Begin, EventLog, Refused, Start, StartAt, StartTime
from eventing.runtime.admin.begin import AtPosition, OfEvent, parse_begin
from eventing.runtime.subscription import Subscription
from hearth.kube.clock import Clock, rfc3339_micro

LATEST = "latest"
"""Past all that there is now."""
_PORTION_BYTES = 512 * 1024


class NotThere(Exception):
    """What was asked about does not exist; the text says what does."""


@dataclass(frozen=True, slots=True)
class Move:
    """What becomes of the events of a subscription that is moved; those that its filter matches."""

    begin: Begin
    text: str
    """The same in words that mean it also a little later."""
    first: StoredEvent | None
    """The first event from there on, matching or not."""
    again: int
    """Done with, and delivered once more."""
    ahead: int
    """Not done with, and to come as they would have."""
    skipped: int
    """Not done with, and never delivered."""


async def begin_of(log: EventLog, text: str, *, clock: Clock) -> Begin:
    """Return where a text says to begin; raise ValueError or NotThere."""
    asked = parse_begin(text, now=clock())
    match asked:
        case AtPosition(text=position):
            return StartAt(log.position_of(position))
        case OfEvent(id=event_id):
            async for event in _events(log, Start.EARLIEST):
                if event.attributes.get("id") == event_id:
                    return StartAt(event.position)
            since = await _kept_since(log)
            raise NotThere(f"no event with the id {event_id!r} is kept in this log: {since}")
        case _:
            return asked


async def move_of(log: EventLog, subscription: Subscription, text: str, *, clock: Clock) -> Move:
    """Count what a move would do. Raises ValueError, NotThere, or Refused for what is not kept."""
    if text == LATEST:
        begin: Begin = StartTime(int(clock() * 1e9))
    else:
        begin = await begin_of(log, text, clock=clock)
    first = await _first(log, begin)
    await _check_is_kept(log, begin, first)
    wants = subscription.spec.filter.matches
    again = ahead = left = 0
    async for event in _events(log, begin):
        if wants(event.attributes):
            is_needed = subscription.needs(event)
            ahead += is_needed
            again += not is_needed
            left -= subscription.goes_on_with(event)
    async for event in _events(log, Start.EARLIEST):
        left += wants(event.attributes) and subscription.goes_on_with(event)
    return Move(begin, _words(log, begin), first, again, ahead, max(left, 0))


async def _events(log: EventLog, begin: Begin) -> AsyncIterator[StoredEvent]:
    """Those there are now, and those that come meanwhile."""
    reading = await log.look(begin)
    while events := await reading.fetch(_PORTION_BYTES):
        for event in events:
            yield event


async def _first(log: EventLog, begin: Begin) -> StoredEvent | None:
    async for event in _events(log, begin):
        return event
    return None


async def _check_is_kept(log: EventLog, begin: Begin, first: StoredEvent | None) -> None:
    if isinstance(begin, StartAt):
        if first is not None and first.position == begin.position:
            return
        asked = f"there is no event at offset {log.position_text(begin.position)}"
        raise NotThere(f"{asked}: {await _kept_since(log)}")
    if isinstance(begin, StartTime) and log.has_released:
        oldest = await _first(log, Start.EARLIEST)
        if oldest is not None and oldest.arrival_ns > begin.arrival_ns:
            asked = f"the events since {_moment(begin.arrival_ns)} are not all kept any more"
            raise Refused(f"{asked}: {await _kept_since(log)}", status=409)


async def _kept_since(log: EventLog) -> str:
    oldest = await _first(log, Start.EARLIEST)
    if oldest is None:
        return "it holds none"
    offset = log.position_text(oldest.position)
    return f"it holds those since {_moment(oldest.arrival_ns)} (offset {offset})"


def _words(log: EventLog, begin: Begin) -> str:
    match begin:
        case StartAt(position=position):
            return f"offset:{log.position_text(position)}"
        case StartTime(arrival_ns=moment):
            return f"time:{_moment(moment)}"
        case _:
            return begin.value


def _moment(arrival_ns: int) -> str:
    return rfc3339_micro(arrival_ns // 1000 / 1e6)
