"""Cron schedules: five fields, ranges, steps, names and ``@`` words. Pure.

Grammar and messages are those of the library ``robfig/cron`` that Kubernetes uses.
"""

from __future__ import annotations

from dataclasses import dataclass

from hearth.kube import gotext

_MONTH_NAMES = "jan feb mar apr may jun jul aug sep oct nov dec"
_MONTHS = {name: i for i, name in enumerate(_MONTH_NAMES.split(), 1)}
_DAYS = {name: i for i, name in enumerate(["sun", "mon", "tue", "wed", "thu", "fri", "sat"])}
_FIELDS: tuple[tuple[int, int, dict[str, int]], ...] = (
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


@dataclass(frozen=True, slots=True)
class CronSchedule:
    """The minutes, hours, days of month, months and days of week at which to run."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]


def parse_schedule(text: str) -> CronSchedule:
    """Raises ValueError with the library's message."""
    if not text:
        raise ValueError("empty spec string")
    if text.startswith("@"):
        if text not in _WORDS:
            raise ValueError(f"unrecognized descriptor: {text}")
        text = _WORDS[text]
    fields = text.split()
    if len(fields) != len(_FIELDS):
        shown = " ".join(fields)
        raise ValueError(f"expected exactly 5 fields, found {len(fields)}: [{shown}]")
    parsed = [
        _field(part, low=low, high=high, names=names)
        for part, (low, high, names) in zip(fields, _FIELDS, strict=True)
    ]
    return CronSchedule(*parsed)


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
