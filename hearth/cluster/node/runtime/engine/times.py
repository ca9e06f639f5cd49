"""Moments as engines write them. Pure."""

from __future__ import annotations

import datetime


def seconds_of(text: str) -> float:
    """Since the epoch, of RFC 3339 with nanoseconds; 0 for the year 1, which is never."""
    if text.startswith("0001-"):
        return 0.0
    head, _, tail = text.partition(".")
    digits = tail.rstrip("Z").partition("+")[0].partition("-")[0]
    zone = tail[len(digits) :] if tail else ("Z" if head.endswith("Z") else "")
    moment = datetime.datetime.fromisoformat(head.rstrip("Z") + zone.replace("Z", "+00:00"))
    return moment.timestamp() + (float("0." + digits) if digits else 0.0)
