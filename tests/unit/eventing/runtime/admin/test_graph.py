"""What flows where, from counts and from what is wired."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from eventing.api.channelkinds import INMEMORY
from eventing.filters import EVERYTHING
from eventing.runtime.admin.graph import graph_of, own_places
from eventing.runtime.delivery import Hop
from eventing.runtime.journeys.flows import Flows, flows_since
from eventing.runtime.observer import Follows
from eventing.runtime.places import BROKER, CHANNEL, Place
from eventing.runtime.policy import DeliveryPolicy
from eventing.runtime.spec import SubscriptionSpec
from eventing.runtime.target import parse_target
from tests.unit.eventing.runtime.journeys.test_recorder import (
    BILLER,
    MAILER,
    NOW,
    a_recorder,
    an_attempt,
    an_event,
    batch,
)

SHOP, DONE = Place(BROKER, "ns", "shop"), Place(CHANNEL, "ns", "done")
LONG = Place(CHANNEL, "ns", "n" * 63)
HERE = own_places([SHOP, DONE, LONG], "127.0.0.1:8082")
DONE_URL = "http://done-kn-channel.ns.svc.cluster.local"


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("http://127.0.0.1:8082/ns/shop", SHOP),
        ("http://broker-ingress.knative-eventing.svc.cluster.local/ns/shop", SHOP),
        ("http://broker-ingress.knative-eventing.svc.cluster.local/ns/other", None),
        ("http://somewhere/ns/shop", None),
        (DONE_URL, DONE),
        (f"{DONE_URL}/", DONE),
        (f"http://{INMEMORY.service_name(('ns', 'n' * 63))}.ns.svc", LONG),
        ("http://mailer.ns.svc.cluster.local", None),
        ("http://[::", None),
        ("", None),
    ],
)
def test_which_urls_are_our_own(url: str, place: Place | None) -> None:
    assert HERE(url) == place


def a_spec(name: str, url: str, **more: Any) -> SubscriptionSpec:
    target = parse_target(url, None)
    return SubscriptionSpec("u", "ns", name, EVERYTHING, DeliveryPolicy(), target, **more)


def edges(graph: dict[str, Any]) -> set[tuple[str, str, str, str, int]]:
    return {(e["from"], e["kind"], e["label"], e["to"], e["count"]) for e in graph["edges"]}


def test_what_is_wired_is_there_without_events() -> None:
    sink = parse_target("http://lost/", None)
    reply = parse_target(DONE_URL, None)
    specs = {
        SHOP: [a_spec("mailer", "http://mailer/", dead_letter=sink)],
        DONE: [replace(a_spec("next", "http://next/"), kind="subscription", reply=reply)],
    }
    graph = graph_of({}, specs, HERE)
    assert edges(graph) == {
        ("broker ns/shop", "matches", "", "trigger ns/mailer", 0),
        ("trigger ns/mailer", "delivers", "", "sink http://mailer/", 0),
        ("trigger ns/mailer", "dead letter", "", "sink http://lost/", 0),
        ("channel ns/done", "matches", "", "subscription ns/next", 0),
        ("subscription ns/next", "delivers", "", "sink http://next/", 0),
        ("subscription ns/next", "replies", "", "channel ns/done", 0),
    }
    ends = {e[end] for e in graph["edges"] for end in ("from", "to")}
    assert ends == {node["id"] for node in graph["nodes"]}


def counted(since: float = 0.0) -> Flows:
    recorder = a_recorder()
    for number, kind in enumerate(("a", "a", "b")):
        event = an_event(number, str(number), type=kind, source="/shop")
        event.arrival_ns = int((NOW + number) * 1e9)
        recorder.routed(event, [MAILER, BILLER] if kind == "a" else [MAILER])
        recorder.attempted(an_attempt(event, status=500, follows=Follows.RETRY))
        recorder.attempted(an_attempt(event, number=2))
    dead = an_attempt(an_event(0), BILLER, status=400, follows=Follows.DEAD_LETTER)
    recorder.attempted(dead)
    recorder.attempted(replace(dead, hop=Hop.DEAD_LETTER, url="http://lost/", follows=Follows.DONE))
    recorder.attempted(replace(dead, follows=Follows.DROPPED))
    recorder.attempted(an_attempt(an_event(0), MAILER, follows=Follows.REPLY))
    recorder.attempted(an_attempt(an_event(0), MAILER, status=0, follows=Follows.EXPIRED))
    recorder.replied(MAILER, an_event(0), an_event(None, "r", type="done"), "")
    recorder.replied(MAILER, an_event(0), an_event(None, "r", type="done"), DONE_URL)
    return flows_since([batch(recorder)], since)


def test_events_and_attempts_are_counted() -> None:
    flows = counted()
    assert flows.came == {("/shop", "a"): 2, ("/shop", "b"): 1}
    assert flows.matched == {MAILER.label: 3, BILLER.label: 2}
    assert flows.delivered == {(MAILER.label, "http://s/"): 4}
    assert flows.dead_lettered == {(BILLER.label, "http://lost/"): 1}
    assert flows.failed == {MAILER.label: 3, BILLER.label: 2}
    assert flows.dropped == {BILLER.label: 1}
    assert flows.replied == {(MAILER.label, "done", ""): 1, (MAILER.label, "done", DONE_URL): 1}


def test_only_what_happened_since_is_counted() -> None:
    assert counted(NOW + 1).came == {("/shop", "a"): 1, ("/shop", "b"): 1}
    assert counted(NOW + 1).delivered == {}
    assert counted(NOW + 3).came == {}


def test_kinds_beyond_measure_are_one() -> None:
    recorder = a_recorder()
    for number in range(300):
        recorder.routed(an_event(number, type=str(number)), [])
    came = flows_since([batch(recorder)], 0).came
    assert len(came) == 201
    assert (sum(came.values()), came["", ""]) == (300, 100)


def test_what_flowed_is_laid_over_what_is_wired() -> None:
    reply = parse_target(DONE_URL, None)
    specs = {SHOP: [a_spec("mailer", "http://s/", reply=reply)], DONE: list[SubscriptionSpec]()}
    graph = graph_of({SHOP: counted()}, specs, HERE)
    assert edges(graph) == {
        ("source /shop", "sends", "a", "broker ns/shop", 2),
        ("source /shop", "sends", "b", "broker ns/shop", 1),
        ("broker ns/shop", "matches", "", "trigger ns/mailer", 3),
        ("broker ns/shop", "matches", "", "trigger ns/biller", 2),
        ("trigger ns/mailer", "delivers", "", "sink http://s/", 4),
        ("trigger ns/biller", "dead letter", "", "sink http://lost/", 1),
        ("trigger ns/mailer", "replies", "done", "broker ns/shop", 1),
        ("trigger ns/mailer", "replies", "done", "channel ns/done", 1),
    }
    [biller] = [node for node in graph["nodes"] if node["name"] == "ns/biller"]
    assert (biller["failed"], biller["dropped"]) == (2, 1)
