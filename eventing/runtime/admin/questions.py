"""What there is to ask about the events of a process."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from eventing.engines.event import StoredEvent
from eventing.engines.seam import Begin, EventLog, Start, StartAt, StartTime
from eventing.runtime.addressable import Addressable
from eventing.runtime.admin.begin import AtPosition, OfEvent, parse_begin
from eventing.runtime.admin.graph import graph_of, own_places
from eventing.runtime.admin.shapes import Json, event_json, failure_json, journey_json
from eventing.runtime.journeys.failures import Failure, failures
from eventing.runtime.journeys.flows import Flows, flows_since
from eventing.runtime.journeys.journey import EventName, Journey, journeys_at, journeys_of
from eventing.runtime.journeys.keeper import Batches, Question
from eventing.runtime.openlogs import OpenLogs
from eventing.runtime.places import Place
from eventing.runtime.spec import SubscriptionSpec
from hearth.kube.clock import Clock, wall_clock

T = TypeVar("T")

_PORTION_BYTES = 512 * 1024
_WINDOWS = (10.0, 60.0, 600.0, 3600.0, 86400.0)
"""How far back is looked for the newest events, in seconds, before the whole log is read."""
_MOST_GENERATIONS = 16
"""Replies to replies to replies: traced so far."""
_POLL_SECONDS = 0.1


class NotThere(Exception):
    """What was asked about does not exist; the text says what does."""


@dataclass(frozen=True, slots=True)
class Since:
    """Where somebody who follows a log has come to."""

    arrival_ns: int
    seen: frozenset[str] = frozenset()
    """Positions of events that arrived in that very nanosecond and are known already."""


class Questions:
    """``address`` is where the process takes events in."""

    def __init__(self, logs: OpenLogs, *, address: str, clock: Clock = wall_clock) -> None:
        self._logs = logs
        self._address = address
        self._clock = clock

    def addressable(self, place: Place) -> Addressable:
        """Return what is open at a place; raise NotThere."""
        found = self._logs.find(place)
        if found is None:
            others = ", ".join(sorted(map(str, self._logs.places()))) or "none"
            raise NotThere(f"there is no {place} here; there are: {others}")
        return found

    # -- events ------------------------------------------------------------------------------------

    async def newest(self, place: Place, limit: int) -> Json:
        """Return the newest events of a log, the oldest first, and how each of them fares."""
        log, began_ns = self.addressable(place).log, self._now_ns()
        found = await self._newest(log, limit)
        told = await self._told(place, log, found)
        if not found:
            return {"events": told, "next": {"since": str(began_ns), "seen": []}}
        return {"events": told, "next": _next(log, found)}

    async def since(self, place: Place, since: Since, limit: int, wait_seconds: float) -> Json:
        """Return events that came since; where there are none, wait so long for one."""
        log = self.addressable(place).log
        reading = await log.look(StartTime(since.arrival_ns))
        loop = asyncio.get_running_loop()
        deadline = loop.time() + wait_seconds
        while True:
            found: list[StoredEvent] = []
            while len(found) < limit and (events := await reading.fetch(_PORTION_BYTES)):
                found += [each for each in events if not _is_seen(log, each, since)]
            if found or loop.time() >= deadline:
                break
            await asyncio.sleep(_POLL_SECONDS)
        found = found[:limit]
        told = [event_json(each, log.position_text(each.position)) for each in found]
        unmoved = {"since": str(since.arrival_ns), "seen": sorted(since.seen)}
        return {"events": told, "next": _next(log, found, since) if found else unmoved}

    async def _newest(self, log: EventLog, limit: int) -> list[StoredEvent]:
        begins: list[Begin] = [StartTime(self._now_ns() - int(w * 1e9)) for w in _WINDOWS]
        found: deque[StoredEvent] = deque(maxlen=limit)
        for begin in [*begins, Start.EARLIEST]:
            found.clear()
            reading = await log.look(begin)
            while events := await reading.fetch(_PORTION_BYTES):
                found.extend(events)
            if len(found) == limit:
                break
        return list(found)

    async def _told(self, place: Place, log: EventLog, events: list[StoredEvent]) -> list[Json]:
        texts = [log.position_text(each.position) for each in events]
        known = await self._ask(place, partial(_journeys_at, set(texts)), dict[str, Journey]())
        told = []
        for event, text in zip(events, texts, strict=True):
            journey = known.get(text)
            legs = journey.legs.values() if journey is not None else ()
            outcomes = {leg.subscription: leg.outcome for leg in legs}
            told.append(event_json(event, text) | {"outcomes": outcomes})
        return told

    def _now_ns(self) -> int:
        return int(self._clock() * 1e9)

    async def begin(self, log: EventLog, text: str) -> Begin:
        """Return where a text says to begin; raise ValueError or NotThere."""
        asked = parse_begin(text, now=self._clock())
        match asked:
            case AtPosition(text=position):
                return StartAt(log.position_of(position))
            case OfEvent(id=event_id):
                reading = await log.look(Start.EARLIEST)
                while events := await reading.fetch(_PORTION_BYTES):
                    for event in events:
                        if event.attributes.get("id") == event_id:
                            return StartAt(event.position)
                raise NotThere(f"no event with the id {event_id!r} is kept in this log any more")
            case _:
                return asked

    # -- journeys ----------------------------------------------------------------------------------

    async def trace(self, event_id: str) -> Json:
        """Return the journeys of an event through all logs, and of all that answered it."""
        names, known = {EventName(event_id)}, set[EventName]()
        found: dict[tuple[Place, str], tuple[Place, Journey]] = {}
        for _ in range(_MOST_GENERATIONS):
            fresh = names - known
            if not fresh:
                break
            known |= fresh
            for place in self._logs.places():
                question = partial(_journeys_of, frozenset(fresh))
                for journey in await self._ask(place, question, list[Journey]()):
                    found[place, str(journey.position)] = place, journey
                    names |= {answer.event for answer in journey.answers}
        told = sorted(found.values(), key=lambda each: each[1].arrival_ns)
        return {
            "journeys": [
                journey_json(place, journey, self._specs(place)) for place, journey in told
            ],
            "kept": self._logs.observed,
            "lost": sum(self._lost(place) for place in self._logs.places()),
        }

    async def failures(self, places: Iterable[Place] | None, limit: int) -> Json:
        """Return events that subscribers did not take in the end, the oldest first.

        None stands for all places.
        """
        found = []
        for place in self._logs.places() if places is None else places:
            self.addressable(place)
            for failure in await self._ask(place, partial(failures, most=limit), list[Failure]()):
                found.append((failure.cause.at, failure_json(place, failure)))
        found.sort(key=lambda each: each[0])
        return {"failures": [each for _, each in found[-limit:]], "kept": self._logs.observed}

    async def graph(self, seconds: float) -> Json:
        """Return what flowed where in the last seconds."""
        since, places = self._clock() - seconds, self._logs.places()
        flows = {place: await self._ask(place, partial(_flows, since), Flows()) for place in places}
        specs = {place: self._specs(place) for place in places}
        graph = graph_of(flows, specs, own_places(places, self._address))
        return {"seconds": seconds, "kept": self._logs.observed, **graph}

    def _specs(self, place: Place) -> list[SubscriptionSpec]:
        found = self._logs.find(place)
        return [each.spec for each in found.subscriptions] if found is not None else []

    async def _ask(self, place: Place, question: Question[T], nothing: T) -> T:
        journeys = self._logs.journeys(place)
        return nothing if journeys is None else await journeys.ask(question)

    def _lost(self, place: Place) -> int:
        journeys = self._logs.journeys(place)
        return journeys.recorder.lost if journeys is not None else 0


def _is_seen(log: EventLog, event: StoredEvent, since: Since) -> bool:
    if event.arrival_ns != since.arrival_ns:
        return False
    return log.position_text(event.position) in since.seen


def _next(log: EventLog, events: list[StoredEvent], before: Since | None = None) -> Json:
    """Where to go on: the last arrival, and what is known of that moment."""
    last_ns = events[-1].arrival_ns
    seen = {log.position_text(each.position) for each in events if each.arrival_ns == last_ns}
    if before is not None and before.arrival_ns == last_ns:
        seen |= before.seen
    return {"since": str(last_ns), "seen": sorted(seen)}


# -- questions that journeys are asked in a thread of their own -----------------------------------


def _journeys_of(names: frozenset[EventName], batches: Batches) -> list[Journey]:
    return journeys_of(batches(), names)


def _journeys_at(positions: set[str], batches: Batches) -> dict[str, Journey]:
    return journeys_at(batches(), positions)


def _flows(since: float, batches: Batches) -> Flows:
    return flows_since(batches(), since)
