"""What a Service or Route asks of its gradual rollouts, beyond how long they take. Pure.

``serving.hearth.dev/rollout-surge``: how many pods more than were needed there may be meanwhile.
``serving.hearth.dev/rollback``: what the new revision must not do, else traffic goes back.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from hearth.kube.durations import format_go_duration, parse_go_duration
from serving.api import keys

_SURGE = re.compile(r"([1-9]\d{0,5})(%?)")
_LEAST_REQUESTS = 20
_MOST_REQUESTS = 1_000_000
_RULE = re.compile(
    r"(errors) *> *(\d{1,3}(?:\.\d{1,3})?)%"
    r"|(p\d{2}) *> *([0-9.a-zµ]{1,20})"
    r"|(requests) *>= *(\d{1,7})"
)


@dataclass(frozen=True, slots=True)
class Surge:
    """So many pods, or so many percent of those that are needed."""

    amount: int
    is_percent: bool

    def of(self, base: int) -> int:
        """Return the pods beyond ``base``; one at least, or nothing could begin."""
        return max(1, math.ceil(base * self.amount / 100)) if self.is_percent else self.amount


def parse_surge(text: str) -> Surge:
    """Read the annotation's value; raises ValueError that says what would be right."""
    match = _SURGE.fullmatch(text.strip())
    if match is None or (match[2] and int(match[1]) > 100):
        raise ValueError("expected a number of pods from 1 on, or 1% to 100%")
    return Surge(int(match[1]), bool(match[2]))


def surge_of(annotations: Mapping[str, str]) -> Surge | None:
    """Return what annotations ask for; None for one that cannot be read, as for none."""
    try:
        return parse_surge(annotations[keys.ROLLOUT_SURGE])
    except (KeyError, ValueError):
        return None


@dataclass(frozen=True, slots=True)
class Latency:
    """No more than the rest of ``percentile`` percent of requests may take longer."""

    percentile: int
    seconds: float

    def __str__(self) -> str:
        return f"p{self.percentile}>{format_go_duration(self.seconds)}"


@dataclass(frozen=True, slots=True)
class Rollback:
    """Bounds of a new revision; judged from so many ``requests`` on."""

    error_percent: float | None = None
    latencies: tuple[Latency, ...] = ()
    requests: int = _LEAST_REQUESTS


def parse_rollback(text: str) -> Rollback:
    """Read the annotation's value; raises ValueError that says what would be right."""
    errors, latencies, requests = None, [], _LEAST_REQUESTS
    for part in filter(None, re.split(r"[,;\s]+(?![>=\d])", text.strip())):
        match = _RULE.fullmatch(part.strip())
        if match is None:
            raise ValueError(
                f"{part[:40]!r} is none of errors>5%, p95>500ms (p50 to p99) and requests>=20"
            )
        if match[1]:
            errors = float(match[2])
        elif match[3]:
            latencies.append(_latency(int(match[3][1:]), match[4]))
        else:
            requests = int(match[6])
    if errors is None and not latencies:
        raise ValueError("expected bounds such as errors>5% p95>500ms requests>=20")
    if errors is not None and errors >= 100:
        raise ValueError("errors are less than 100%")
    if not 1 <= requests <= _MOST_REQUESTS:
        raise ValueError(f"requests are from 1 to {_MOST_REQUESTS}")
    return Rollback(errors, tuple(latencies), requests)


def _latency(percentile: int, text: str) -> Latency:
    if not 50 <= percentile <= 99:
        raise ValueError("percentiles are p50 to p99")
    try:
        seconds = parse_go_duration(text)
    except ValueError:
        seconds = 0.0
    if not 0.001 <= seconds <= 60:
        raise ValueError(f"{text!r} is no time from 1ms to 1m, such as 500ms")
    return Latency(percentile, seconds)


def rollback_of(annotations: Mapping[str, str]) -> Rollback | None:
    """Return what annotations ask for; None for one that cannot be read, as for none."""
    try:
        return parse_rollback(annotations[keys.ROLLBACK])
    except (KeyError, ValueError):
        return None
