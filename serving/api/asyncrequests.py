"""Requests that are answered later: the annotation ``serving.hearth.dev/async`` of a Service. Pure.

``true``, or a JSON or YAML map of what is otherwise than usual::

    {retention: 24h, retries: 3, backoff: 1s, pending: 1000, callback: http://sink.example.com}

Also what the gateway and the broker say to each other about such a request.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from hearth.knative.names import child_name
from hearth.kube.durations import parse_go_duration
from serving.api import keys
from serving.api.annotationtext import TextError, fields_of, loaded

RESULTS = b"/.well-known/hearth/async/"
"""What URLs of results begin with, on any host that leads to such a Service."""
AT_BROKER = b"/async/"
"""What paths of the broker begin with, followed by NAMESPACE/SERVICE/ACTION."""
ACCEPT, RUN, FAILED, LOOK_UP = b"accept", b"run", b"failed", b"results"
HOST_FIELD, OPTIONS_FIELD = b"x-hearth-async-host", b"x-hearth-async-options"
STATE_FIELD = b"x-hearth-async"

LONGEST_RETENTION = 7 * 24 * 3600.0
_DAY = 24 * 3600.0
_OPTIONS = re.compile(rb"retention=([0-9]{1,6}), pending=([0-9]{1,6})")


@dataclass(frozen=True, slots=True)
class AsyncOptions:
    """What a Service asks for; seconds."""

    retention: float = _DAY
    """How long a request and its result are kept, from when it was accepted."""
    retries: int = 3
    backoff: float = 1.0
    """Before the first retry, twice as long before each further one."""
    pending: int = 1000
    """Requests that may be unanswered at a time."""
    callback: str = ""
    """Where results are sent as events; nowhere where it is empty."""

    def told(self) -> bytes:
        """What the broker is told with each request."""
        return b"retention=%d, pending=%d" % (self.retention, self.pending)


USUAL = AsyncOptions()
_FIELDS = ("retention", "retries", "backoff", "pending", "callback")


@lru_cache(maxsize=256)
def parse_async(text: str) -> AsyncOptions | None:
    """Read the annotation; None where it says no. Raises TextError."""
    value = loaded(text)
    if isinstance(value, bool):
        return USUAL if value else None
    if not isinstance(value, dict):
        raise TextError(f"expected true, false or a map of {', '.join(_FIELDS)}", "", text[:100])
    given = fields_of(value, _FIELDS, "", "a map")
    return AsyncOptions(
        _seconds(given, "retention", 1.0, LONGEST_RETENTION, USUAL.retention),
        _whole(given, "retries", 0, 100, USUAL.retries),
        _seconds(given, "backoff", 0.0, 600.0, USUAL.backoff),
        _whole(given, "pending", 1, 100_000, USUAL.pending),
        _url(given.get("callback", "")),
    )


def async_of(annotations: Mapping[str, str]) -> AsyncOptions | None:
    """What annotations ask for; None for what cannot be read, as for nothing."""
    try:
        return parse_async(annotations[keys.ASYNC]) if keys.ASYNC in annotations else None
    except TextError:
        return None


def read_told(text: bytes) -> AsyncOptions:
    """Read what the gateway has said of a request; what is no word of a gateway counts as usual."""
    found = _OPTIONS.fullmatch(text)
    if found is None:
        return USUAL
    return AsyncOptions(min(float(found[1]), LONGEST_RETENTION), pending=int(found[2]))


def flow_name(service: str) -> str:
    """Return the name of the Sequence by which a Service's requests go."""
    return child_name(service, "-async")


def _seconds(given: Mapping[str, Any], name: str, low: float, high: float, usual: float) -> float:
    value = given.get(name)
    if value is None:
        return usual
    try:
        seconds = parse_go_duration(value) if isinstance(value, str) else None
    except ValueError:
        seconds = None
    if seconds is None or not low <= seconds <= high:
        expected = f"expected a time such as 30s or 24h, from {low:g} to {high:g} seconds"
        raise TextError(expected, f".{name}", value)
    return seconds


def _whole(given: Mapping[str, Any], name: str, low: int, high: int, usual: int) -> int:
    value = given.get(name)
    if value is None:
        return usual
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise TextError(f"expected a whole number from {low} to {high}", f".{name}", value)
    return value


def _url(value: object) -> str:
    if value == "":
        return ""
    try:
        parts = urlsplit(value) if isinstance(value, str) else None
    except ValueError:
        parts = None
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        expected = "expected the URL of a sink, such as http://sink.default.svc.cluster.local"
        raise TextError(expected, ".callback", value)
    return str(value)
