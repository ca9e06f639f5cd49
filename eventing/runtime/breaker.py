"""Whether a subscriber is tried at all: a circuit breaker that knows waking from failure. Pure.

=========  ==========================================  ==========================================
state      what happens                                what follows
=========  ==========================================  ==========================================
closed     an answer that shows it lives               closed, failures forgotten
closed     so many failures one after the other        open
open       its time is over                            half open: one attempt may be made
half open  that attempt shows it lives                 closed
half open  that attempt fails                          open, twice as long as before, up to a limit
half open  that attempt shows neither                  open, as long as before
any        the target is busy, or waking               nothing: that is no failure
open       an attempt begun earlier shows it lives     closed
=========  ==========================================  ==========================================

While it is open nothing is attempted, so nothing is burnt of any event's retries.

A gateway that holds a request until a pod is ready answers late, or says that it gave up waiting,
or that its queue is full; it may say ``Retry-After``. None of that means that the subscriber is
broken. An answer that does not come in time counts as a failure only of a target that has
answered a short while ago: else it is still waking.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

_WAKING = frozenset({b"queue-timeout", b"queue-full", b"no-endpoints", b"revision-gone"})
"""What the gateway says when it is no pod that failed (``activator.failures``)."""


class Verdict(enum.Enum):
    """What an attempt tells of the target."""

    LIVES = "lives"
    FAILS = "fails"
    LATE = "late"
    """No answer in time."""
    BUSY = "busy"
    """It cannot take the event now."""


def verdict(status: int, *, timed_out: bool, asks_to_wait: bool, gateway_error: bytes) -> Verdict:
    """Judge an attempt by its status (0: no answer) and what the answer said."""
    if status == 0:
        return Verdict.LATE if timed_out else Verdict.FAILS
    if status == 429 or gateway_error in _WAKING or (status == 503 and asks_to_wait):
        return Verdict.BUSY
    return Verdict.FAILS if status >= 500 else Verdict.LIVES


@dataclass(frozen=True, slots=True)
class BreakerLimits:
    """When to open, and for how long. Seconds."""

    failures: int = 10
    """So many one after the other open it."""
    open_seconds: float = 1.0
    longest_open_seconds: float = 30.0
    awake_seconds: float = 60.0
    """A target that answered within this time is awake."""


class State(enum.Enum):
    """Whether attempts are made."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half open"


class Breaker:
    """Of one target. Times are on one monotonic clock, in seconds."""

    __slots__ = ("_answered_at", "_failures", "_limits", "_open_seconds", "state", "until")

    def __init__(self, limits: BreakerLimits) -> None:
        self._limits = limits
        self._failures = 0
        self._open_seconds = limits.open_seconds
        self._answered_at = float("-inf")
        self.state = State.CLOSED
        self.until = 0.0
        """When an open one may be tried; of interest while it is open."""

    def admits(self, now: float) -> bool:
        """Whether an attempt may be made now; of a half open one the answer is yes once."""
        if self.state is State.CLOSED:
            return True
        if self.state is State.OPEN and now >= self.until:
            self.state = State.HALF_OPEN
            return True
        return False

    def ended(self, what: Verdict, *, now: float) -> None:
        """Note how an attempt ended."""
        if what is Verdict.LATE:
            is_awake = now - self._answered_at < self._limits.awake_seconds
            what = Verdict.FAILS if is_awake else Verdict.BUSY
        if what is Verdict.LIVES:
            self._answered_at = now
            self._failures = 0
            self._open_seconds = self._limits.open_seconds
            self.state = State.CLOSED
        elif self.state is State.HALF_OPEN:
            if what is Verdict.FAILS:
                longest = self._limits.longest_open_seconds
                self._open_seconds = min(2 * self._open_seconds, longest)
            self._open(now)
        elif what is Verdict.FAILS and self.state is State.CLOSED:
            self._failures += 1
            if self._failures >= self._limits.failures:
                self._open(now)

    def _open(self, now: float) -> None:
        self.state = State.OPEN
        self.until = now + self._open_seconds
