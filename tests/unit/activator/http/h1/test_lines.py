"""Request lines: those of other versions, methods that llhttp has not, empty lines."""

from __future__ import annotations

import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from activator.http.h1.lines import (
    USUAL_METHODS,
    Http2Preface,
    behind_empty_lines,
    find_empty_line,
    odd_method,
    refused_line,
)


def test_a_line_that_is_none_tells_why() -> None:
    assert refused_line(b"GET / HTTP/3.0\r\n").refusal.status == 505
    assert refused_line(b"GET / HTTP/0.9\r\n").refusal.status == 400
    assert refused_line(b"garbage\r\n").refusal.status == 400
    preface = refused_line(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    assert isinstance(preface, Http2Preface)
    assert preface.data.endswith(b"SM\r\n\r\n")


@pytest.mark.parametrize("method", sorted(USUAL_METHODS))
def test_llhttp_takes_what_is_called_usual(method: bytes) -> None:
    seen: list[bytes] = []

    class Sink:
        def on_headers_complete(self) -> None:
            seen.append(parser.get_method())

    parser = httptools.HttpRequestParser(Sink())
    try:
        parser.feed_data(method + b" / HTTP/1.1\r\nHost: a\r\n\r\n")
    except httptools.HttpParserUpgrade:
        assert method == b"CONNECT"
    assert seen == [method]
    assert odd_method(method + b" / HTTP/1.1\r\n", 0) == b""


@pytest.mark.parametrize("method", [b"BREW", b"get", b"FLUSH", b"PRI", b"*", b"0"])
def test_other_tokens_are_odd_methods(method: bytes) -> None:
    assert odd_method(b"xx" + method + b" / HTTP/1.1\r\n", 2) == method


@pytest.mark.parametrize("line", [b"B REW / HTTP/1.1\r\n", b"B@ / HTTP/1.1\r\n", b"BREW /\r\n"])
def test_what_is_no_line_has_no_method(line: bytes) -> None:
    assert odd_method(line, 0) == b""


def test_empty_lines_are_passed_over() -> None:
    assert behind_empty_lines(b"\r\n\r\nGET", 0) == 4
    assert behind_empty_lines(b"xx\r\nGET", 2) == 4
    assert behind_empty_lines(b"\n\nGET", 0) == 0


@given(
    st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b"\r\n\r\n", b"a" * 50, b"\0" * 900])),
    st.integers(0, 20),
)
def test_an_empty_line_is_found_where_it_is(pieces: list[bytes], at: int) -> None:
    data = b"".join(pieces)
    for large in (data, data + b"b" * 5000, b"\rc" * 4000 + data + b"b" * 5000):
        assert find_empty_line(large, at) == large.find(b"\r\n\r\n", at)
