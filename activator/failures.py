"""Answers that are Hearth's own and not the application's, one row per reason.

Called by the protocols whenever a request ends without an application's response. Every answer
carries ``x-hearth-error: <reason>``, so that a 503 of ours can be told from one of theirs.
Statuses and bodies are those that Knative's activator, queue-proxy and Kourier give.
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a request ends here: a reason code, the status and the text of the body."""

    reason: str
    status: int
    body: str = ""
    closes: bool = False
    extra: bytes = b""


# The peer's framing cannot be trusted: answer once, then close (RFC 9112, section 6.3 and 11.2).
BAD_REQUEST = Failure("bad-request", 400, "Bad Request", closes=True)
HEAD_TOO_LARGE = Failure("head-too-large", 431, "Request Header Fields Too Large", closes=True)
HEAD_TIMEOUT = Failure("head-timeout", 408, "Request Timeout", closes=True)
UNSUPPORTED_VERSION = Failure("unsupported-version", 505, "HTTP Version Not Supported", closes=True)
UNSUPPORTED_CODING = Failure("unsupported-transfer-coding", 501, "Not Implemented", closes=True)
CONNECT_REFUSED = Failure("connect-refused", 405, "Method Not Allowed", closes=True)
TOO_MANY_CONNECTIONS = Failure("too-many-connections", 503, "too many connections", closes=True)

UNKNOWN_HOST = Failure("unknown-host", 404)
NO_ROUTE = Failure("no-route", 404)
NO_ENDPOINTS = Failure("no-endpoints", 503, "no endpoints available")
REVISION_GONE = Failure("revision-gone", 503, "the revision has been deleted")
QUEUE_FULL = Failure("queue-full", 503, "pending request queue full", extra=b"retry-after: 1\r\n")

CONNECT_FAILED = Failure("connect-failed", 502, "cannot connect to the application")
UPSTREAM_RESET = Failure("upstream-reset", 502, "the application closed the connection")
BAD_RESPONSE = Failure("bad-response", 502, "the application sent a malformed response")

# Knative's activator answers the first text while a request waits, its queue-proxy the second.
QUEUE_TIMEOUT = Failure("queue-timeout", 504, "activator request timeout")
REQUEST_TIMEOUT = Failure("request-timeout", 504, "request timeout")
RESPONSE_START_TIMEOUT = Failure("response-start-timeout", 504, "request timeout")
IDLE_TIMEOUT = Failure("idle-timeout", 504, "request timeout")

ALL_FAILURES: tuple[Failure, ...] = tuple(
    value for value in tuple(globals().values()) if isinstance(value, Failure)
)


def phrase(status: int) -> str:
    """The reason phrase of a status, or an empty text for one that the standard does not name."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def render(failure: Failure, *, head_only: bool = False, close: bool = False) -> bytes:
    """The whole response in bytes. ``head_only`` leaves the body out, as HEAD asks."""
    return plain_response(
        failure.status,
        failure.body,
        extra=b"x-hearth-error: %b\r\n%b" % (failure.reason.encode(), failure.extra),
        head_only=head_only,
        close=close or failure.closes,
    )


def plain_response(
    status: int,
    body: str = "",
    *,
    extra: bytes = b"",
    head_only: bool = False,
    close: bool = False,
) -> bytes:
    """A small text response that the activator gives by itself."""
    text = body.encode()
    head = b"HTTP/1.1 %d %b\r\ncontent-length: %d\r\n" % (
        status,
        phrase(status).encode(),
        len(text),
    )
    if text:
        head += b"content-type: text/plain; charset=utf-8\r\n"
    if close:
        head += b"connection: close\r\n"
    return head + extra + b"\r\n" + (b"" if head_only else text)
