"""Answers that a server half gives by itself: what came is no request, or cannot be taken."""

from __future__ import annotations

from activator.http.events import Refusal, ResponseHead

# The framing of what came cannot be trusted: answer once, then close (RFC 9112, section 11.2).
BAD_REQUEST = Refusal("bad-request", 400, "Bad Request", closes=True)
HEAD_TOO_LARGE = Refusal("head-too-large", 431, "Request Header Fields Too Large", closes=True)
HEAD_TIMEOUT = Refusal("head-timeout", 408, "Request Timeout", closes=True)
# Go's server answers so, and closes: nobody knows whether the body follows.
EXPECTATION_FAILED = Refusal("expectation-failed", 417, "Expectation Failed", closes=True)
UNSUPPORTED_VERSION = Refusal("unsupported-version", 505, "HTTP Version Not Supported", closes=True)
UNSUPPORTED_CODING = Refusal("unsupported-transfer-coding", 501, "Not Implemented", closes=True)
CONNECT_REFUSED = Refusal("connect-refused", 405, "Method Not Allowed", closes=True)
TOO_MANY_CONNECTIONS = Refusal("too-many-connections", 503, "too many connections", closes=True)


class FramingError(Exception):
    """The peer's bytes are not a request: answer with ``refusal`` and close."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.reason)
        self.refusal = refusal


def plain_answer(refusal: Refusal) -> ResponseHead:
    """A refusal as a small text response."""
    text = refusal.text.encode()
    kind = ((b"content-type", b"text/plain; charset=utf-8"),) if text else ()
    return ResponseHead.of(refusal.status, (*refusal.fields, *kind), text, closes=refusal.closes)
