"""A request as the application gets it."""

from __future__ import annotations

from activator.forwarding import last_chunk, request_head
from activator.framing import CHUNKED, RequestHead


def test_a_request_head() -> None:
    head = RequestHead()
    head.method, head.target, head.lines = b"POST", b"/x", [b"A: 1", b"B: 2"]
    head.transfer_encoding, head.length, head.trailers_welcome = b"chunked", CHUNKED, True
    assert request_head(head, b"h", b"F: 1\r\n", b"P: 1\r\n") == (
        b"POST /x HTTP/1.1\r\nhost: h\r\nF: 1\r\nA: 1\r\nB: 2\r\nP: 1\r\n"
        b"transfer-encoding: chunked\r\nte: trailers\r\n\r\n"
    )


def test_the_last_chunk() -> None:
    assert last_chunk([]) == b"0\r\n\r\n"
    assert last_chunk([b"A: 1"]) == b"0\r\nA: 1\r\n\r\n"
