"""The time at which an event asks to be delivered, where its subscription honours that. Pure.

Neither CloudEvents nor Knative has an attribute for it; Vanus has ``xvanusdeliverytime``, JMS
``JMSDeliveryTime``. Which attribute counts says the annotation.
"""

from __future__ import annotations

from eventing.runtime.moments import moment_of

LONGEST_SECONDS = 7 * 24 * 3600.0
"""As long as an event may wait: it keeps all later ones of its log on disk meanwhile."""
_SHOWN = 64


def due_at(text: str, *, now: float) -> float:
    """Return when, in seconds since 1970; raise ValueError where that is no time, or too far."""
    try:
        due = moment_of(text)
    except ValueError as error:
        raise ValueError(f"{text[:_SHOWN]!r} {error}") from None
    if due - now > LONGEST_SECONDS:
        raise ValueError(f"{text[:_SHOWN]!r} is more than {LONGEST_SECONDS / 86400:.0f} days ahead")
    return due


def wait_of(text: str | None, *, now: float) -> float:
    """Return the seconds that are left; none where nothing, or no time, is said."""
    if text is None:
        return 0.0
    try:
        return max(due_at(text, now=now) - now, 0.0)
    except ValueError:
        return 0.0
