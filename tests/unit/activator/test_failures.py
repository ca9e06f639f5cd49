"""Answers of our own."""

from __future__ import annotations

from activator.failures import ALL_FAILURES, plain_response, render


def test_reasons_are_unique_and_shown() -> None:
    assert len({failure.reason for failure in ALL_FAILURES}) == len(ALL_FAILURES)
    for failure in ALL_FAILURES:
        out = render(failure)
        assert out.startswith(b"HTTP/1.1 %d " % failure.status)
        assert b"x-hearth-error: %b\r\n" % failure.reason.encode() in out
        assert (b"connection: close" in out) == failure.closes
        assert out.endswith(b"\r\n\r\n" + failure.body.encode())
        assert render(failure, head_only=True).endswith(b"\r\n\r\n")


def test_a_plain_response() -> None:
    assert plain_response(200, "ok", close=True) == (
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-type: text/plain; charset=utf-8\r\n"
        b"connection: close\r\n\r\nok"
    )
