"""What to do after an attempt to deliver an event. Pure: time and chance come in.

=====================================  ==========================================
outcome of an attempt                  what follows
=====================================  ==========================================
2xx                                    done
no answer, 404, 408, 409, 429, >= 500  another attempt while retries are left
other answers (1xx, 3xx, 4xx)          no other attempt
no retries left, or none allowed       dead letter
=====================================  ==========================================

As Knative's channel-based broker counts: before the n-th retry, n from 0, linear waits delay x n,
exponential delay x 2^n, up to ``backoffMax``. Beyond Knative: waits end at ten minutes where that
is not given, up to a tenth is added by chance so that a burst of failures does not come back as one
(or, where asked for, chance chooses anything up to the whole wait: full jitter), and Retry-After is
honoured unless switched off.
"""

from __future__ import annotations

import datetime
import email.utils
import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hearth.kube.durations import parse_iso8601_duration

DEFAULT_MAX_BACKOFF_SECONDS = 600.0
DEFAULT_TIMEOUT_SECONDS = 600.0
"""As long as Knative's Kafka broker waits; its in-memory channel waits 15 minutes."""
DEFAULT_RETRY_AFTER_MAX_SECONDS = 60.0
_JITTER = 0.1
_RETRIED = frozenset({404, 408, 409, 429})
RETRY_AFTER_STATUSES = frozenset({429, 503})
_EXPONENT_CAP = 40


class Backoff(enum.Enum):
    """How waits between attempts grow."""

    NONE = "none"
    LINEAR = "linear"
    EXPONENTIAL = "exponential"


@dataclass(frozen=True, slots=True)
class DeliveryPolicy:
    """The delivery spec of a Trigger, or of its Broker, in numbers."""

    retries: int = 0
    backoff: Backoff = Backoff.NONE
    delay_seconds: float = 0.0
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS
    retry_after_max_seconds: float = DEFAULT_RETRY_AFTER_MAX_SECONDS
    structured: bool = False
    """Whether events are sent in structured mode (``format: json``)."""
    max_backoff_seconds: float = DEFAULT_MAX_BACKOFF_SECONDS
    full_jitter: bool = False

    @property
    def longest_wait_seconds(self) -> float:
        """No attempt waits longer than this."""
        return max(self.max_backoff_seconds * (1 + _JITTER), self.retry_after_max_seconds)

    @classmethod
    def from_spec(
        cls, spec: Mapping[str, Any] | None, *, full_jitter: bool = False
    ) -> DeliveryPolicy:
        """Read a delivery spec that admission has accepted; raise ValueError otherwise."""
        given = spec or {}
        has_backoff = "backoffPolicy" in given and "backoffDelay" in given
        return cls(
            retries=int(given.get("retry") or 0),
            backoff=Backoff(given["backoffPolicy"]) if has_backoff else Backoff.NONE,
            delay_seconds=_seconds(given, "backoffDelay", 0.0) if has_backoff else 0.0,
            timeout_seconds=_seconds(given, "timeout", DEFAULT_TIMEOUT_SECONDS),
            retry_after_max_seconds=_seconds(
                given, "retryAfterMax", DEFAULT_RETRY_AFTER_MAX_SECONDS
            ),
            structured=given.get("format") == "json",
            max_backoff_seconds=_seconds(given, "backoffMax", DEFAULT_MAX_BACKOFF_SECONDS),
            full_jitter=full_jitter,
        )


def _seconds(spec: Mapping[str, Any], field: str, default: float) -> float:
    """Admission accepts times below zero, as Knative's does; none is shorter than no time."""
    return max(parse_iso8601_duration(spec[field]), 0.0) if field in spec else default


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt ended; status 0 means that there was no answer."""

    status: int
    retry_after_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Done:
    """The event is delivered."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """The event goes to the dead letter sink, or nowhere."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Another attempt follows."""

    at: float
    """When, on the clock that ``next_step`` was given, in seconds."""


Step = Done | DeadLetter | Retry

DONE = Done()
DEAD_LETTER = DeadLetter()


def next_step(
    policy: DeliveryPolicy, attempts: int, outcome: Outcome, *, now: float, jitter: float
) -> Step:
    """Return what follows the attempts made so far (1 or more); jitter is a number in [0, 1)."""
    if is_success(outcome.status):
        return DONE
    if not is_retried(outcome.status) or attempts > policy.retries:
        return DEAD_LETTER
    share = jitter if policy.full_jitter else 1 + _JITTER * jitter
    wait = backoff_seconds(policy, attempts - 1) * share
    if outcome.status in RETRY_AFTER_STATUSES:
        wait = max(wait, min(outcome.retry_after_seconds, policy.retry_after_max_seconds))
    return Retry(now + wait)


def is_success(status: int) -> bool:
    """Whether an answer says that the event was taken."""
    return 200 <= status < 300


def is_retried(status: int) -> bool:
    """Whether another attempt may end better; 0 is no answer."""
    return status == 0 or status >= 500 or status in _RETRIED


def backoff_seconds(policy: DeliveryPolicy, retry: int) -> float:
    """Return the seconds to wait before a retry, which is counted from 0."""
    match policy.backoff:
        case Backoff.NONE:
            return 0.0
        case Backoff.LINEAR:
            wait = policy.delay_seconds * retry
        case Backoff.EXPONENTIAL:
            wait = policy.delay_seconds * 2.0 ** min(retry, _EXPONENT_CAP)
    return min(wait, policy.max_backoff_seconds)


def parse_retry_after(value: bytes, *, now: float) -> float:
    """Return the seconds of a Retry-After header (RFC 9110, section 10.2.3): a number or a date.

    0 where it says nothing useful.
    """
    text = value.decode("latin-1").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        moment = email.utils.parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return 0.0
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.UTC)
    return max(0.0, moment.timestamp() - now)
