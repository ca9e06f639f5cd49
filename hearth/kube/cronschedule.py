"""Cron schedules: fields, ranges, steps, names, ``@`` words and time zones. Pure.

Grammar and messages are those of the library ``robfig/cron``, which Kubernetes and Knative use.
"""

from __future__ import annotations

import zoneinfo
from dataclasses import dataclass

from hearth.kube import gotext
from hearth.kube.durations import parse_go_duration

_MONTH_NAMES = "jan feb mar apr may jun jul aug sep oct nov dec"
_MONTHS = {name: i for i, name in enumerate(_MONTH_NAMES.split(), 1)}
_DAYS = {name: i for i, name in enumerate(["sun", "mon", "tue", "wed", "thu", "fri", "sat"])}
_FIELDS: tuple[tuple[int, int, dict[str, int]], ...] = (
    (0, 59, {}),
    (0, 59, {}),
    (0, 23, {}),
    (1, 31, {}),
    (1, 12, _MONTHS),
    (0, 6, _DAYS),
)
_WORDS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_EVERY = "@every "


class BadZone(ValueError):
    """The time zone of a schedule is none."""


@dataclass(frozen=True, slots=True)
class CronSchedule:
    """The seconds, minutes, hours, days of month, months and days of week at which to run."""

    seconds: frozenset[int]
    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    zone: str = ""
    """The time zone that the schedule itself names; nothing where it names none."""


@dataclass(frozen=True, slots=True)
class Interval:
    """So many seconds between two runs."""

    seconds: float


def parse_schedule(text: str, *, with_seconds: bool = False) -> CronSchedule | Interval:
    """Raises ValueError with the library's message. Seconds may be the first of six fields."""
    if not text:
        raise ValueError("empty spec string")
    zone = ""
    if text.startswith(("TZ=", "CRON_TZ=")):
        named, _, text = text.partition(" ")
        zone = named.partition("=")[2]
        _check_zone(zone)
        text = text.strip()
    if text.startswith(_EVERY):
        return Interval(_interval(text))
    if text.startswith("@"):
        if text not in _WORDS:
            raise ValueError(f"unrecognized descriptor: {text}")
        text = _WORDS[text]
    fields = text.split()
    if len(fields) != 5 and not (with_seconds and len(fields) == 6):
        wanted = "5 to 6" if with_seconds else "exactly 5"
        shown = gotext.format_list(fields)
        raise ValueError(f"expected {wanted} fields, found {len(fields)}: {shown}")
    if len(fields) == 5:
        fields = ["0", *fields]
    parsed = [
        _field(part, low=low, high=high, names=names)
        for part, (low, high, names) in zip(fields, _FIELDS, strict=True)
    ]
    seconds, minutes, hours, days, months, weekdays = parsed
    return CronSchedule(seconds, minutes, hours, days, months, weekdays, zone)


def _check_zone(zone: str) -> None:
    if zone in ("", "UTC", "Local"):
        return
    try:
        zoneinfo.ZoneInfo(zone)
    except (KeyError, ValueError, OSError):
        raise BadZone(f"provided bad location {zone}: unknown time zone {zone}") from None


def _interval(text: str) -> float:
    try:
        return parse_go_duration(text.removeprefix(_EVERY))
    except ValueError as error:
        raise ValueError(f"failed to parse duration {text}: {error}") from None


def _field(text: str, *, low: int, high: int, names: dict[str, int]) -> frozenset[int]:
    numbers: set[int] = set()
    for part in text.split(","):
        if part:
            numbers |= set(_range(part, low=low, high=high, names=names))
    return frozenset(numbers)


def _range(text: str, *, low: int, high: int, names: dict[str, int]) -> range:
    bounds, *steps = text.split("/")
    limits = bounds.split("-")
    if bounds in ("*", "?"):
        start, end = low, high
    else:
        start = _number(limits[0], names)
        end = start if len(limits) == 1 else _number(limits[1], names)
        if len(limits) > 2:
            raise ValueError(f"too many hyphens: {text}")
    step = 1
    if steps:
        step = _number(steps[0], {})
        if len(limits) == 1 and bounds not in ("*", "?"):
            end = high
    if len(steps) > 1:
        raise ValueError(f"too many slashes: {text}")
    _check(text, start, end, low=low, high=high, step=step)
    return range(start, end + 1, step)


def _check(text: str, start: int, end: int, *, low: int, high: int, step: int) -> None:
    if start < low:
        raise ValueError(f"beginning of range ({start}) below minimum ({low}): {text}")
    if end > high:
        raise ValueError(f"end of range ({end}) above maximum ({high}): {text}")
    if start > end:
        raise ValueError(f"beginning of range ({start}) beyond end of range ({end}): {text}")
    if step == 0:
        raise ValueError(f"step of range should be a positive number: {text}")


def _number(text: str, names: dict[str, int]) -> int:
    if text.lower() in names:
        return names[text.lower()]
    try:
        number = gotext.parse_int(text, function="Atoi")
    except ValueError as error:
        raise ValueError(f"failed to parse int from {text}: {error}") from None
    if number < 0:
        raise ValueError(f"negative number ({number}) not allowed: {text}")
    return number
