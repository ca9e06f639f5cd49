"""The bytes of a delivery, and what a dead letter says."""

import base64
import json

import pytest

from eventing.engines.event import RenderedEvent
from eventing.runtime.request import (
    ErrorInfo,
    common_lines,
    make_batch_request,
    make_request,
    post,
    with_line,
)
from eventing.runtime.target import parse_target

HEAD = b"ce-specversion: 1.0\r\nce-id: 1\r\nce-source: /s\r\nce-type: t\r\n"
TARGET = parse_target("http://sink.example/p", None)


def an_event(head=HEAD, types=b"", data=b'{"a":1}'):
    lines = head + b"content-type: application/json\r\nx-request-id: r\r\n"
    return RenderedEvent(0, 255, lines, types, data)


def parts(request):
    """The request line, the fields and the body of a request."""
    head, _, body = request.partition(b"\r\n\r\n")
    opening, *lines = head.split(b"\r\n")
    return opening, dict(line.split(b": ", 1) for line in lines), body


def render(event, *, structured=False, wants_reply=True, failure=None):
    common = common_lines("ns", wants_reply=wants_reply)
    return parts(make_request(TARGET, event, common, structured=structured, failure=failure))


def test_binary():
    opening, headers, body = render(an_event())
    assert opening == b"POST /p HTTP/1.1"
    assert headers[b"host"] == b"sink.example"
    assert headers[b"prefer"] == b"reply"
    assert headers[b"kn-namespace"] == b"ns"
    assert headers[b"ce-id"] == b"1"
    assert headers[b"content-type"] == b"application/json"
    assert (body, headers[b"content-length"]) == (b'{"a":1}', b"7")


def test_structured():
    _, headers, body = render(an_event(types=b'{"n":5}'), structured=True)
    assert headers[b"content-type"].startswith(b"application/cloudevents+json")
    assert headers[b"x-request-id"] == b"r"
    assert not any(name.startswith(b"ce-") for name in headers)
    document = json.loads(body)
    assert (document["n"], document["data"]) == (5, {"a": 1})


def test_dead_letter():
    failure = ErrorInfo.of("http://sub.example/x y", 503, body=b"too busy")
    _, headers, _ = render(an_event(), failure=failure, wants_reply=False)
    assert headers[b"ce-knativeerrordest"] == b"http://sub.example/x%20y"
    assert headers[b"ce-knativeerrorcode"] == b"503"
    assert base64.b64decode(headers[b"ce-knativeerrordata"]) == b"too busy"
    assert b"prefer" not in headers


def test_no_answer_counts_as_500():
    failure = ErrorInfo.of("http://a", 0, error="refused")
    assert failure.code == 500
    assert base64.b64decode(failure.data) == b"dispatch error: refused"


def test_error_data_is_short():
    assert len(ErrorInfo.of("http://a", 500, body=b"x" * 5000).data) == 1024


def test_an_earlier_failure_is_replaced():
    head = HEAD + b"ce-knativeerrorcode: 400\r\nce-knativeerrordest: http://old\r\n"
    failure = ErrorInfo("http://new", 500, "")
    common = common_lines("ns", wants_reply=False)
    request = make_request(TARGET, an_event(head), common, structured=False, failure=failure)
    assert request.count(b"ce-knativeerrorcode") == 1
    assert b"http://old" not in request


def test_a_batch():
    common = common_lines("ns", wants_reply=True)
    events = [an_event(types=b'{"n":5,"":["cause"]}'), an_event(data=b"")]
    opening, headers, body = parts(make_batch_request(TARGET, events, common))
    assert opening == b"POST /p HTTP/1.1"
    assert headers[b"content-type"] == b"application/cloudevents-batch+json"
    assert headers[b"content-length"] == str(len(body)).encode()
    assert headers[b"kn-namespace"] == b"ns"
    first, second = json.loads(body)
    assert (first["n"], first["data"], "" in first) == (5, {"a": 1}, False)
    assert "data" not in second


PARENT = "00-0af7651916cd43dd8448eb211c80319c-b9c7c989f97918e1-01"
OTHER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def batched(*heads):
    events = [RenderedEvent(0, 255, head, b"", b"") for head in heads]
    common = common_lines("ns", wants_reply=True)
    _, headers, body = parts(make_batch_request(TARGET, events, common))
    assert not any(b"trace" in name for name in headers)
    return [(e.get("traceparent"), e.get("tracestate")) for e in json.loads(body)]


def test_events_of_a_batch_keep_their_traces_as_attributes():
    parent, state = f"traceparent: {PARENT}\r\n".encode(), b"tracestate: a=1\r\n"
    more = b"tracestate: b=2\r\n"
    assert batched(HEAD + parent + state + more, HEAD, HEAD + parent) == [
        (PARENT, "a=1,b=2"),
        (None, None),
        (PARENT, None),
    ]


def test_the_trace_that_an_event_began_with_is_kept():
    own = HEAD + f"ce-traceparent: {OTHER}\r\n".encode()
    came = f"traceparent: {PARENT}\r\ntracestate: a=1\r\n".encode()
    assert batched(own + came) == [(OTHER, None)]


@pytest.mark.parametrize(
    "lines",
    [
        b"traceparent: nonsense\r\n",
        b"traceparent: \xff\r\n",
        b"tracestate: a=1\r\n",
        f"traceparent: {PARENT}\r\ntraceparent: {OTHER}\r\n".encode(),
    ],
)
def test_what_is_no_trace_context_does_not_become_one(lines):
    assert batched(HEAD + lines) == [(None, None)]


def test_a_trace_state_that_is_no_text_is_left_out():
    lines = f"traceparent: {PARENT}\r\n".encode() + b"tracestate: a=\xff\r\n"
    assert batched(HEAD + lines) == [(PARENT, None)]


def test_a_request_with_one_more_line():
    request = with_line(post(TARGET, (b"a: b\r\n",), b"body"), b"authorization: Bearer t\r\n")
    opening, headers, body = parts(request)
    assert (opening, body) == (b"POST /p HTTP/1.1", b"body")
    assert headers == {
        b"host": b"sink.example",
        b"a": b"b",
        b"authorization": b"Bearer t",
        b"content-length": b"4",
    }


def test_the_length_of_nothing_is_said():
    assert parts(post(TARGET, (), b""))[1][b"content-length"] == b"0"
