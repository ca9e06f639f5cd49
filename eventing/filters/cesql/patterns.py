"""Patterns of LIKE: ``%`` is any text, ``_`` any character, a backslash takes their meaning. Pure.

Whatever the pattern, a text is looked through in time that grows with its length: parts between
``%`` are found from left to right and never sought again.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

Test = Callable[[str], bool]

_PIECE = re.compile(r"\\([%_])|(.)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Pattern:
    """A pattern in parts: what stands between its ``%``, each a list of characters or None."""

    parts: tuple[tuple[str | None, ...], ...]

    @classmethod
    def of(cls, text: str) -> Pattern:
        """Read a pattern."""
        parts: list[list[str | None]] = [[]]
        for escaped, plain in _PIECE.findall(text):
            if plain == "%":
                parts.append([])
            else:
                parts[-1].append(None if plain == "_" else escaped or plain)
        return cls(tuple(tuple(part) for part in parts))

    @property
    def exact(self) -> str | None:
        """The one text that has this form."""
        return _literal(self.parts[0]) if len(self.parts) == 1 else None

    @property
    def prefix(self) -> str:
        """What all texts of this form begin with."""
        return _literal_start(self.parts[0])

    @property
    def suffix(self) -> str:
        """What all texts of this form end with."""
        return _literal_start(self.parts[-1][::-1])[::-1]

    def test(self) -> Test:
        """Return the quickest way to tell whether a text has this form."""
        exact = self.exact
        if exact is not None:
            return exact.__eq__
        if len(self.parts) == 2 and not any(None in part for part in self.parts):
            return _ends(self.prefix, self.suffix)
        return self._searching()

    def _searching(self) -> Test:
        first, *others = [_regex(part) for part in self.parts]
        if not others:
            form = first
        else:
            *middle, last = others
            found = "".join(f"(?>.*?{part})" for part in middle)
            form = f"{first}{found}.*{last}"
        matching = re.compile(form, re.DOTALL).fullmatch
        return lambda text: matching(text) is not None


def _literal(part: tuple[str | None, ...]) -> str | None:
    return None if None in part else "".join(filter(None, part))


def _literal_start(part: tuple[str | None, ...]) -> str:
    end = part.index(None) if None in part else len(part)
    return "".join(filter(None, part[:end]))


def _ends(prefix: str, suffix: str) -> Test:
    if not suffix:
        return lambda text: text.startswith(prefix)
    if not prefix:
        return lambda text: text.endswith(suffix)
    shortest = len(prefix) + len(suffix)
    return lambda text: len(text) >= shortest and text.startswith(prefix) and text.endswith(suffix)


def _regex(part: tuple[str | None, ...]) -> str:
    return "".join("." if one is None else re.escape(one) for one in part)
