"""Patterns of names, as gobwas/glob (which KEDA uses) reads them, without separators.

``*`` and ``**`` are any text, ``?`` one sign, ``[abc]`` and ``[a-z]`` one of several,
``[!abc]`` none of them, ``{a,b}`` one of several patterns, a backslash takes a sign as it is.
"""

from __future__ import annotations

from typing import Protocol

import re2

from hearth.keda.scalers.seam import ConfigError

_LONGEST = 1024


class Pattern(Protocol):
    """What a pattern is asked; it takes a time that grows with the name only (RE2)."""

    def fullmatch(self, name: str, /) -> object:
        """Return something where the whole name matches."""
        ...


def compile_glob(pattern: str) -> Pattern:
    """Return what matches whole names; raises ConfigError for a pattern that cannot be read."""
    if len(pattern) > _LONGEST:
        raise _invalid(pattern, f"longer than {_LONGEST} signs")
    if any("\ud800" <= sign <= "\udfff" for sign in pattern):
        raise _invalid(pattern, "a half of a sign stands alone")
    parts: list[str] = []
    place = depth = 0
    while place < len(pattern):
        sign = pattern[place]
        piece, taken = _piece(pattern, place, depth)
        depth += (sign == "{") - (sign == "}" and depth > 0)
        if not (piece == ".*" and parts[-1:] == [".*"]):
            parts.append(piece)
        place += taken
    if depth:
        raise _invalid(pattern, "a brace is not closed")
    found: Pattern = re2.compile(f"(?s:{''.join(parts)})")
    return found


def _piece(pattern: str, place: int, depth: int) -> tuple[str, int]:
    """The expression for what stands at a place, and how many signs that is."""
    sign = pattern[place]
    simple = {"*": ".*", "?": ".", "{": "(?:"}
    if sign in simple:
        return simple[sign], 1
    if depth and sign in ",}":
        return ("|" if sign == "," else ")"), 1
    if sign == "\\":
        if place + 1 == len(pattern):
            raise _invalid(pattern, "a backslash ends it")
        return re2.escape(pattern[place + 1]), 2
    if sign == "[":
        return _choice(pattern, place)
    return re2.escape(sign), 1


def _choice(pattern: str, place: int) -> tuple[str, int]:
    end = pattern.find("]", place)
    inner = pattern[place + 1 : end]
    negated = inner.startswith("!")
    inner = inner.removeprefix("!")
    if end < 0 or not inner or "\\" in inner:
        raise _invalid(pattern, "a bracket is not closed")
    is_range = len(inner) == 3 and inner[1] == "-"
    if is_range and inner[0] > inner[2]:
        raise _invalid(pattern, "a range goes backwards")
    signs = f"{re2.escape(inner[0])}-{re2.escape(inner[2])}" if is_range else re2.escape(inner)
    return f"[{'^' if negated else ''}{signs}]", end - place + 1


def _invalid(pattern: str, why: str) -> ConfigError:
    return ConfigError(f'invalid glob pattern "{pattern}": {why}')
