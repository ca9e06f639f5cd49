"""The CloudEvents extension ``expirytime``: after this time nobody wants the event. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from hearth.kube.clock import parse_rfc3339

EXPIRY_ATTRIBUTE = "expirytime"
EXPIRY_LINE = b"ce-expirytime: "
"""How the head of such an event has it."""
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)")


def is_expired(attributes: Mapping[str, str], *, now: float) -> bool:
    """Whether an event says that it is of no use any more; ``now`` in seconds since 1970.

    A time that cannot be read says nothing.
    """
    given = attributes.get(EXPIRY_ATTRIBUTE)
    if given is None:
        return False
    if not _RFC3339.fullmatch(given):
        return False
    try:
        return parse_rfc3339(given.upper()) <= now
    except (ValueError, OverflowError):
        return False
