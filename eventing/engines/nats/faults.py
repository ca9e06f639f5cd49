"""What the server refuses, and how its answers say so. Pure."""

from __future__ import annotations

from typing import Any

import orjson

from eventing.engines.seam import Refused, Unavailable

NOBODY = 503
"""The code where nobody listens: there is no such stream, or it has no leader now."""
IN_USE = 10058
"""There is a stream of that name with other settings."""
NO_CONSUMER, NO_STREAM = 10014, 10059
HAS_DUPLICATES = 10201
FULL = (10077, 10047, 10023)
"""Its limits are reached; it has no room; it has no resources."""
_TOO_LARGE = 10054
_FULL_SECONDS = 5


class NatsError(Unavailable):
    """The server refused, or did not answer. ``code`` is JetStream's own number, or 0."""

    def __init__(self, message: str, code: int = 0) -> None:
        super().__init__(message)
        self.code = code


def result_of(data: bytes) -> dict[str, Any]:
    """Return the JSON of an answer; raise NatsError where it says that something failed."""
    found: dict[str, Any] = orjson.loads(data)
    error = found.get("error")
    if error:
        raise NatsError(str(error.get("description", "")), int(error.get("err_code", 0)))
    return found


def refusal(error: NatsError) -> Refused:
    """Return what a producer is told whose event was not stored."""
    if error.code in FULL:
        text = f"the broker's log has no room at NATS: {error}"
        return Refused(text, status=429, retry_after=_FULL_SECONDS)
    if error.code == _TOO_LARGE:
        return Refused(f"the event is larger than its stream takes: {error}", status=413)
    return Refused(f"the event cannot be stored: {error}")


def full() -> Refused:
    """Return what a producer is told while Triggers have not caught up."""
    text = "the broker's log is full until its slowest Trigger has caught up"
    return Refused(text, status=429, retry_after=_FULL_SECONDS)
