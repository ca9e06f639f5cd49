"""What is noted of deliveries, and that it can be found and put together again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventing.engines.event import Position, StoredEvent
from eventing.filters import EVERYTHING
from eventing.runtime.delivery import Hop
from eventing.runtime.journeys.journey import EventName, Journey, journeys_at, journeys_of
from eventing.runtime.journeys.recorder import Recorder
from eventing.runtime.journeys.records import packed, unpacked
from eventing.runtime.observer import Attempt, Follows
from eventing.runtime.policy import DeliveryPolicy
from eventing.runtime.spec import SubscriptionSpec

NOW = 1_700_000_000.5


def a_spec(name: str) -> SubscriptionSpec:
    return SubscriptionSpec(f"uid-{name}", "ns", name, EVERYTHING, DeliveryPolicy(), None)


MAILER, BILLER = a_spec("mailer"), a_spec("biller")


def an_event(position: Any, event_id: str = "1", **more: str) -> StoredEvent:
    attributes = {"id": event_id, "source": "/s", "type": "t", **more}
    head = "".join(f"ce-{name}: {value}\r\n" for name, value in attributes.items()).encode(
        errors="replace"
    )
    return StoredEvent(5, 255, head, b"", b"", attributes, position)


def an_attempt(event: StoredEvent, spec: SubscriptionSpec = MAILER, **changes: Any) -> Attempt:
    made = Attempt(spec, event, Hop.SUBSCRIBER, 1, "http://s/", 200, "", 0.25, Follows.DONE)
    return replace(made, **changes)


def a_recorder(waiting_bytes: int = 10**6) -> Recorder:
    return Recorder(clock=lambda: NOW, position_text=str, waiting_bytes=waiting_bytes)


def batch(recorder: Recorder) -> bytes:
    return unpacked(packed(recorder.take().pieces))


def journeys(*batches: bytes, names: tuple[EventName, ...] = (EventName("1"),)) -> list[Journey]:
    return journeys_of(batches, names)


def test_the_way_of_an_event_is_put_together() -> None:
    recorder, event = a_recorder(), an_event(7, subject="x")
    recorder.routed(an_event(6, "0"), [MAILER])
    recorder.routed(event, [MAILER, BILLER])
    failed = an_attempt(event, status=503, error="busy", follows=Follows.RETRY, retry_at=NOW + 2)
    recorder.attempted(failed)
    recorder.attempted(an_attempt(event, number=2))
    recorder.replied(MAILER, event, an_event(None, "r", type="done"), "")
    [journey] = journeys(batch(recorder))
    assert (journey.position, journey.arrival_ns) == (7, 5)
    assert journey.attributes["subject"] == "x"
    assert list(journey.legs) == ["trigger ns/mailer", "trigger ns/biller"]
    mailer, biller = journey.legs.values()
    assert [(each.number, each.status, each.error) for each in mailer.tries] == [
        (1, 503, "busy"),
        (2, 200, ""),
    ]
    first = mailer.tries[0]
    assert (first.at, first.hop, first.url, first.seconds) == (NOW, "subscriber", "http://s/", 0.25)
    assert (first.follows, first.retry_at) == ("retry", NOW + 2)
    assert [(each.event, each.type, each.url) for each in mailer.answers] == [
        (EventName("r", "/s"), "done", "")
    ]
    assert (mailer.outcome, biller.outcome) == ("delivered", "waiting")


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        ({}, "delivered"),
        ({"follows": Follows.RETRY}, "retry"),
        ({"follows": Follows.DEAD_LETTER}, "waiting"),
        ({"hop": Hop.DEAD_LETTER}, "dead letter"),
        ({"hop": Hop.REPLY}, "delivered"),
        ({"follows": Follows.REPLY}, "waiting"),
        ({"follows": Follows.DROPPED}, "dropped"),
        ({"follows": Follows.HELD}, "held"),
        ({"status": 0, "follows": Follows.DUPLICATE}, "duplicate"),
        ({"hop": Hop.DEAD_LETTER, "follows": Follows.DROPPED}, "dropped"),
    ],
)
def test_the_last_attempt_says_how_it_stands(changes: dict[str, Any], outcome: str) -> None:
    recorder, event = a_recorder(), an_event(7)
    recorder.routed(event, [MAILER])
    recorder.attempted(an_attempt(event, status=500, follows=Follows.RETRY))
    recorder.attempted(an_attempt(event, **changes))
    [journey] = journeys(batch(recorder))
    assert journey.legs[MAILER.label].outcome == outcome


def test_a_replay_is_told_from_what_happened_first() -> None:
    recorder, event = a_recorder(), an_event(7)
    recorder.routed(event, [MAILER])
    recorder.attempted(an_attempt(event))
    replaying = recorder.replaying("r-1")
    replaying.routed(event, [BILLER])
    replaying.attempted(an_attempt(event, status=500, follows=Follows.DROPPED))
    replaying.replied(MAILER, event, an_event(None, "again"), "http://elsewhere/")
    [journey] = journeys(batch(recorder))
    [leg] = journey.legs.values()
    assert [each.replay for each in leg.tries] == ["", "r-1"]
    assert [(each.replay, each.url) for each in leg.answers] == [("r-1", "http://elsewhere/")]
    assert leg.outcome == "delivered"


def test_events_are_found_by_id_and_source_in_any_batch() -> None:
    recorder = a_recorder()
    batches = []
    for position, source in enumerate(("/a", "/b")):
        recorder.routed(an_event(position, "same", source=source), [MAILER])
        batches.append(batch(recorder))
    for position in (1, 0):
        recorder.attempted(an_attempt(an_event(position)))
        batches.append(batch(recorder))
    both = journeys(*batches, names=(EventName("same"),))
    assert [each.name for each in both] == [EventName("same", "/a"), EventName("same", "/b")]
    assert all(each.legs[MAILER.label].tries for each in both)
    [one] = journeys(*batches, names=(EventName("same", "/b"),))
    assert one.position == 1
    assert journeys(*batches, names=(EventName("sam"), EventName("same", "/c"))) == []


def test_events_are_found_by_position() -> None:
    recorder = a_recorder()
    for position in range(5):
        recorder.routed(an_event(position, str(position)), [MAILER])
        recorder.attempted(an_attempt(an_event(position)))
    found = journeys_at([batch(recorder)], {"1", "3", "9"})
    assert {at: each.legs[MAILER.label].outcome for at, each in found.items()} == {
        "1": "delivered",
        "3": "delivered",
    }


def test_positions_of_other_engines_are_texts() -> None:
    def text(position: Position) -> str:
        partition, number = cast(tuple[int, int], position)
        return f"{partition}:{number}"

    recorder = Recorder(clock=lambda: NOW, position_text=text, waiting_bytes=10**6)
    recorder.routed(an_event((1, 7)), [MAILER])
    first = batch(recorder)
    recorder.attempted(an_attempt(an_event((1, 7))))
    [journey] = journeys(first, batch(recorder))
    assert (journey.position, journey.legs[MAILER.label].outcome) == ("1:7", "delivered")


def test_of_long_attributes_only_the_main_ones_are_kept() -> None:
    recorder = a_recorder()
    recorder.routed(an_event(1, subject="s", long="x" * 5000), [])
    [journey] = journeys(batch(recorder))
    assert set(journey.attributes) == {"id", "source", "type", "subject"}


def test_what_there_is_no_room_for_is_lost_and_counted() -> None:
    recorder = a_recorder(waiting_bytes=1000)
    for position in range(200):
        recorder.routed(an_event(position), [])
    taken = recorder.take()
    assert taken.notes + recorder.lost == 200
    assert sum(map(len, taken.pieces)) <= 1000
    recorder.routed(an_event(201), [])
    assert recorder.take().notes == 1, "what was taken makes room"


def test_a_text_that_cannot_be_written_ends_no_delivery() -> None:
    recorder = a_recorder()
    recorder.attempted(an_attempt(an_event(1), error="\udcff"))
    assert (recorder.take().notes, recorder.lost) == (0, 1)
    recorder.routed(an_event(2), [])
    assert recorder.take().notes == 1


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), max_size=100))
def test_whatever_an_id_is_it_is_found(ids: list[str]) -> None:
    recorder = a_recorder()
    for position, event_id in enumerate(ids):
        recorder.routed(an_event(position, event_id), [MAILER])
    whole = batch(recorder) if ids else b"[]"
    assert len(orjson.loads(whole)) == len(ids)
    for event_id in ids:
        found = journeys(whole, names=(EventName(event_id),))
        assert [each.position for each in found] == [
            position for position, other in enumerate(ids) if other == event_id
        ]
