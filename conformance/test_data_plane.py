"""Knative Eventing, data plane: what recipients answer, and how events are delivered."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from cloudevents.core.bindings.http import from_http_event

from conformance.addresses import Address
from conformance.hub import CLOCKS, Hub, Message, Reply
from conformance.messages import binary, event, reply, structured
from conformance.rules import rule

RETRY = {"retry": 2, "backoffPolicy": "linear", "backoffDelay": "PT0.05S"}
FAILED = Reply(500)


# -- recipients ------------------------------------------------------------------------------


@rule("DP-02")
def test_offers_to_upgrade_are_ignored(post):
    upgrade = ("Upgrade", "h2c"), ("HTTP2-Settings", "AAMAAABkAAQAAP__")
    assert 200 <= post(binary(event(), b"{}", "application/json", *upgrade)).status < 300


@rule("DP-03", "HB-01")
@pytest.mark.parametrize("mode", ["binary", "structured"])
def test_both_content_modes_are_received(post, mode):
    message = binary(event()) if mode == "binary" else structured(event(data={"a": 1}))
    assert 200 <= post(message).status < 300


@rule("DP-06", "WH-29")
def test_options_is_answered_with_post_in_allow(post):
    answer = post(
        Message((("WebHook-Request-Origin", "conformance.example.com"),), method="OPTIONS")
    )
    allowed = {each.strip() for each in (answer.header("allow") or "").split(",")}
    assert "POST" in allowed


@rule("DP-08", "CP-01")
def test_the_status_says_whether_an_event_was_taken(address: Address):
    box = address.hub.box()
    address.subscribe(box)
    refused, taken = event(type=None), event()
    assert address.post(binary(refused)).status == 400
    assert 200 <= address.post(binary(taken)).status < 300
    box.wait()
    assert box.ids() == [taken["id"]]


@rule("DP-09", "CP-62", "CP-73")
def test_an_accepted_event_waits_for_its_subscriber(address: Address):
    box = address.hub.box(Reply(503), Reply(503), Reply(503), Reply(202))
    address.subscribe(box, delivery=RETRY | {"retry": 5})
    sent = event()
    address.put_in(binary(sent))
    box.wait(4)
    assert {each.attributes["id"] for each in box.settled()} == {sent["id"]}
    assert len(box.received()) == 4


@rule("DP-13")
def test_an_event_that_comes_twice_is_accepted_twice(post):
    message = binary(event())
    assert [200 <= post(message).status < 300 for _ in range(3)] == [True] * 3


@rule("DP-14")
def test_events_differ_by_source_and_id_together(address: Address):
    box = address.hub.box()
    address.subscribe(box)
    first = event(source="/one")
    others = [event(id=first["id"], source="/two"), event(source="/one")]
    for each in (first, *others):
        address.put_in(binary(each))
    box.wait(3)
    seen = {(each.attributes["source"], each.attributes["id"]) for each in box.received()}
    assert seen == {(each["source"], each["id"]) for each in (first, *others)}


# -- deliveries ------------------------------------------------------------------------------


@rule("DP-04", "DP-05", "WH-02", "WH-03")
@pytest.mark.parametrize("mode", ["binary", "structured"])
def test_events_are_delivered_by_post_as_the_http_binding_says(address: Address, mode):
    box = address.hub.box()
    address.subscribe(box)
    sent = event(time="2026-01-02T03:04:05Z", subject="s")
    address.put_in(binary(sent) if mode == "binary" else structured(sent | {"data": {"a": 1}}))
    [got] = box.wait()
    assert got.method == "POST"
    assert got.header("content-type")
    read = from_http_event(got.for_sdk())
    assert (read.get_id(), read.get_source(), read.get_type()) == (
        sent["id"],
        sent["source"],
        sent["type"],
    )
    assert read.get_specversion() == "1.0"
    assert read.get_data() == {"a": 1}


@rule("DP-07")
@pytest.mark.parametrize("status", [404, 405, 500])
def test_a_recipient_that_fails_options_is_sent_to(address: Address, status):
    box = address.hub.box(Reply(202), options=[Reply(status)])
    address.subscribe(box)
    address.put_in(binary(event()))
    assert len(box.wait()) == 1


@rule("DP-10")
@pytest.mark.parametrize("status", [600, 799])
def test_a_status_outside_of_the_table_is_retried(address: Address, status):
    box = address.hub.box(Reply(status), Reply(202))
    address.subscribe(box, delivery=RETRY)
    address.put_in(binary(event()))
    assert len(box.wait(2)) == 2


@rule("DP-11", "DP-12", "DP-20")
@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_success_ends_a_delivery(address: Address, status):
    box, dead = address.hub.box(Reply(status)), address.hub.box()
    address.subscribe(box, dead_letters=dead, delivery=RETRY)
    address.put_in(binary(event()))
    box.wait()
    assert len(box.settled()) == 1
    assert dead.received() == []


@rule("DP-11")
def test_an_informational_answer_ends_nothing(address: Address):
    early = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    final = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"
    box, dead = address.hub.box(Reply(raw=early + final)), address.hub.box()
    address.subscribe(box, dead_letters=dead, delivery=RETRY)
    address.put_in(binary(event()))
    box.wait()
    assert len(box.settled()) == 1
    assert dead.received() == []


@rule("DP-12", "DP-15", "DP-17", "CP-81")
@pytest.mark.parametrize("status", [404, 408, 409, 429, 500, 502, 503, 504, 599])
def test_errors_that_may_pass_are_retried(address: Address, status):
    box, dead = address.hub.box(Reply(status)), address.hub.box()
    address.subscribe(box, dead_letters=dead, delivery=RETRY)
    address.put_in(binary(event()))
    dead.wait()
    assert len(box.received()) == 3


@rule("DP-11", "DP-12", "CP-85", "WH-05")
@pytest.mark.parametrize("status", [300, 301, 302, 307, 400, 401, 403, 405, 413, 422, 499])
def test_other_errors_are_not_retried(address: Address, status):
    elsewhere, dead = address.hub.box(), address.hub.box()
    box = address.hub.box(Reply(status, (("Location", elsewhere.url),)))
    address.subscribe(box, dead_letters=dead, delivery=RETRY)
    address.put_in(binary(event()))
    dead.wait()
    assert len(box.received()) == 1
    assert elsewhere.received() == []


@rule("DP-15", "DP-17")
def test_a_connection_that_breaks_is_retried(address: Address):
    box = address.hub.box(Reply(raw=b""), Reply(202))
    address.subscribe(box, delivery=RETRY)
    address.put_in(binary(event()))
    assert len(box.wait(2)) == 2


@rule("DP-16", "DP-17", "CP-81", "CP-109")
def test_exponential_waits_double(address: Address):
    box, dead = address.hub.box(FAILED), address.hub.box()
    policy = {"retry": 3, "backoffPolicy": "exponential", "backoffDelay": "PT0.2S"}
    address.subscribe(box, dead_letters=dead, delivery=policy)
    address.put_in(binary(event()))
    dead.wait()
    first, second, third = _waits(box.received())
    assert first >= 0.2 * CLOCKS and second >= 0.4 * CLOCKS and third >= 0.8 * CLOCKS
    assert second > first * 1.5 and third > second * 1.5


@rule("CP-81", "CP-109")
def test_linear_waits_are_equal(address: Address):
    box, dead = address.hub.box(FAILED), address.hub.box()
    policy = {"retry": 3, "backoffPolicy": "linear", "backoffDelay": "PT0.3S"}
    address.subscribe(box, dead_letters=dead, delivery=policy)
    address.put_in(binary(event()))
    dead.wait()
    waits = _waits(box.received())
    assert len(waits) == 3
    assert all(0.3 * CLOCKS <= each < 0.55 for each in waits), waits


def _waits(attempts: list[Message]) -> list[float]:
    return [later.at - before.at for before, later in pairwise(attempts)]


@rule("WH-12", "DP-16", "DP-17")
@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_waited_for(address: Address, status):
    box = address.hub.box(Reply(status, (("Retry-After", "1"),)), Reply(202))
    address.subscribe(box, delivery=RETRY)
    address.put_in(binary(event()))
    first, second = box.wait(2)
    assert second.at - first.at >= 1 * CLOCKS


# -- replies ---------------------------------------------------------------------------------


@rule("DP-19", "DP-24")
def test_subscribers_are_told_that_they_may_reply(address: Address):
    box = address.hub.box()
    address.subscribe(box)
    address.put_in(binary(event()))
    [got] = box.wait()
    assert got.header("prefer") == "reply"


@rule("DP-20", "DP-24", "CP-82")
@pytest.mark.parametrize("mode", ["binary", "structured"])
def test_the_event_in_an_answer_of_200_is_the_reply(address: Address, mode):
    answer = reply()
    if mode == "structured":
        written = structured(event(type="conformance.reply", data={"b": 2}))
        answer = Reply(200, written.headers, written.body)
    box, replies = address.hub.box(answer), address.hub.box()
    address.subscribe(box, replies=replies)
    address.put_in(binary(event()))
    box.wait()
    [got] = replies.wait()
    assert got.attributes["type"] == "conformance.reply"
    assert json.loads(got.data) == {"b": 2}


@rule("DP-21", "DP-22")
def test_the_event_in_an_answer_of_202_is_no_reply(address: Address):
    box, replies, dead = address.hub.box(reply(202)), address.hub.box(), address.hub.box()
    address.subscribe(box, replies=replies, dead_letters=dead)
    address.put_in(binary(event()))
    box.wait()
    assert replies.settled() == []
    assert dead.received() == []
    assert len(box.received()) == 1


@rule("DP-23", "DP-24")
def test_a_reply_that_nobody_asked_for_is_no_error(address: Address):
    box, dead, replies = address.hub.box(Reply(400)), address.hub.box(reply()), address.hub.box()
    address.subscribe(box, dead_letters=dead, replies=replies, delivery=RETRY)
    address.put_in(binary(event()))
    [got] = dead.wait()
    assert got.header("prefer") is None
    assert len(dead.settled()) == 1
    assert replies.received() == []


@rule("CP-50", "CP-94")
def test_the_hub_is_reached_as_a_service(address: Address, hub: Hub):
    """That of all else that is tested here nothing depends on names being resolved."""
    box = hub.box()
    path = box.url.removeprefix(hub.inside)
    ref = {"apiVersion": "v1", "kind": "Service", "name": "eventshub"}
    address.subscribe({"ref": ref, "uri": path})
    address.put_in(binary(event()))
    assert len(box.wait()) == 1
