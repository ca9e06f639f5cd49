"""The webhook specification: what addresses answer as targets, and how senders behave."""

from __future__ import annotations

import pytest

from conformance.addresses import Address
from conformance.hub import Message, Reply
from conformance.messages import binary, event
from conformance.rules import rule

ORIGIN = "eventemitter.example.com"
FAST = {"retry": 3, "backoffPolicy": "linear", "backoffDelay": "PT0.05S"}


# -- targets ---------------------------------------------------------------------------------


@rule("WH-22", "WH-27", "WH-29", "WH-30", "WH-31", "WH-32")
@pytest.mark.parametrize("rate", ["120", None])
def test_the_handshake_is_answered_with_permission(post, rate):
    asked: tuple[tuple[str, str], ...] = (("WebHook-Request-Origin", ORIGIN),)
    if rate is not None:
        asked += (("WebHook-Request-Rate", rate),)
    answer = post(Message(asked, method="OPTIONS"))
    assert answer.status < 300
    assert answer.header("webhook-allowed-origin") in ("*", ORIGIN)
    allowed = answer.header("webhook-allowed-rate") or ""
    assert allowed == "*" or int(allowed) > 0
    assert "POST" in (answer.header("allow") or "")


@rule("WH-06", "WH-07", "WH-09", "WH-05")
def test_an_accepted_event_is_answered_as_its_payload_says(post):
    answer = post(binary(event()))
    if answer.body:
        assert answer.status in (200, 201)
        assert answer.header("content-type")
    else:
        assert answer.status == 202


@rule("WH-13")
@pytest.mark.parametrize(
    "kind",
    [
        "application/cloudevents+xml",
        "application/cloudevents+avro",
        "application/cloudevents+protobuf",
        "application/cloudevents-batch+protobuf",
    ],
)
def test_a_format_that_is_not_understood_is_415(post, kind):
    assert post(Message((("content-type", kind),), b"<event/>")).status == 415


# -- senders ---------------------------------------------------------------------------------


@rule("WH-05")
@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirects_are_not_followed(address: Address, status):
    elsewhere, dead = address.hub.box(), address.hub.box()
    box = address.hub.box(Reply(status, (("Location", elsewhere.url),)))
    address.subscribe(box, dead_letters=dead, delivery=FAST)
    address.put_in(binary(event()))
    dead.wait()
    assert elsewhere.settled() == []


@rule("WH-16")
def test_a_challenge_is_not_answered(address: Address):
    challenge = Reply(401, (("WWW-Authenticate", 'Basic realm="x"'),))
    box, dead = address.hub.box(challenge), address.hub.box()
    address.subscribe(box, dead_letters=dead, delivery=FAST)
    address.put_in(binary(event()))
    dead.wait()
    assert len(box.received()) == 1


@rule("WH-18")
def test_the_query_of_a_target_is_kept(address: Address):
    box = address.hub.box()
    address.subscribe({"uri": f"{box.url}?access_token=a.b-c&p=q&r=%26"})
    address.put_in(binary(event()))
    [got] = box.wait()
    assert got.target.endswith("?access_token=a.b-c&p=q&r=%26")
