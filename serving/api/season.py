"""After what time things come again: the annotation ``autoscaling.hearth.dev/forecast``. Pure.

``daily`` or ``weekly``, with a time zone after it where the days are not those of UTC: ``weekly
Europe/Berlin``. On a revision's template, or on the Service.
"""

from __future__ import annotations

import datetime
import zoneinfo
from dataclasses import dataclass

SLOT_SECONDS = 300
"""A season is cut into slots of this length."""
DAY, WEEK = 86_400, 7 * 86_400
_PERIODS = {"daily": DAY, "weekly": WEEK}
_MONDAY = 3 * DAY
"""1970 began on a Thursday."""
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@dataclass(frozen=True, slots=True)
class Season:
    """After what time things come again, and by whose clocks."""

    text: str
    period: int
    zone: zoneinfo.ZoneInfo

    @property
    def slots(self) -> int:
        """How many there are."""
        return self.period // SLOT_SECONDS

    def slot(self, now: float) -> int:
        """Return the slot of a moment; weeks begin on Monday."""
        offset = datetime.datetime.fromtimestamp(now, self.zone).utcoffset()
        local = now + (offset or datetime.timedelta()).total_seconds()
        return int((local + _MONDAY) % self.period // SLOT_SECONDS)

    def name(self, slot: int) -> str:
        """Return how a slot is called."""
        minutes = slot * SLOT_SECONDS // 60
        clock = f"{minutes // 60 % 24:02d}:{minutes % 60:02d}"
        return clock if self.period == DAY else f"{_DAYS[minutes // 1440]} {clock}"


def parse_season(text: str) -> Season:
    """Read the annotation; raises ValueError for what is no season."""
    period, *zone = text.split() or [""]
    if period not in _PERIODS or len(zone) > 1:
        raise ValueError("expected daily or weekly, and a time zone after it where it is not UTC")
    try:
        return Season(text, _PERIODS[period], zoneinfo.ZoneInfo(zone[0] if zone else "UTC"))
    except (KeyError, ValueError, OSError):
        raise ValueError("expected the name of a time zone, such as Europe/Berlin") from None
