"""The response relay: bytes of the application in, bytes for the client out."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activator.framing import RequestHead
from activator.relay import BadResponse, ResponseRelay


def a_request(**changes: Any) -> RequestHead:
    head = RequestHead()
    head.method = b"GET"
    for name, value in changes.items():
        setattr(head, name, value)
    return head


def relay(
    data: bytes, cuts: list[int] | None = None, **request: Any
) -> tuple[ResponseRelay, bytes]:
    made = ResponseRelay()
    made.begin(a_request(**request))
    edges = [0, *sorted(cuts or []), len(data)]
    out = b"".join(made.feed(data[start:end]) for start, end in pairwise(edges) if start < end)
    return made, out


def test_a_usual_response_passes_through_untouched() -> None:
    data = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A:b\r\n\r\nhi"
    made, out = relay(data)
    assert out is data
    assert made.complete and made.reusable and not made.client_closes
    assert made.status == 200


def test_one_connection_carries_many_responses() -> None:
    made = ResponseRelay()
    for number in range(3):
        made.begin(a_request())
        data = b"HTTP/1.1 20%d OK\r\nContent-Length: 1\r\n\r\nx" % number
        assert made.feed(data) == data
        assert made.complete and made.reusable


def test_hop_by_hop_fields_stay_on_their_hop() -> None:
    _, out = relay(
        b"HTTP/1.1 200 OK\r\nConnection: close, X-Mine\r\nX-Mine: 1\r\nKeep-Alive: timeout=5\r\n"
        b"Upgrade: h2c\r\nProxy-Authenticate: x\r\nX-B: 2\r\nContent-Length: 0\r\n\r\n"
    )
    assert out == b"HTTP/1.1 200 OK\r\nX-B: 2\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize(
    ("begin", "field", "closes"),
    [
        pytest.param({"keep_alive": False}, b"connection: close\r\n", True, id="closing"),
        pytest.param({"http11": False}, b"connection: keep-alive\r\n", False, id="1.0-kept"),
        pytest.param(
            {"http11": False, "keep_alive": False}, b"connection: close\r\n", True, id="1.0"
        ),
    ],
)
def test_the_client_is_told_of_its_connection(
    begin: dict[str, bool], field: bytes, closes: bool
) -> None:
    made, out = relay(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", **begin)
    assert out == b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n" + field + b"\r\nx"
    assert made.client_closes is closes


def test_a_field_of_ours_is_added_once() -> None:
    data = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"
    made = ResponseRelay()
    made.begin(a_request())
    made.add_field(b"server-timing: a\r\n")
    assert b"server-timing: a\r\n\r\nx" in made.feed(data)
    made.begin(a_request())
    assert b"server-timing" not in made.feed(data)


def test_a_body_that_ends_with_the_connection() -> None:
    made, out = relay(b"HTTP/1.0 200 OK\r\nX: 1\r\n\r\nabc")
    assert not made.complete and made.until_close
    assert out == b"HTTP/1.1 200 OK\r\nX: 1\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n"
    assert made.feed(b"defg") == b"4\r\ndefg\r\n"
    assert made.end() == b"0\r\n\r\n"
    assert made.complete and not made.reusable


def test_the_same_for_an_http_1_0_client_is_plain() -> None:
    made, out = relay(b"HTTP/1.1 200 OK\r\n\r\nabc", http11=False)
    assert out == b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nabc"
    assert made.end() == b""


def test_chunks_are_undone_for_an_http_1_0_client() -> None:
    data = (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n"
        b"3\r\nabc\r\n2;e\r\nde\r\n0\r\nX: 1\r\n\r\n"
    )
    for cuts in ([], list(range(1, len(data)))):
        made, out = relay(data, cuts, http11=False)
        assert out == b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nabcde"
        assert made.complete and made.client_closes


def test_interim_responses_come_before_the_final_one() -> None:
    data = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
    final = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    made, out = relay(data + final)
    assert out == data + final
    assert made.status == 200 and made.complete
    assert relay(data + final, http11=False)[1].startswith(b"HTTP/1.1 200 OK")


def test_an_upgrade_ends_http() -> None:
    made, out = relay(b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\nrest", upgrades=True)
    assert made.upgraded and made.complete and not made.reusable
    assert out == b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n"
    assert made.rest == b"rest"


def test_the_end_within_a_response_is_an_error() -> None:
    for data in (
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab",
    ):
        made, _ = relay(data)
        with pytest.raises(BadResponse):
            made.end()


BAD = [
    pytest.param(b"garbage\r\n\r\n", id="garbage"),
    pytest.param(b"HTTP/1.1 99 Low\r\nContent-Length: 0\r\n\r\n", id="status-99"),
    pytest.param(b"HTTP/1.1 200 OK\nContent-Length: 0\n\r\n\r\n", id="bare-lf"),
    pytest.param(
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", id="lengths"
    ),
    pytest.param(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n", id="te-cl"
    ),
    pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nx", id="gzip"),
    pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", id="gzip-chunked"),
    pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", id="chunk-size"),
    pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nab", id="one-too-many"),
    pytest.param(
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", id="two-responses"
    ),
    pytest.param(b"HTTP/1.1 304 Not\r\n\r\nbody", id="304-with-body"),
    pytest.param(b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n", id="unasked-101"),
    pytest.param(b"HTTP/1.1 200 OK\r\nX: " + b"a" * 70_000, id="endless-head"),
]


@pytest.mark.parametrize("data", BAD)
def test_what_is_no_response(data: bytes) -> None:
    with pytest.raises(BadResponse):
        relay(data)


def test_a_head_request_has_no_body() -> None:
    made, _ = relay(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", method=b"HEAD")
    assert made.complete and made.reusable
    made.begin(a_request())
    assert made.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx") and made.complete
    with pytest.raises(BadResponse):
        relay(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", method=b"HEAD")


def test_bytes_after_the_end_are_an_error() -> None:
    made, _ = relay(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    with pytest.raises(BadResponse):
        made.feed(b"x")


@given(
    pieces=st.lists(st.binary(min_size=1, max_size=40), max_size=5),
    chunked=st.booleans(),
    http11=st.booleans(),
    closing=st.booleans(),
    data=st.data(),
)
def test_any_cut_gives_the_same_bytes(
    pieces: list[bytes], chunked: bool, http11: bool, closing: bool, data: Any
) -> None:
    body = b"".join(pieces)
    if chunked:
        raw = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
        stream = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + raw
    else:
        stream = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=10))
    begin = {"http11": http11, "keep_alive": not closing}
    whole, expected = relay(stream, **begin)
    parts, out = relay(stream, cuts, **begin)
    assert out == expected
    assert whole.complete and parts.complete
    assert whole.reusable == parts.reusable
