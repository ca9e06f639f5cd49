"""The phases of one cold start as a request saw them. Pure; called when its response begins.

scale    from the request's arrival to the first pod with an address (decide, patch, schedule)
start    from there to the first pod that answers (the process starts and begins to listen)
queue    from there to this request's turn
connect  opening the connection, nothing when a probe had opened it
app      the application's own time to the first byte
"""

from __future__ import annotations

from dataclasses import dataclass

from activator.http.fields import Field

PHASES = ("scale", "start", "queue", "connect", "app")


@dataclass(frozen=True, slots=True)
class Marks:
    """Moments on one clock. Pods may have been seen or ready before this request arrived."""

    arrived: float
    pod_seen: float
    pod_ready: float
    admitted: float
    sent: float
    answered: float


def durations(marks: Marks) -> tuple[float, ...]:
    """Seconds per phase, in the order of PHASES; together exactly the time until the answer."""
    seen = _between(marks.arrived, marks.pod_seen, marks.admitted)
    ready = _between(seen, marks.pod_ready, marks.admitted)
    sent = _between(marks.admitted, marks.sent, marks.answered)
    return (
        seen - marks.arrived,
        ready - seen,
        marks.admitted - ready,
        sent - marks.admitted,
        marks.answered - sent,
    )


def server_timing(seconds: tuple[float, ...]) -> Field:
    """The Server-Timing field, in milliseconds as the specification asks."""
    members = ", ".join(
        f"{name};dur={value * 1000:.1f}" for name, value in zip(PHASES, seconds, strict=True)
    )
    return b"server-timing", members.encode()


def _between(low: float, value: float, high: float) -> float:
    return max(low, min(value, high))
