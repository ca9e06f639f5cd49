"""Windows of time with other bounds: the annotation ``autoscaling.hearth.dev/schedule``. Pure.

A JSON or YAML list, on a revision's template or (for all its revisions) on the Service::

    - {start: 0 8 * * 1-5, end: 0 18 * * 1-5, timezone: Europe/Berlin, minScale: 3, maxScale: 20}

``start`` and ``end`` are cron expressions as KEDA's cron trigger has them. A window is open from a
start to the next end. Its bounds take the place of ``min-scale`` and ``max-scale``; of several that
are open the greatest floor and the least ceiling count, and no floor is above a ceiling.

Each time on the clock comes once: one that is left out when summer time begins comes at that
moment, one that comes twice when it ends counts the first time. What starts and ends at once is
not open.
"""

from __future__ import annotations

import datetime
import zoneinfo
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import yaml

from hearth.kube.cronticks import Schedule
from serving.api.annotations import MAX_INT32

MOST_WINDOWS = 50
LONGEST_TEXT = 16 * 1024
_FIELDS = ("start", "end", "timezone", "minScale", "maxScale")
_OVERLAP_SECONDS = 2 * 3600
"""More than any time zone sets its clocks back."""


class ScheduleError(ValueError):
    """What is wrong, with the path of the field and its value."""

    def __init__(self, message: str, path: str = "", value: object = None) -> None:
        super().__init__(message)
        self.path = path
        self.value = value if isinstance(value, (str, int, float)) else type(value).__name__


class Clock:
    """A cron expression on the clocks of a time zone."""

    def __init__(self, text: str, zone: zoneinfo.ZoneInfo) -> None:
        """Raises ValueError for what is no such expression, or never comes."""
        if "TZ=" in text:
            raise ValueError("the time zone has a field of its own, timezone")
        self._schedule = Schedule(text, with_seconds=False)
        if self._schedule.interval is not None:
            raise ValueError("@every is no time on a clock: give the five fields of cron")
        if self._schedule.after(0) is None:
            raise ValueError("there is no such day")
        self._zone = zone

    def after(self, now: float) -> float | None:
        """Return the first moment after ``now``."""
        shown = self._shown(now)
        return next(
            (at for tick in self._schedule.ticks(shown) if (at := self._at(tick)) > now), None
        )

    def latest(self, now: float) -> float | None:
        """Return the last moment up to ``now``."""
        is_again = datetime.datetime.fromtimestamp(now, self._zone).fold
        until: float | None = self._shown(now) + (_OVERLAP_SECONDS if is_again else 0)
        while until is not None:
            until = self._schedule.latest(until, since=float("-inf"))
            if until is not None and (at := self._at(until)) <= now:
                return at
            until = until and until - 1
        return None

    def _shown(self, moment: float) -> float:
        """What clocks show, as if it were UTC."""
        shown = datetime.datetime.fromtimestamp(moment, self._zone).replace(tzinfo=datetime.UTC)
        return shown.timestamp()

    def _at(self, shown: float) -> float:
        """When clocks show that first; when they jump over it, the moment of the jump."""
        clock = datetime.datetime.fromtimestamp(shown, datetime.UTC).replace(tzinfo=self._zone)
        at = clock.timestamp()
        if self._shown(at) == shown:
            return at
        low, high = clock.replace(fold=1).timestamp(), at
        offset = high - self._shown(high)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if middle - self._shown(middle) == offset else (middle, high)
        return high


@dataclass(frozen=True, slots=True)
class Window:
    """A time that comes again, and the bounds it has."""

    start: Clock
    end: Clock
    min_scale: int | None
    max_scale: int | None
    text: str
    """How it is written."""

    def is_open(self, now: float) -> tuple[bool, float | None]:
        """Whether it is open, and when that changes."""
        began = self.start.latest(now)
        if began is not None:
            ends = self.end.after(began - 1)
            if ends is None or ends > now:
                return True, ends
        return False, self.start.after(now)


