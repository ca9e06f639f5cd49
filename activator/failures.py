"""Answers that are Hearth's own and not the application's, one row per reason.

Every answer carries ``x-hearth-error: <reason>``, so that a 503 of ours can be told from one of
theirs. Statuses and bodies are those that Knative's activator, queue-proxy and Kourier give. What
the server half refuses by itself is in ``activator.http.refusals``.
"""

from __future__ import annotations

from activator.http import refusals
from activator.http.events import Refusal, ResponseHead
from activator.http.fields import Field

UNKNOWN_HOST = Refusal("unknown-host", 404)
NO_ROUTE = Refusal("no-route", 404)
NO_ENDPOINTS = Refusal("no-endpoints", 503, "no endpoints available")
REVISION_GONE = Refusal("revision-gone", 503, "the revision has been deleted")
QUEUE_FULL = Refusal(
    "queue-full", 503, "pending request queue full", fields=((b"retry-after", b"1"),)
)

CONNECT_FAILED = Refusal("connect-failed", 502, "cannot connect to the application")
UPSTREAM_RESET = Refusal("upstream-reset", 502, "the application closed the connection")
BAD_RESPONSE = Refusal("bad-response", 502, "the application sent a malformed response")

# Knative's activator answers the first text while a request waits, its queue-proxy the second.
QUEUE_TIMEOUT = Refusal("queue-timeout", 504, "activator request timeout")
REQUEST_TIMEOUT = Refusal("request-timeout", 504, "request timeout")
RESPONSE_START_TIMEOUT = Refusal("response-start-timeout", 504, "request timeout")
IDLE_TIMEOUT = Refusal("idle-timeout", 504, "request timeout")

ALL_FAILURES: tuple[Refusal, ...] = tuple(
    value for value in (*vars(refusals).values(), *globals().values()) if isinstance(value, Refusal)
)

_TEXT = (b"content-type", b"text/plain; charset=utf-8")


def refusal_answer(refusal: Refusal) -> ResponseHead:
    """The response to a request that ends with this refusal."""
    reason = (b"x-hearth-error", refusal.reason.encode())
    return text_answer(
        refusal.status, refusal.text, (reason, *refusal.fields), closes=refusal.closes
    )


def text_answer(
    status: int, text: str = "", fields: tuple[Field, ...] = (), *, closes: bool = False
) -> ResponseHead:
    """A small text response that the activator gives by itself."""
    kind = (_TEXT,) if text else ()
    return ResponseHead.of(status, (*kind, *fields), text.encode(), closes=closes)
