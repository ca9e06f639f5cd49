"""Rules about fields."""

from __future__ import annotations

from activator.http.fields import may_be_trailer, named_by_connection, tokens


def test_tokens() -> None:
    assert tokens(b" Close ,, X-A\t, ") == [b"close", b"x-a"]


def test_connection_cannot_take_framing_or_host_away() -> None:
    named = named_by_connection(b"close, X-A, Host, Content-Length, Transfer-Encoding")
    assert named == {b"x-a"}
    assert named_by_connection(b"keep-alive") == frozenset()


def test_trailers_that_would_change_a_message_after_the_fact() -> None:
    assert may_be_trailer(b"X-Sum")
    assert not may_be_trailer(b"Content-Length")
    assert not may_be_trailer(b"X-Mine", frozenset([b"x-mine"]))