@dataclass(frozen=True, slots=True)
class Scheduled:
    """What a schedule says at one moment; None where it leaves things as they are."""

    min_scale: int | None = None
    max_scale: int | None = None
    changes_at: float | None = None
    """When it may say something else, in Unix seconds."""
    open: tuple[str, ...] = ()
    """The windows that are open."""

    def bound(self, min_scale: int, max_scale: int) -> tuple[int, int]:
        """Return bounds with these in their place; a ``max_scale`` of 0 means none."""
        low = min_scale if self.min_scale is None else self.min_scale
        high = max_scale if self.max_scale is None else self.max_scale
        return (min(low, high) if high and self.min_scale is not None else low), high


UNSCHEDULED = Scheduled()


def scheduled(windows: Iterable[Window], now: float) -> Scheduled:
    """Return the bounds of a moment."""
    found = [(window, *window.is_open(now)) for window in windows]
    opened = [window for window, is_open, _ in found if is_open]
    return Scheduled(
        max((each.min_scale for each in opened if each.min_scale is not None), default=None),
        min((each.max_scale for each in opened if each.max_scale is not None), default=None),
        min((at for _, _, at in found if at is not None), default=None),
        tuple(window.text for window in opened),
    )


@lru_cache(maxsize=256)
def parse_windows(text: str) -> tuple[Window, ...]:
    """Read the annotation; raises ScheduleError."""
    if len(text) > LONGEST_TEXT:
        raise ScheduleError(f"it is longer than {LONGEST_TEXT} characters", value=len(text))
    try:
        entries = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        problem = getattr(error, "problem", None) or type(error).__name__
        raise ScheduleError(f"it is neither JSON nor YAML: {problem}", value=text[:100]) from None
    if not isinstance(entries, list) or not entries:
        raise ScheduleError("expected a list of windows", value=text[:100])
    if len(entries) > MOST_WINDOWS:
        raise ScheduleError(f"expected at most {MOST_WINDOWS} windows", value=len(entries))
    return tuple(_window(entry, f"[{place}]") for place, entry in enumerate(entries))


def _window(entry: Any, path: str) -> Window:
    if not isinstance(entry, dict):
        raise ScheduleError(f"expected a window: {', '.join(_FIELDS)}", path, entry)
    for name in entry:
        if name not in _FIELDS:
            raise ScheduleError(f"expected one of {', '.join(_FIELDS)}", f"{path}.{name}", name)
    zone = _zone(entry.get("timezone", "UTC"), f"{path}.timezone")
    start, end = (_clock(entry, name, path, zone) for name in ("start", "end"))
    low, high = (
        _pods(entry, name, path, least) for name, least in (("minScale", 0), ("maxScale", 1))
    )
    if entry["start"].split() == entry["end"].split():
        raise ScheduleError("it ends when it starts", f"{path}.end", entry["end"])
    if low is None and high is None:
        raise ScheduleError("expected minScale, maxScale or both", path, entry)
    if low is not None and high is not None and low > high:
        raise ScheduleError(f"it is more than maxScale, {high}", f"{path}.minScale", low)
    return Window(start, end, low, high, f"{entry['start']} to {entry['end']} {zone.key}")


def _zone(name: object, path: str) -> zoneinfo.ZoneInfo:
    try:
        if isinstance(name, str):
            return zoneinfo.ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        pass
    raise ScheduleError("expected the name of a time zone, such as Europe/Berlin", path, name)


def _clock(entry: Mapping[str, Any], name: str, path: str, zone: zoneinfo.ZoneInfo) -> Clock:
    text = entry.get(name)
    if not isinstance(text, str):
        expected = "expected a cron expression, such as 0 8 * * 1-5"
        raise ScheduleError(expected, f"{path}.{name}", text)
    try:
        return Clock(text, zone)
    except ValueError as error:
        raise ScheduleError(str(error), f"{path}.{name}", text) from None


def _pods(entry: Mapping[str, Any], name: str, path: str, least: int) -> int | None:
    number = entry.get(name)
    if number is None:
        return None
    if isinstance(number, bool) or not isinstance(number, int) or not least <= number <= MAX_INT32:
        raise ScheduleError(f"expected a whole number from {least} on", f"{path}.{name}", number)
    return number
