"""Answers that are Hearth's own and not the application's, one row per reason.

Every answer carries ``x-hearth-error: <reason>``, so that a 503 of ours can be told from one of
theirs. Statuses and bodies are those that Knative's activator, queue-proxy and Kourier give. What
the server half refuses by itself is in ``activator.http.refusals``.
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import quote

from activator.http import refusals
from activator.http.events import BodyForm, FieldsHead, Refusal, ResponseHead
from activator.http.fields import Field, find_field

UNKNOWN_HOST = Refusal("unknown-host", 404)
NO_ROUTE = Refusal("no-route", 404)
NO_ENDPOINTS = Refusal("no-endpoints", 503, "no endpoints available")
REVISION_GONE = Refusal("revision-gone", 503, "the revision has been deleted")
ROUTE_GONE = Refusal("route-gone", 503, "the route has been deleted")
QUEUE_FULL = Refusal(
    "queue-full", 503, "pending request queue full", fields=((b"retry-after", b"1"),)
)

PENDING_FULL = Refusal("pending-full", 503, "Service Unavailable")

CONNECT_FAILED = Refusal("connect-failed", 502, "cannot connect to the application")
UPSTREAM_RESET = Refusal("upstream-reset", 502, "the application closed the connection")
BAD_RESPONSE = Refusal("bad-response", 502, "the application sent a malformed response")

BODY_TIMEOUT = Refusal("body-timeout", 408, "the request's body did not come", closes=True)
# Knative's activator answers the first text while a request waits, its queue-proxy the second.
QUEUE_TIMEOUT = Refusal("queue-timeout", 504, "activator request timeout")
READINESS_TIMEOUT = Refusal("readiness-timeout", 504, "Gateway Timeout")
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


# Status codes of gRPC by those of HTTP, as its clients map them and Envoy does; others are UNKNOWN.
_GRPC_STATUS = {400: 13, 401: 16, 403: 7, 404: 12, 429: 14, 502: 14, 503: 14, 504: 14}
_GRPC_UNKNOWN = 2
_GRPC_TYPE = b"application/grpc"


def is_grpc(fields: Iterable[Field]) -> bool:
    """Whether a request with these fields is one of gRPC (not of gRPC-Web)."""
    kind = find_field(fields, b"content-type") or b""
    return kind.startswith(_GRPC_TYPE) and kind[len(_GRPC_TYPE) :][:1] in (b"", b"+", b";")


def grpc_answer(refusal: Refusal) -> ResponseHead:
    """The same for a gRPC client, which reads no status of HTTP: a response without messages."""
    status = _GRPC_STATUS.get(refusal.status, _GRPC_UNKNOWN)
    # Percent-encoded where it has to be; our texts are plain.
    message = quote(refusal.text or refusal.reason, safe=" ,.:;'()").encode()
    head = FieldsHead(
        200,
        [
            (b"content-type", _GRPC_TYPE),
            (b"grpc-status", b"%d" % status),
            (b"grpc-message", message),
            (b"x-hearth-error", refusal.reason.encode()),
            *refusal.fields,
        ],
    )
    head.form = BodyForm.OPEN
    head.closes = refusal.closes
    return head


def text_answer(
    status: int, text: str = "", fields: tuple[Field, ...] = (), *, closes: bool = False
) -> ResponseHead:
    """A small text response that the activator gives by itself."""
    kind = (_TEXT,) if text else ()
    return ResponseHead.of(status, (*kind, *fields), text.encode(), closes=closes)
