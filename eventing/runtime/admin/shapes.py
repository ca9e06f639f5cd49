"""The JSON of answers: events, journeys and failures as people and programs read them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from eventing.engines.event import StoredEvent
from eventing.engines.seam import EventLog
from eventing.filters import explain
from eventing.runtime.admin.seeking import Move
from eventing.runtime.intake import ARRIVAL_ATTRIBUTE, TTL_ATTRIBUTE
from eventing.runtime.journeys.failures import Failure
from eventing.runtime.journeys.journey import Answer, Journey, Leg, Try
from eventing.runtime.notes import HeldNote
from eventing.runtime.places import Place
from eventing.runtime.replay import Counted, Replay
from eventing.runtime.spec import SubscriptionSpec
from hearth.kube.clock import rfc3339_micro

Json = dict[str, Any]

_OURS = (ARRIVAL_ATTRIBUTE, TTL_ATTRIBUTE)
_NOT_THERE = "was not there yet, or had another filter, when the event came"
_MOST_MISSES = 100
"""Subscriptions that an event did not match, explained one by one, at most."""


def event_json(event: StoredEvent, position: str) -> Json:
    """Return an event of a log, without its data."""
    return {
        "position": position,
        "arrivedAt": rfc3339_micro(event.arrival_ns / 1e9),
        "attributes": _attributes(event.attributes),
        "bytes": len(event.data),
    }


def journey_json(place: Place, journey: Journey, specs: Iterable[SubscriptionSpec]) -> Json:
    """Return a journey, with the reason of each subscription there is now that did not match."""
    misses = [spec for spec in specs if spec.label not in journey.legs]
    told = misses[:_MOST_MISSES]
    return {
        "place": str(place),
        "position": str(journey.position),
        "arrivedAt": rfc3339_micro(journey.arrival_ns / 1e9),
        "attributes": _attributes(journey.attributes),
        "subscriptions": [
            *(_leg(leg) for leg in journey.legs.values()),
            *(_miss(spec, journey.attributes) for spec in told),
        ],
        "notTold": len(misses) - len(told),
    }


def failure_json(place: Place, failure: Failure) -> Json:
    """Return an event that a subscriber did not take."""
    return {
        "place": str(place),
        "position": str(failure.journey.position),
        "attributes": _attributes(failure.journey.attributes),
        "subscription": failure.subscription,
        "outcome": failure.outcome,
        "sink": failure.url,
        "cause": _try(failure.cause),
    }


def held_json(place: Place, spec: SubscriptionSpec, note: HeldNote, position: str = "") -> Json:
    """Return an event that is held, in the form of a failure."""
    return {
        "place": str(place),
        "position": position,
        "attributes": {"id": note.event_id, "source": note.source, "type": note.type},
        "subscription": spec.label,
        "outcome": "held",
        "sink": "",
        "reason": note.reason,
        "cause": {
            "at": rfc3339_micro(note.since),
            "url": note.failure.destination,
            "status": note.failure.code,
            "error": note.error,
        },
    }


def replay_json(
    place: Place, spec: SubscriptionSpec, counted: Counted, replay: Replay | None = None
) -> Json:
    """Return what a replay delivers, and how far it is; without one, what one would deliver."""
    told = {
        "place": str(place),
        "subscription": spec.label,
        "url": spec.target.url if spec.target is not None else "",
        "events": counted.events,
        "matching": counted.matching,
    }
    if replay is None:
        return told
    failed = replay.dead_lettered + replay.dropped
    return told | {
        "id": replay.id,
        "running": replay.running,
        "delivered": replay.settled - failed,
        "deadLettered": replay.dead_lettered,
        "dropped": replay.dropped,
        "error": replay.error,
    }


def move_json(place: Place, spec: SubscriptionSpec, move: Move, log: EventLog) -> Json:
    """Return what a move of a subscription does."""
    first = move.first
    return {
        "place": str(place),
        "subscription": spec.label,
        "begin": move.text,
        "first": None
        if first is None
        else {
            "position": log.position_text(first.position),
            "arrival": rfc3339_micro(first.arrival_ns / 1e9),
        },
        "again": move.again,
        "ahead": move.ahead,
        "skipped": move.skipped,
    }


def lag_json(place: Place, label: str, lag: int | None, *, held: int, live: bool) -> Json:
    """How far a subscription is behind; ``lag`` is None where nobody knows."""
    return {
        "place": str(place),
        "subscription": label,
        "lag": lag,
        "held": held,
        "live": live,
    }


def _attributes(attributes: Mapping[str, str]) -> Json:
    return {name: value for name, value in attributes.items() if name not in _OURS}


def _leg(leg: Leg) -> Json:
    return {
        "name": leg.subscription,
        "matched": True,
        "outcome": leg.outcome,
        "attempts": [_try(each) for each in leg.tries],
        "replies": [_answer(each) for each in leg.answers],
    }


def _miss(spec: SubscriptionSpec, attributes: Mapping[str, str]) -> Json:
    found = explain(spec.wants, attributes)
    return {
        "name": spec.label,
        "matched": False,
        "clause": found.clause,
        "reason": _NOT_THERE if found.matches else found.reason,
    }


def _try(attempt: Try) -> Json:
    retry_at = rfc3339_micro(attempt.retry_at) if attempt.retry_at else None
    return {
        "at": rfc3339_micro(attempt.at),
        "hop": attempt.hop,
        "number": attempt.number,
        "url": attempt.url,
        "status": attempt.status,
        "error": attempt.error,
        "seconds": round(attempt.seconds, 6),
        "follows": attempt.follows,
        "retryAt": retry_at,
        "replay": attempt.replay,
    }


def _answer(answer: Answer) -> Json:
    return {
        "at": rfc3339_micro(answer.at),
        "id": answer.event.id,
        "source": answer.event.source,
        "type": answer.type,
        "url": answer.url,
        "replay": answer.replay,
    }
