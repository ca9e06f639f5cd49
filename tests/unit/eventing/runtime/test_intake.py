"""What is stamped on an event as it comes in."""

import pytest

from eventing.codec import Event
from eventing.engines.event import RenderedEvent
from eventing.runtime.intake import TooManyPasses, prepare, prepare_unstamped

BASE = {"specversion": "1.0", "id": "1", "source": "/s", "type": "t"}
NOW = 1_700_000_000_123_456_789


def an_answered(*, ttl=10, head=b""):
    return RenderedEvent(NOW, ttl, head, b"", b"")


def reply_to(answered, *, headers=(), **attributes):
    event = an_event(**attributes)
    return prepare(event, arrival_ns=NOW, answered=answered, headers=headers)


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


@pytest.mark.parametrize(
    ("given", "left"),
    [
        (None, 255),
        (255, 254),
        ("7", 6),
        ("many", 255),
        ("9999999999", 255),
        ("99999999999999999999", 255),
        ("2147483647", 2147483646),
        ("2147483648", 255),
        ("-2147483649", 255),
        ("٧", 255),
        ("1_000", 255),
        (True, 255),
    ],
)
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
    assert reply_to(an_answered(ttl=10), knativebrokerttl=200).ttl == 9
    with pytest.raises(TooManyPasses):
        reply_to(an_answered(ttl=1))


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


TRACE = (b"traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
STATE = (b"tracestate", b"a=1,b=2")
TRACE_LINES = b"%b: %b\r\n%b: %b\r\n" % (*TRACE, *STATE)


def test_the_trace_goes_on_to_subscribers():
    assert prepare(an_event(), arrival_ns=NOW, headers=[TRACE, STATE]).head.endswith(TRACE_LINES)


@pytest.mark.parametrize("render", [reply_to, None], ids=["into the log", "to a place of its own"])
def test_a_reply_has_the_trace_of_what_it_answers(render):
    answered = an_answered(head=b"ce-id: 1\r\n" + TRACE_LINES)

    def rendered(headers):
        if render is not None:
            return render(answered, headers=headers).head
        return prepare_unstamped(
            an_event(), arrival_ns=NOW, answered=answered, headers=headers
        ).head

    assert rendered(()).endswith(TRACE_LINES)
    assert rendered([(b"tracestate", b"left=out")]).endswith(TRACE_LINES)
    own = (b"traceparent", b"00-11111111111111111111111111111111-2222222222222222-01")
    head = rendered([own])
    assert own[1] in head
    assert TRACE[1] not in head
    assert STATE[1] not in head


def test_a_reply_to_a_place_of_its_own_is_not_stamped():
    reply = prepare_unstamped(an_event(), arrival_ns=NOW, answered=an_answered(), headers=())
    assert b"knativearrivaltime" not in reply.head
    assert reply.attributes == dict(BASE)


def test_causes_are_kept_and_nobody_sees_them():
    for event in (an_event(), an_event(n=5)):
        known = event.attributes.copy()
        stored = prepare(event, arrival_ns=NOW, causes=("a", "b"))
        assert stored.causes == ("a", "b")
        shown = stored.to_event().attributes
        assert shown.pop("knativearrivaltime")
        assert shown == known
        assert b'"a"' not in stored.head
    assert prepare(an_event(n=5), arrival_ns=NOW).causes == ()
