"""Which answers carry a reply."""

import json

import pytest

from activator.http.events import ResponseHead
from eventing.runtime.client import Answer
from eventing.runtime.replies import replies_of

EVENT = (
    (b"ce-specversion", b"1.0"),
    (b"ce-id", b"1"),
    (b"ce-source", b"/s"),
    (b"ce-type", b"t"),
)


def answer(status, fields=EVENT, body=b"x"):
    return Answer(ResponseHead.of(status, fields, body), body)


@pytest.mark.parametrize("status", [200, 201])
def test_an_event_is_a_reply(status):
    found, [reply] = replies_of(answer(status))
    assert found == status
    assert reply.text("id") == "1"


@pytest.mark.parametrize("fields", [EVENT, (), EVENT[1:]])
def test_what_202_carries_is_no_reply_and_no_fault(fields):
    assert replies_of(answer(202, fields)) == (202, ())


@pytest.mark.parametrize("fields", [(), EVENT[1:], EVENT[:3]])
def test_a_body_that_is_no_event_counts_as_a_bad_gateway(fields):
    assert replies_of(answer(200, fields)) == (502, ())


def test_no_body_is_no_reply():
    assert replies_of(answer(200, (), b"")) == (200, ())


def test_a_batch_is_several_replies():
    event = {"specversion": "1.0", "source": "/s", "type": "t"}
    fields = ((b"content-type", b"application/cloudevents-batch+json"),)
    body = json.dumps([event | {"id": "1"}, event | {"id": "2"}]).encode()
    found, replies = replies_of(answer(200, fields, body))
    assert (found, [each.text("id") for each in replies]) == (200, ["1", "2"])
    assert replies_of(answer(200, fields, b"[]")) == (200, [])
    assert replies_of(answer(200, fields, b"[{}]")) == (502, ())
