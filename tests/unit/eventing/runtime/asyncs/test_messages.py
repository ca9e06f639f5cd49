from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventing.codec import Event
from eventing.runtime.asyncs.messages import Asked, Result, failure, own_fields

SERVICE = ("ns", "hello")
NAMES = st.from_regex(rb"x-[a-z]{1,5}", fullmatch=True)
VALUES = st.from_regex(rb"[!-~\x80-\xff]{0,9}", fullmatch=True)
FIELDS = st.lists(st.tuples(NAMES, VALUES), max_size=4).map(tuple)


@given(FIELDS, st.binary(max_size=50), st.from_regex(rb"/[!-~]{0,9}", fullmatch=True))
def test_a_request_comes_out_of_the_log_as_it_went_in(
    fields: tuple[tuple[bytes, bytes], ...], body: bytes, target: bytes
) -> None:
    asked = Asked(b"PUT", target, b"hello.example.com", fields, body)
    event = asked.event(SERVICE, "t")
    assert event.text("id") == "t"
    assert Asked.of(event) == asked


def test_a_request_is_sent_with_a_key_by_which_it_is_known_again() -> None:
    asked = Asked(b"POST", b"/a?b", b"h", ((b"x", b"y"),), b"body")
    assert asked.request("t") == (
        b"POST /a?b HTTP/1.1\r\nhost: h\r\nx: y\r\nidempotency-key: t\r\ncontent-length: 4\r\n\r\n"
        b"body"
    )
    own = Asked(b"POST", b"/", b"h", ((b"Idempotency-Key", b"mine"),))
    assert own.request("t").lower().count(b"idempotency-key") == 1


@pytest.mark.parametrize(
    "data",
    [
        None,
        b"",
        b"{}\n",
        b"[]\n",
        b'{"method":1,"target":"/","host":"h","fields":[]}\n',
        b'{"method":"GET","target":"/ HTTP/1.1\\r\\nx: y","host":"h","fields":[]}\n',
        b'{"method":"GET","target":"/","host":"h","fields":[["a","b\\r\\nc: d"]]}\n',
        b'{"method":"GET","target":"/","host":"h","fields":[["a"]]}\n',
        '{"method":"GET","target":"/","host":"\u20ac","fields":[]}\n'.encode(),
    ],
)
def test_an_event_of_somebody_else_is_refused(data: bytes | None) -> None:
    with pytest.raises(ValueError, match="no request that was taken in here"):
        Asked.of(Event({"specversion": "1.0"}, data))


@given(st.integers(100, 599), FIELDS, st.binary(max_size=50))
def test_a_result_is_read_as_it_was_written(
    status: int, fields: tuple[tuple[bytes, bytes], ...], body: bytes
) -> None:
    result = Result(status, fields, body)
    assert Result.read(result.content()) == result


def test_what_belongs_to_a_connection_or_to_this_mode_stays_behind() -> None:
    fields = [
        (b"Prefer", b"respond-async"),
        (b"Connection", b"close"),
        (b"Content-Length", b"1"),
        (b"Transfer-Encoding", b"chunked"),
        (b"X-Forwarded-For", b"1.2.3.4"),
        (b"x-hearth-async-host", b"h"),
        (b"Authorization", b"Bearer x"),
    ]
    assert own_fields(fields) == ((b"Authorization", b"Bearer x"),)


def test_a_result_is_an_event_for_who_is_called_back() -> None:
    event = Result(500, ((b"content-type", b"text/plain"),), b"no").event(SERVICE, "t")
    assert event.texts() == {
        "specversion": "1.0",
        "id": "t",
        "source": "/namespaces/ns/services/hello",
        "type": "dev.hearth.async.result",
        "subject": "/.well-known/hearth/async/ns/hello/t",
        "httpstatus": "500",
        "datacontenttype": "text/plain",
    }
    assert event.data == b"no"


@pytest.mark.parametrize(
    ("code", "data", "expected"),
    [("503", "bm8=", (503, b"no")), ("200", "", (502, b"")), (None, "?", (502, b""))],
)
def test_a_failure_without_an_answer(
    code: object, data: object, expected: tuple[int, bytes]
) -> None:
    result = failure(code, data)
    assert (result.status, result.body) == expected
