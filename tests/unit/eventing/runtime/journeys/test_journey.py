"""Journeys, put together from notes."""

from __future__ import annotations

from typing import Any

import orjson

from eventing.runtime.journeys.journey import EventName, journeys_at, journeys_of
from eventing.runtime.journeys.records import ROUTED

ATTRIBUTES = {"id": "1", "source": "/s"}


def routed(position: int, arrival_ns: int, *labels: str) -> list[Any]:
    return [ROUTED, position, arrival_ns, ATTRIBUTES, list(labels)]


def test_each_subscription_may_tell_that_an_event_goes_to_it() -> None:
    batch = orjson.dumps([routed(7, 5, "trigger a"), routed(7, 5, "trigger b")])
    [journey] = journeys_of([batch], [EventName("1")])
    assert {label: leg.matched for label, leg in journey.legs.items()} == {
        "trigger a": True,
        "trigger b": True,
    }
    assert journeys_at([batch], ["7"])["7"] == journey


def test_another_event_in_the_same_place_is_another_journey() -> None:
    batch = orjson.dumps([routed(7, 5, "trigger a"), routed(7, 6, "trigger b")])
    [journey] = journeys_of([batch], [EventName("1")])
    assert (journey.arrival_ns, list(journey.legs)) == (6, ["trigger b"])
