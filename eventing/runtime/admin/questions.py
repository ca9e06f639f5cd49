"""What there is to ask about the events of a process."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from typing import TypeVar

from eventing.engines.event import StoredEvent
from eventing.engines.seam import Begin, EventLog, Start, StartAt, StartTime
from eventing.runtime.addressable import Addressable
from eventing.runtime.admin.following import Since, is_seen, next_of
from eventing.runtime.admin.graph import graph_of, own_places
from eventing.runtime.admin.seeking import NotThere, begin_of, move_of
from eventing.runtime.admin.shapes import (
    Json,
    event_json,
    failure_json,
    held_json,
    journey_json,
    lag_json,
    move_json,
    replay_json,
)
from eventing.runtime.admin.visible import Logs, Visible
from eventing.runtime.journeys.failures import Failure, failures
from eventing.runtime.journeys.flows import Flows, flows_since
from eventing.runtime.journeys.journey import EventName, Journey, journeys_at, journeys_of
from eventing.runtime.journeys.keeper import Batches, Question
from eventing.runtime.moving import Moves, copy_json
from eventing.runtime.places import Place
from eventing.runtime.replay import count
from eventing.runtime.spec import SubscriptionSpec
from eventing.runtime.subscription import Subscription
from hearth.kube.clock import Clock, wall_clock

log = logging.getLogger(__name__)

T = TypeVar("T")

_ONE_EVENT_BYTES = 4096
_PORTION_BYTES = 512 * 1024
_WINDOWS = (10.0, 60.0, 600.0, 3600.0, 86400.0)
"""How far back is looked for the newest events, in seconds, before the whole log is read."""
_MOST_GENERATIONS = 16
"""Replies to replies to replies: traced so far."""
_POLL_SECONDS = 0.1
_MOST_NAMED = 20
"""Names in an answer that says what there is."""


class Questions:
    """``address`` is where the process takes events in."""

    def __init__(self, logs: Logs, *, address: str, clock: Clock = wall_clock) -> None:
        self._logs = logs
        self._address = address
        self._clock = clock

    def places(self) -> list[Place]:
        """Return all that there is to ask about."""
        return self._logs.places()

    def limited(self, may: Callable[[Place], bool]) -> Questions:
        """Return what there is to ask for somebody who may not ask about all places."""
        visible = Visible(self._logs, may)
        return Questions(visible, address=self._address, clock=self._clock)

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
        return {"events": told, "next": next_of(log, found)}

    async def since(self, place: Place, since: Since, limit: int, wait_seconds: float) -> Json:
        """Return events that came since; where there are none, wait so long for one."""
        log = self.addressable(place).log
        reading = await log.look(StartTime(since.arrival_ns))
        loop = asyncio.get_running_loop()
        deadline = loop.time() + wait_seconds
        while True:
            found: list[StoredEvent] = []
            while len(found) < limit and (events := await reading.fetch(_PORTION_BYTES)):
                found += [each for each in events if not is_seen(log, each, since)]
            if found or loop.time() >= deadline:
                break
            await asyncio.sleep(_POLL_SECONDS)
        found = found[:limit]
        told = [event_json(each, log.position_text(each.position)) for each in found]
        unmoved = {"since": str(since.arrival_ns), "seen": sorted(since.seen)}
        return {"events": told, "next": next_of(log, found, since) if found else unmoved}

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
                journey_json(place, journey, self._specs(place))
                | await self._unsound(place, journey)
                for place, journey in told
            ],
            "kept": self._logs.observed,
            "lost": sum(self._lost(place) for place in self._logs.places()),
        }

    async def _unsound(self, place: Place, journey: Journey) -> Json:
        """What the schema of its type has against an event, where its Broker asks and it is kept.

        It is worked out here, by the schemas of now: to note it would cost each event something.
        """
        found = self._logs.find(place)
        if found is None or found.check is None:
            return {}
        position = found.log.position_of(str(journey.position))
        reading = await found.log.look(StartAt(position))
        for event in await reading.fetch(_ONE_EVENT_BYTES):
            if event.position == position and (problem := found.check.problem_of(event)):
                return {"schema": problem}
        return {}

    async def failures(self, places: Iterable[Place] | None, limit: int) -> Json:
        """Return events that subscribers did not take in the end, the oldest first.

        None stands for all places.
        """
        asked = self._logs.places() if places is None else list(places)
        found = self.held(asked)
        held = {(each["position"], each["subscription"]) for _, each in found}
        known = {spec.label for place in asked for spec in self._specs(place)}
        for place in asked:
            for failure in await self._ask(place, partial(failures, most=limit), list[Failure]()):
                told = failure_json(place, failure)
                # Journeys do not know that what was held has been given up, or is being redriven.
                is_past = told["outcome"] == "held" and told["subscription"] in known
                if not is_past and (told["position"], told["subscription"]) not in held:
                    found.append((failure.cause.at, told))
        found.sort(key=lambda each: each[0])
        return {"failures": [each for _, each in found[-limit:]], "kept": self._logs.observed}

    async def graph(self, seconds: float) -> Json:
        """Return what flowed where in the last seconds."""
        since, places = self._clock() - seconds, self._logs.places()
        flows = {place: await self._ask(place, partial(_flows, since), Flows()) for place in places}
        specs = {place: self._specs(place) for place in places}
        graph = graph_of(flows, specs, own_places(places, self._address))
        return {"seconds": seconds, "kept": self._logs.observed, **graph}

    # -- what operators do -------------------------------------------------------------------------

    def _subscription(self, label: str) -> tuple[Place, Addressable, Subscription]:
        """Return the subscription of this label; raise NotThere."""
        labels = []
        for place in self._logs.places():
            addressable = self.addressable(place)
            for subscription in addressable.subscriptions:
                if subscription.spec.label == label:
                    return place, addressable, subscription
                labels.append(subscription.spec.label)
        there = ", ".join(sorted(labels)[:_MOST_NAMED]) or "none"
        raise NotThere(f"there is no {label} that events are delivered to; there are: {there}")

    async def replay(self, label: str, begin: str, *, most: int, dry_run: bool) -> Json:
        """Deliver events once more to a subscription, or only count them."""
        place, addressable, subscription = self._subscription(label)
        spec, start = subscription.spec, await begin_of(addressable.log, begin, clock=self._clock)
        if dry_run:
            return replay_json(place, spec, await count(addressable.log, start, spec, most))
        journeys = self._logs.journeys(place)
        recorder = journeys.recorder if journeys is not None and self._logs.observed else None
        observing = recorder.replaying if recorder is not None else None
        replay = addressable.replay(spec.uid, start, most=most, observing=observing)
        counted = await replay.counting()
        return replay_json(place, spec, counted, replay)

    async def seek(self, label: str, begin: str, *, dry_run: bool) -> Json:
        """Move a subscription's own position, or only count what that would do."""
        place, addressable, subscription = self._subscription(label)
        move = await move_of(addressable.log, subscription, begin, clock=self._clock)
        told = move_json(place, subscription.spec, move, addressable.log)
        if not dry_run:
            await addressable.seek(subscription.spec.uid, move.begin)
            log.info("a subscription was moved in its log", extra=told)
        return told

    async def lag(self, places: Iterable[Place] | None) -> Json:
        """Return how far subscriptions are behind; None stands for all places."""
        return {
            "subscriptions": [
                lag_json(
                    place,
                    each.spec.label,
                    addressable.log.lag(each.spec.uid),
                    held=len(each.held()),
                    live=each.live,
                )
                for place in (self._logs.places() if places is None else places)
                for addressable in [self.addressable(place)]
                for each in addressable.subscriptions
            ]
        }

    async def copy(self, place: Place, target: str, *, dry_run: bool) -> Json:
        """Begin to copy a log to the engine of another class, or only say what there is to copy."""
        self.addressable(place)
        moves = self._moves(place)
        if dry_run:
            return await moves.plan(place, target)
        return copy_json(await moves.follow(place, target))

    def copied(self, place: Place) -> Json:
        """Return how far the last copy of a log is."""
        move = self._moves(place).moves.get(place)
        if move is None:
            raise NotThere(f"nothing of {place} was copied since this process began")
        return copy_json(move)

    def _moves(self, place: Place) -> Moves:
        moves = self._logs.moves_of(place)
        if moves is None:
            raise NotThere("logs are moved by the process `broker`, not by this dispatcher")
        return moves

    def replays(self, replay_id: str | None) -> Json:
        """Return replays under way and the last ones that have ended, or the one named."""
        found = [
            replay_json(place, replay.spec, replay.counted, replay)
            for place in self._logs.places()
            for replay in self.addressable(place).replays
            if replay_id in (None, replay.id)
        ]
        if replay_id is not None and not found:
            raise NotThere(
                f"there is no replay {replay_id}: it ended long ago, or with its process"
            )
        return {"replays": found}

    async def redrive(self, label: str | None, event_id: str | None, *, gives_up: bool) -> Json:
        """Deliver held events anew, or give them up; all, or those of a label or with an id."""
        done = []
        for place in self._logs.places():
            for subscription in list(self.addressable(place).subscriptions):
                if label not in (None, subscription.spec.label):
                    continue
                chosen = [
                    each for each in subscription.held() if event_id in (None, each.note.event_id)
                ]
                positions = [each.position for each in chosen]
                if gives_up:
                    subscription.discard(positions)
                else:
                    await subscription.redrive(positions)
                done += [held_json(place, subscription.spec, each.note) for each in chosen]
        return {"events": done}

    def held(self, places: Iterable[Place]) -> list[tuple[float, Json]]:
        """Return held events, each with the time since when."""
        return [
            (
                each.note.since,
                held_json(
                    place,
                    subscription.spec,
                    each.note,
                    self.addressable(place).log.position_text(each.position),
                ),
            )
            for place in places
            for subscription in self.addressable(place).subscriptions
            for each in subscription.held()
        ]

    def _specs(self, place: Place) -> list[SubscriptionSpec]:
        found = self._logs.find(place)
        return [each.spec for each in found.subscriptions] if found is not None else []

    async def _ask(self, place: Place, question: Question[T], nothing: T) -> T:
        journeys = self._logs.journeys(place)
        return nothing if journeys is None else await journeys.ask(question)

    def _lost(self, place: Place) -> int:
        journeys = self._logs.journeys(place)
        return journeys.recorder.lost if journeys is not None else 0


# -- questions that journeys are asked in a thread of their own -----------------------------------


def _journeys_of(names: frozenset[EventName], batches: Batches) -> list[Journey]:
    return journeys_of(batches(), names)


def _journeys_at(positions: set[str], batches: Batches) -> dict[str, Journey]:
    return journeys_at(batches(), positions)


def _flows(since: float, batches: Batches) -> Flows:
    return flows_since(batches(), since)
