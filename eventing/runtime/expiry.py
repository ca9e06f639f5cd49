"""The CloudEvents extension ``expirytime``: after this time nobody wants the event. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from eventing.runtime.moments import moment_of

EXPIRY_ATTRIBUTE = "expirytime"
EXPIRY_LINE = b"ce-expirytime: "
"""How the head of such an event has it."""


def is_expired(attributes: Mapping[str, str], *, now: float) -> bool:
    """Whether an event says that it is of no use any more; ``now`` in seconds since 1970.

    A time that cannot be read says nothing.
    """
    given = attributes.get(EXPIRY_ATTRIBUTE)
    if given is None:
        return False
    try:
        return moment_of(given) <= now
    except ValueError:
        return False
