"""What is stamped on an event as it comes in."""

import pytest

from eventing.broker.intake import TooManyPasses, prepare
from eventing.codec import Event

BASE = {"specversion": "1.0", "id": "1", "source": "/s", "type": "t"}
NOW = 1_700_000_000_123_456_789


def an_event(**more):
    return Event(dict(BASE) | more, b"x")


def test_arrival_time_is_stamped():
    stored = prepare(an_event(), arrival_ns=NOW)
    assert stored.attributes["knativearrivaltime"] == "2023-11-14T22:13:20.123456789Z"
    assert b"ce-knativearrivaltime: 2023-11-14T22:13:20.123456789Z\r\n" in stored.head


def test_a_producers_arrival_time_is_replaced():
    stored = prepare(an_event(knativearrivaltime="2020-01-01T00:00:00Z"), arrival_ns=NOW)
    assert stored.head.count(b"knativearrivaltime") == 1
    assert b"2020-" not in stored.head


@pytest.mark.parametrize(("given", "left"), [(None, 255), (255, 254), ("7", 6), ("many", 255)])
def test_passes_are_counted_and_not_shown_to_subscribers(given, left):
    event = an_event() if given is None else an_event(knativebrokerttl=given)
    stored = prepare(event, arrival_ns=NOW)
    assert stored.ttl == left
    assert b"knativebrokerttl" not in stored.head
    assert stored.types == b""


@pytest.mark.parametrize("given", [1, 0, -3])
def test_an_event_at_its_last_pass_is_refused(given):
    with pytest.raises(TooManyPasses):
        prepare(an_event(knativebrokerttl=given), arrival_ns=NOW)


def test_a_reply_takes_the_count_of_what_it_answers():
    assert prepare(an_event(knativebrokerttl=200), arrival_ns=NOW, ttl=10).ttl == 9
    with pytest.raises(TooManyPasses):
        prepare(an_event(), arrival_ns=NOW, ttl=1)


def test_some_headers_go_on_to_subscribers():
    headers = [
        (b"x-request-id", b"r"),
        (b"x-b3-traceid", b"b"),
        (b"knative-x", b"k"),
        (b"authorization", b"secret"),
        (b"host", b"h"),
    ]
    head = prepare(an_event(), arrival_ns=NOW, headers=headers).head
    for line in (b"x-request-id: r", b"x-b3-traceid: b", b"knative-x: k"):
        assert line + b"\r\n" in head
    assert b"secret" not in head


def test_types_are_kept_beside_the_head():
    assert prepare(an_event(n=5, yes=True), arrival_ns=NOW).types == b'{"n":5,"yes":true}'
