"""The moments of cron schedules. Pure.

The grammar, the rule for days and the messages are those of ``robfig/cron``, which Kubernetes and
Knative have (``cronschedule`` reads it); the walk through the calendar, with its time zones, is the
library cronsim's. Its own expressions mean something else in places (Debian's cron), so it is given
each field as numbers.

In a time zone with summer time, a tick within the hour that is left out does not come; one in the
hour that comes twice comes twice.
"""

from __future__ import annotations

import datetime
import math
import zoneinfo
from collections.abc import Iterator
from itertools import count

from cronsim import CronSim, CronSimError

from hearth.kube.cronschedule import Interval, parse_schedule

_STARS = frozenset("*?")


class Schedule:
    """The ticks of a cron expression, in seconds since 1970."""

    def __init__(self, text: str, timezone: str = "", *, with_seconds: bool = True) -> None:
        """Raises ValueError for what is no schedule, in the words of that library.

        ``with_seconds`` lets expressions have six fields, of which the first is seconds.
        """
        parsed = parse_schedule(
            f"CRON_TZ={timezone} {text}" if timezone else text, with_seconds=with_seconds
        )
        self.interval = max(1.0, parsed.seconds // 1) if isinstance(parsed, Interval) else None
        """Whole seconds between two ticks, where it says only that (``@every``)."""
        self._expression, self._zone = "", zoneinfo.ZoneInfo("UTC")
        if isinstance(parsed, Interval):
            return
        zone = parsed.zone if parsed.zone not in ("", "Local") else "UTC"
        try:
            self._zone = zoneinfo.ZoneInfo(zone)
        except zoneinfo.ZoneInfoNotFoundError as error:
            raise ValueError(f"unknown time zone {zone}") from error
        fields = [
            _numbers(parsed.seconds),
            _numbers(parsed.minutes),
            _numbers(parsed.hours),
            _numbers(parsed.days),
            _numbers(parsed.months),
            _numbers(parsed.weekdays),
        ]
        # With a star for either, both must match; else one of them.
        days, weekdays = _days_of(text)
        if _has_star(days):
            fields[3] = "*"
        if _has_star(weekdays):
            fields[5] = "*"
        self._expression = " ".join(fields)

    def after(self, moment: float) -> float | None:
        """Return the first tick after a moment; None where none comes."""
        return next(self.ticks(moment), None)

    def ticks(self, moment: float) -> Iterator[float]:
        """All ticks after a moment, in order. Those of an interval are counted from it."""
        if self.interval is not None:
            yield from (moment // 1 + number * self.interval for number in count(1))
            return
        start = datetime.datetime.fromtimestamp(moment, tz=self._zone)
        try:
            found_by = CronSim(self._expression, start)
        except CronSimError:  # the 30th of February: it never comes
            return
        last = moment
        for tick in found_by:
            # The library knows whole seconds, and looks for a time that exists.
            found = tick.timestamp()
            if found > last:
                last = found
                yield found

    def latest(self, moment: float, *, since: float) -> float | None:
        """Return the last tick up to a moment; None where there was none after ``since``."""
        if self.interval is not None:
            passed = (moment - since // 1) // self.interval
            return since // 1 + passed * self.interval if passed >= 1 else None
        start = datetime.datetime.fromtimestamp(math.floor(moment) + 1, tz=self._zone)
        try:
            found_by = CronSim(self._expression, start, reverse=True)
        except CronSimError:
            return None
        found = next((at for tick in found_by if (at := tick.timestamp()) <= moment), None)
        return found if found is not None and found > since else None


def _numbers(field: frozenset[int]) -> str:
    return ",".join(map(str, sorted(field)))


def _days_of(text: str) -> tuple[str, str]:
    """The fields of days of the month and of the week, as they are written; words are all stars."""
    fields = [each for each in text.split() if not each.startswith(("TZ=", "CRON_TZ="))]
    return (
        (fields[-3], fields[-1]) if len(fields) >= 5 else _WORDS.get(text.split()[-1], ("*", "*"))
    )


_WORDS = {
    "@yearly": ("1", "*"),
    "@annually": ("1", "*"),
    "@monthly": ("1", "*"),
    "@weekly": ("*", "0"),
}


def _has_star(field: str) -> bool:
    """Whether a part of the field is a star without a step, or with a step of 1."""
    for part in field.split(","):
        bounds, slash, step = part.partition("/")
        if bounds in _STARS and (not slash or step == "1"):
            return True
    return False
