"""What branches tell their join: marked replies, and ends without one."""

import pytest

from eventing.api.joins import JoinBranch
from eventing.codec import Event, render_head
from eventing.engines.event import StoredEvent
from eventing.runtime.delivery import Delivery, Hop
from eventing.runtime.joins.branch import end_of, mark
from eventing.runtime.joins.parts import MARK, new_token, read_part
from eventing.runtime.request import ErrorInfo

TOKEN = new_token(1_700_000_000_000_000_000, "aa")
LAST = JoinBranch("join", 1, is_last=True, is_filter=False)
FILTER = JoinBranch("join", 1, is_last=False, is_filter=True)
PASSES = JoinBranch("join", 1, is_last=False, is_filter=False)
FAILURE = ErrorInfo("http://x", 503, "")


def an_event(value: str | None = TOKEN):
    attributes = {"specversion": "1.0", "id": "1", "source": "/s", "type": "t"}
    if value is not None:
        attributes[MARK] = value
    return StoredEvent(0, 255, b"", b"", b"", attributes, 7)


def a_reply():
    reply = Event({"specversion": "1.0", "id": "r", "source": "/r", "type": "r", MARK: "theirs"})
    render_head(reply)
    return reply


def test_replies_of_a_subscriber_are_parts():
    replies = [a_reply(), a_reply()]
    assert mark(LAST, an_event(), replies)
    marks = [str(each.attributes[MARK]) for each in replies]
    assert marks == [f"{TOKEN}/1/replied/0/2", f"{TOKEN}/1/replied/1/2"]
    for reply, value in zip(replies, marks, strict=True):
        assert render_head(reply).count(b"ce-hearthjoin: " + value.encode()) == 1
        assert b"theirs" not in render_head(reply)


def test_replies_of_a_filter_go_on_under_the_token():
    reply = a_reply()
    assert mark(FILTER, an_event(), [reply])
    assert reply.attributes[MARK] == TOKEN


@pytest.mark.parametrize("value", [None, "garbage", f"{TOKEN}/0/replied/0/1"])
def test_events_that_came_by_another_way_are_no_concern_of_the_join(value):
    reply = a_reply()
    assert not mark(LAST, an_event(value), [reply])
    assert reply.attributes[MARK] == "theirs"
    assert end_of(LAST, Delivery(an_event(value)), "/ns/s", 5) is None


@pytest.mark.parametrize(
    ("branch", "hop", "failure", "outcome"),
    [
        (LAST, Hop.SUBSCRIBER, None, "nothing"),
        (LAST, Hop.SUBSCRIBER, FAILURE, "failed"),
        (LAST, Hop.DEAD_LETTER, FAILURE, "failed"),
        (FILTER, Hop.SUBSCRIBER, None, "filtered"),
        (FILTER, Hop.REPLY, None, None),
        (FILTER, Hop.REPLY, FAILURE, "failed"),
        (PASSES, Hop.SUBSCRIBER, None, None),
        (PASSES, Hop.DEAD_LETTER, FAILURE, "failed"),
    ],
)
def test_an_end_is_told_where_it_is_that_of_the_branch(branch, hop, failure, outcome):
    told = end_of(branch, Delivery(an_event(), hop, failure=failure), "/ns/s", 5)
    if outcome is None:
        assert told is None
        return
    assert told is not None
    part = read_part(told.attributes[MARK])
    assert part is not None
    assert (part.token, part.branch, part.outcome, part.count) == (TOKEN, 1, outcome, 1)
    assert told.attributes["source"] == "/ns/s"
    assert told.attributes.get("knativeerrorcode") == ("503" if failure else None)
