"""The environment of the HTTP add-on's interceptor, as far as it means something to the activator.

Names, forms and defaults are the add-on's (``interceptor/config``); what is read here is listed in
``docs/operations.md`` beside what means nothing here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hearth.kube.durations import parse_go_duration

_TRUE, _FALSE = ("1", "t", "T", "TRUE", "true", "True"), ("0", "f", "F", "FALSE", "false", "False")


@dataclass(frozen=True, slots=True)
class Interceptor:
    """In seconds. None: nothing is said, and the activator's own setting holds."""

    request_timeout: float = 0.0
    response_header_timeout: float = 300.0
    readiness_timeout: float = 0.0
    enable_cold_start_header: bool = True
    cold_start_max_pending_requests: int = 0
    watch_namespace: str = ""
    admin_port: int = 0
    """Where ``/queue``, ``/livez`` and ``/readyz`` are answered; 0: nowhere."""
    proxy_port: int | None = None
    connect_timeout: float | None = None
    shutdown_delay: float | None = None
    drain_timeout: float | None = None


def _seconds(text: str) -> float:
    seconds = parse_go_duration(text)
    if seconds < 0:
        raise ValueError(f"{text!r} is negative")
    return seconds


def _boolean(text: str) -> bool:
    if text not in (*_TRUE, *_FALSE):
        raise ValueError(f"{text!r} is none of true, false")
    return text in _TRUE


def _count(text: str) -> int:
    if not text.isdecimal():
        raise ValueError(f"{text!r} is no number")
    return int(text)


def _port(text: str) -> int:
    port = _count(text)
    if port > 65535:
        raise ValueError(f"{text} is out of range")
    return port


_PREFIX = "KEDA_HTTP_"
_READERS: dict[str, Callable[[str], Any]] = {
    "request_timeout": _seconds,
    "response_header_timeout": _seconds,
    "readiness_timeout": _seconds,
    "enable_cold_start_header": _boolean,
    "cold_start_max_pending_requests": _count,
    "watch_namespace": str,
    "admin_port": _port,
    "proxy_port": _port,
    "connect_timeout": _seconds,
    "shutdown_delay": _seconds,
    "drain_timeout": _seconds,
}
_DEPRECATED = {
    "KEDA_CONDITION_WAIT_TIMEOUT": "readiness_timeout",
    "KEDA_RESPONSE_HEADER_TIMEOUT": "response_header_timeout",
}
"""They go before the new names where they say more than nothing, as in the add-on."""
VARIABLES = (*(_PREFIX + name.upper() for name in _READERS), *_DEPRECATED)


def read_interceptor(environment: Mapping[str, str]) -> Interceptor:
    """Read the variables; raises ValueError, which names the one to mend."""
    given = {}
    for name, read in _READERS.items():
        variable = _PREFIX + name.upper()
        if text := environment.get(variable):
            given[name] = _read(variable, read, text)
    for variable, name in _DEPRECATED.items():
        if (text := environment.get(variable)) and (seconds := _read(variable, _seconds, text)):
            given[name] = seconds
    return Interceptor(**given)


def _read(variable: str, read: Callable[[str], Any], text: str) -> Any:
    try:
        return read(text)
    except ValueError as error:
        raise ValueError(f"{variable}: {error}") from error
