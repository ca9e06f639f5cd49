"""Times that events name (the CloudEvents type Timestamp: RFC 3339). Pure."""

from __future__ import annotations

import re

from hearth.kube.clock import parse_rfc3339

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)")


def moment_of(text: str) -> float:
    """Return seconds since 1970; raise ValueError for what is no time."""
    if not _RFC3339.fullmatch(text):
        raise ValueError("is no time (RFC 3339)")
    try:
        return parse_rfc3339(text.upper())
    except (ValueError, OverflowError):
        raise ValueError("is no time that there is") from None
