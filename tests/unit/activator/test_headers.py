"""Fields on their way through."""

from __future__ import annotations

from activator.headers import (
    extended_forwarded_lines,
    forwarded_lines,
    named_by_connection,
    tokens,
)


def test_tokens() -> None:
    assert tokens(b" Close ,, X-A\t, ") == [b"close", b"x-a"]


def test_connection_cannot_take_framing_or_host_away() -> None:
    named = named_by_connection(b"close, X-A, Host, Content-Length, Transfer-Encoding")
    assert named == {b"x-a"}
    assert named_by_connection(b"keep-alive") == frozenset()


def test_ipv6_and_ports_are_quoted_in_forwarded() -> None:
    lines = forwarded_lines("::1", b"h:80")
    assert b'forwarded: for="[::1]";host="h:80";proto=http\r\n' in lines
    assert b"x-forwarded-for: ::1\r\n" in lines


def test_what_a_proxy_before_us_said_is_kept() -> None:
    lines = extended_forwarded_lines(
        "10.0.0.2",
        b"h",
        seen_for=b"10.0.0.1",
        seen_proto=b"https",
        seen_host=b"outer",
        seen_forwarded=b"for=10.0.0.1",
    )
    assert lines == (
        b"x-forwarded-for: 10.0.0.1, 10.0.0.2\r\nx-forwarded-proto: https\r\n"
        b"x-forwarded-host: outer\r\n"
        b"forwarded: for=10.0.0.1, for=10.0.0.2;host=h;proto=http\r\n"
    )
