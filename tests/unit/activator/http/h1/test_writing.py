"""Heads and chunks in bytes."""

from __future__ import annotations

import pytest

from activator.http.events import UNKNOWN, FieldBlock, RequestHead, ResponseHead
from activator.http.h1.writing import chunk, last_chunk, request_head, response_head


def test_a_request_head() -> None:
    block = FieldBlock.of([(b"F", b"1")])
    head = RequestHead.of(b"POST", b"/x", b"h", blocks=(block,), length=UNKNOWN)
    head.fields = [(b"A", b"1"), (b"B", b"2")]
    head.wants_trailers = True
    assert request_head(head) == (
        b"POST /x HTTP/1.1\r\nhost: h\r\nF: 1\r\nA: 1\r\nB: 2\r\n"
        b"transfer-encoding: chunked\r\nte: trailers\r\n\r\n"
    )


def test_a_request_with_a_length() -> None:
    head = RequestHead.of(b"POST", b"/", b"h", length=3)
    head.expects_continue = True
    assert request_head(head) == (
        b"POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 3\r\nexpect: 100-continue\r\n\r\n"
    )


@pytest.mark.parametrize("more", [b"", b"connection: close\r\n"])
def test_a_response_head_as_it_came_or_with_a_line_more(more: bytes) -> None:
    wire = b"HTTP/1.1 200 Fine\r\nX-A:1\r\n\r\nbody"
    assert response_head(ResponseHead(200, wire, 28, True), more) == (
        b"HTTP/1.1 200 Fine\r\nX-A:1\r\n" + more + b"\r\n"
    )


def test_a_response_head_that_has_to_change() -> None:
    wire = b"HTTP/1.0 200 Fine\r\nX-A:1\r\nKeep-Alive: 5\r\n\r\n"
    assert response_head(ResponseHead(200, wire, len(wire), False), b"M: 1\r\n") == (
        b"HTTP/1.1 200 Fine\r\nX-A: 1\r\nM: 1\r\n\r\n"
    )


def test_chunks() -> None:
    assert chunk(b"abc") == b"3\r\nabc\r\n"
    assert chunk(b"") == b""
    assert last_chunk() == b"0\r\n\r\n"
    assert last_chunk([(b"A", b"1")]) == b"0\r\nA: 1\r\n\r\n"
