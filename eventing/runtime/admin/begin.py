"""Where in a log somebody wants to begin, as people say it. Pure.

===============================  ==========================================================
text                             meaning
===============================  ==========================================================
``10m``, ``1h30m``, ``500ms``    so long ago
``2026-11-20T17:00:00Z``         a moment (RFC 3339)
``earliest``                     the oldest event that is kept
digits                           a position in the log
anything else                    the id of an event
``time:``, ``offset:``, ``id:``  before a text: what it is, where it could be something else
===============================  ==========================================================
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from eventing.engines.seam import Start, StartTime
from hearth.kube.clock import parse_rfc3339

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)")
_DURATION = re.compile(rf"(?:{_PART.pattern})+")
_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T.*")
_LONGEST_SECONDS = 1e9


@dataclass(frozen=True, slots=True)
class AtPosition:
    """The event at a position, in the words of its log."""

    text: str


@dataclass(frozen=True, slots=True)
class OfEvent:
    """The first event that is kept with this id."""

    id: str


Asked = Start | StartTime | AtPosition | OfEvent


def parse_begin(text: str, *, now: float) -> Asked:
    """Read a text; raise ValueError for one that means nothing. ``now`` in seconds since 1970."""
    kind, colon, rest = text.partition(":")
    if colon and kind in _KINDS:
        return _KINDS[kind](rest, now)
    if text == Start.EARLIEST.value:
        return Start.EARLIEST
    if _DURATION.fullmatch(text) or _MOMENT.fullmatch(text):
        return _time(text, now)
    if text.isascii() and text.isdigit():
        return AtPosition(text)
    return _event(text, now)


def seconds_of(text: str) -> float:
    """Return the seconds of a duration (``1h30m``); raise ValueError for what is none."""
    if _DURATION.fullmatch(text) is None:
        raise ValueError(f"{text!r} is no duration: write it as 90s, 10m or 1h30m")
    seconds = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))
    return min(seconds, _LONGEST_SECONDS)


def _time(text: str, now: float) -> Asked:
    if _MOMENT.fullmatch(text):
        try:
            return StartTime(int(parse_rfc3339(text) * 1e9))
        except ValueError:
            raise ValueError(
                f"{text!r} is no time: write it as 2026-11-20T17:00:00Z, or say how long ago (10m)"
            ) from None
    return StartTime(int((now - seconds_of(text)) * 1e9))


def _position(text: str, now: float) -> Asked:
    return AtPosition(text)


def _event(text: str, now: float) -> Asked:
    if not text:
        raise ValueError(
            "where to begin? say how long ago (10m), a time, an offset, an event's id, or earliest"
        )
    return OfEvent(text)


_KINDS = {"time": _time, "offset": _position, "id": _event}
