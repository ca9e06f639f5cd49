"""Durations: Go's text form (``1m30s``) and ISO 8601 (``PT0.2S``), in seconds."""

from __future__ import annotations

import re

_GO_UNITS = {
    "ns": 1e-9,
    "us": 1e-6,
    "µs": 1e-6,
    "μs": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
}
_GO_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)", re.ASCII)
_GO_NUMBER = re.compile(r"\d+(?:\.\d*)?|\.\d+", re.ASCII)
_GO_UNIT = re.compile(r"[^\d.]*", re.ASCII)
_LONGEST_SECONDS = (2**63 - 1) / 1e9
"""Go counts nanoseconds in an int64: some 292 years."""


def parse_go_duration(text: str) -> float:
    """Seconds; raises ValueError in Go's words (``time: invalid duration "x"``)."""
    sign, rest = (-1.0, text[1:]) if text.startswith("-") else (1.0, text.removeprefix("+"))
    if rest == "0":
        return 0.0
    total, position = 0.0, 0
    while position < len(rest):
        part = _GO_PART.match(rest, position)
        if part is None:
            raise ValueError(_go_complaint(text, rest[position:]))
        total += float(part[1]) * _GO_UNITS[part[2]]
        position = part.end()
    if not rest or total > _LONGEST_SECONDS:
        raise ValueError(f"time: invalid duration {_quoted(text)}")
    return sign * total


def _go_complaint(text: str, rest: str) -> str:
    number = _GO_NUMBER.match(rest)
    if number is None:
        return f"time: invalid duration {_quoted(text)}"
    unit = _GO_UNIT.match(rest, number.end())
    if unit is None or not unit[0]:
        return f"time: missing unit in duration {_quoted(text)}"
    return f"time: unknown unit {_quoted(unit[0])} in duration {_quoted(text)}"


def _quoted(text: str) -> str:
    """Quote as package time does: octet by octet."""
    octets = (
        f"\\x{octet:02x}"
        if not 0x20 <= octet < 0x80
        else ("\\" if octet in b'"\\\\' else "") + chr(octet)
        for octet in text.encode()
    )
    return f'"{"".join(octets)}"'


def format_go_duration(seconds: float) -> str:
    """As Go's ``Duration.String``: ``1h0m0s``, ``1.5s``, ``200ms``, ``0s``."""
    nanoseconds = round(seconds * 1e9)
    if nanoseconds == 0:
        return "0s"
    sign, nanoseconds = ("-", -nanoseconds) if nanoseconds < 0 else ("", nanoseconds)
    for unit, size in (("ns", 1), ("µs", 10**3), ("ms", 10**6)):
        if nanoseconds < size * 1000:
            return f"{sign}{_fraction(nanoseconds, size)}{unit}"
    minutes, rest = divmod(nanoseconds, 60 * 10**9)
    hours, minutes = divmod(minutes, 60)
    text = f"{hours}h{minutes}m" if hours else f"{minutes}m" if minutes else ""
    return f"{sign}{text}{_fraction(rest, 10**9)}s"


def _fraction(amount: int, size: int) -> str:
    whole, part = divmod(amount, size)
    digits = len(str(size)) - 1
    tail = f"{part:0{digits}d}".rstrip("0") if digits else ""
    return f"{whole}.{tail}" if tail else str(whole)


_ISO_NUMBER = r"[-+]?(?:\d+(?:[.,]\d*)?|[.,]\d+)"
_ISO = re.compile(
    rf"^(?P<sign>[-+]?)P(?:(?P<y>{_ISO_NUMBER})Y)?(?:(?P<mo>{_ISO_NUMBER})M)?"
    rf"(?:(?P<w>{_ISO_NUMBER})W)?(?:(?P<d>{_ISO_NUMBER})D)?"
    rf"(?:T(?:(?P<h>{_ISO_NUMBER})H)?(?:(?P<m>{_ISO_NUMBER})M)?(?:(?P<s>{_ISO_NUMBER})S)?)?\Z",
    re.ASCII,
)
_ISO_SECONDS = {
    "y": 365 * 86400.0,
    "mo": 30 * 86400.0,
    "w": 7 * 86400.0,
    "d": 86400.0,
    "h": 3600.0,
    "m": 60.0,
    "s": 1.0,
}


def parse_iso8601_duration(text: str) -> float:
    """Return seconds of an ISO 8601 duration; raises ValueError when it is none.

    As lenient as Knative: a sign before each number, and a point or a comma in it.
    """
    if text == "P0":
        return 0.0
    match = _ISO.match(text)
    if match is None or not any(match[unit] for unit in _ISO_SECONDS):
        raise ValueError(f"{text!r} is not an ISO 8601 duration")
    total = sum(
        float(match[unit].replace(",", ".")) * size
        for unit, size in _ISO_SECONDS.items()
        if match[unit]
    )
    if total > _LONGEST_SECONDS:
        raise ValueError(f"{text!r} is longer than a duration can be")
    return -total if match["sign"] == "-" else total
