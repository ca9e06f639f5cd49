"""What the event of a join looks like."""

import json

from eventing.api.joins import DATA, EVENTS, JoinOptions
from eventing.codec import Event, render_head
from eventing.runtime.joins.composing import BranchResult, compose
from eventing.runtime.joins.parts import FAILED, FILTERED, MARK, MISSING, NOTHING, REPLIED

BOTH = {"specversion": "1.0", "source": "/s", "type": "t"}
ORIGINAL = Event({**BOTH, "id": "o-1", "subject": "s", "tenant": "a", MARK: "T", "time": "x"})


def reply(data=b'{"a": 1}', content_type: str | None = "application/json", **more):
    attributes = {**BOTH, "id": "r", MARK: "T/0/replied/0/1", **more}
    if content_type:
        attributes["datacontenttype"] = content_type
    return BranchResult(REPLIED, [Event(attributes, data)])


def joined(*results, shape=DATA, original: Event | None = ORIGINAL, most_bytes=10_000):
    options = JoinOptions(shape, branches=len(results), source="/p")
    return compose("T", options, original, results, most_bytes=most_bytes)


def data_of(event):
    return json.loads(event.data)


def test_data_of_all_branches_stands_in_their_order():
    event = joined(reply(b"1.50"), reply(b'"b"'))
    assert event.data == b'[1.50,"b"]'  # as it was written
    assert event.attributes == {
        **BOTH,
        "id": "T",
        "source": "/p",
        "type": "dev.hearth.parallel.joined",
        "datacontenttype": "application/json",
        "subject": "s",
        "tenant": "a",
        "causationid": "o-1",
    }
    assert MARK.encode() not in render_head(event)


def test_what_is_no_json_is_text_or_base64():
    results = [
        reply(b"hello", "text/plain"),
        reply(b"\x00\x01", "application/octet-stream"),
        reply(b"{", "application/json"),
        reply(b"x", None),
        reply(b""),
    ]
    assert data_of(joined(*results)) == [
        "hello",
        {"data_base64": "AAE="},
        {"data_base64": "ew=="},
        {"data_base64": "eA=="},
        None,
    ]


def test_branches_without_a_reply_are_null_and_named():
    outcomes = [BranchResult(each, []) for each in (NOTHING, FILTERED, FAILED, MISSING)]
    event = joined(reply(), *outcomes)
    assert data_of(event) == [{"a": 1}, None, None, None, None]
    assert event.attributes["joinmissing"] == "1,2,3,4"


def test_several_replies_are_an_array():
    [one], [two] = reply(b"1").events, reply(b"2").events
    assert data_of(joined(BranchResult(REPLIED, [one, two]), reply(b"3"))) == [[1, 2], 3]


def test_events_whole_with_what_became_of_each_branch():
    failed = Event({**BOTH, "id": "f", "knativeerrorcode": 500, "knativeerrordest": "http://x"})
    event = joined(
        reply(b"1"), BranchResult(FAILED, [failed]), BranchResult(MISSING, []), shape=EVENTS
    )
    first, second, third = data_of(event)
    assert first == {
        "branch": 0,
        "outcome": "replied",
        "events": [{**BOTH, "id": "r", "datacontenttype": "application/json", "data": 1}],
    }
    error = {"code": 500, "destination": "http://x"}
    assert second == {"branch": 1, "outcome": "failed", "events": [], "error": error}
    assert third == {"branch": 2, "outcome": "missing", "events": []}


def test_extensions_that_all_replies_share_go_on():
    event = joined(reply(replyid="7", other="a"), reply(replyid="7", other="b"))
    assert event.attributes["replyid"] == "7"
    assert "other" not in event.attributes
    alone = joined(reply(replyid="7"), BranchResult(NOTHING, []))
    assert alone.attributes["replyid"] == "7"


def test_without_the_event_itself_there_is_no_cause():
    event = joined(reply(), original=None)
    assert "causationid" not in event.attributes
    assert data_of(event) == [{"a": 1}]


def test_too_much_data_is_left_out_and_said_to_be():
    event = joined(reply(b'"' + b"x" * 500 + b'"'), reply(b"1"), most_bytes=100)
    assert data_of(event) == [
        {"error": "left out: 502 bytes are too many in one event"},
        {"error": "left out: 1 bytes are too many in one event"},
    ]
