"""Go's regular expressions (RE2) with Python's ``re``: the differences that patterns meet.

``$`` matches at the very end only, classes such as ``\\d`` are ASCII, ``\\z`` ends the text, and
POSIX classes stand in brackets. Used for ``pattern`` and for CEL's ``matches``.
"""

from __future__ import annotations

import functools
import re

_POSIX = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "ascii": r"\x00-\x7F",
    "blank": r"\t ",
    "cntrl": r"\x00-\x1F\x7F",
    "digit": "0-9",
    "graph": "!-~",
    "lower": "a-z",
    "print": " -~",
    "punct": r"!-/:-@\[-`{-~",
    "space": r"\t\n\v\f\r ",
    "upper": "A-Z",
    "word": "0-9A-Za-z_",
    "xdigit": "0-9A-Fa-f",
}
_UNICODE = {
    "L": r"^\W\d_",
    "Lu": "A-ZÀ-ÖØ-Þ",
    "Ll": "a-zß-öø-ÿ",
    "N": r"\d",
    "Nd": r"\d",
    "P": r"!-/:-@\[-`{-~",
    "S": r"$+<=>^`|~",
    "Z": " ",
}
_INLINE_FLAGS = re.compile(r"\(\?([imsU]+)\)")
_CLASS_NAME = re.compile(r"\[:(\^?)(\w+):\]")
_PROPERTY = re.compile(r"\\([pP])(?:\{(\^?)(\w+)\}|(\w))")


@functools.lru_cache(maxsize=1024)
def compile_go(pattern: str) -> re.Pattern[str]:
    """The pattern as Python's; raises ``re.error`` for one that Go would refuse as well."""
    flags = re.ASCII if not _PROPERTY.search(pattern) else re.NOFLAG
    found = _INLINE_FLAGS.match(pattern)
    if found:
        pattern = pattern[found.end() :]
        for letter in found[1].replace("U", ""):
            flags |= {"i": re.I, "m": re.M, "s": re.S}[letter]
    if "(?=" in pattern or "(?!" in pattern or "(?<=" in pattern or "(?<!" in pattern:
        raise re.error("invalid or unsupported Perl syntax")
    return re.compile(_Translation(pattern, multiline=bool(flags & re.M)).run(), flags)


class _Translation:
    """One pass over a pattern; ``in_class`` between brackets."""

    def __init__(self, pattern: str, *, multiline: bool) -> None:
        self._pattern = pattern
        self._end = "$" if multiline else r"\Z"
        self._at = 0
        self._in_class = False

    def run(self) -> str:
        out = []
        while self._at < len(self._pattern):
            out.append(self._next())
        return "".join(out)

    def _next(self) -> str:
        pattern, at = self._pattern, self._at
        if pattern[at] == "\\":
            return self._escape()
        if self._in_class and (found := _CLASS_NAME.match(pattern, at)) and found[2] in _POSIX:
            self._at = found.end()
            return _POSIX[found[2]]
        self._at += 1
        if self._in_class:
            self._in_class = pattern[at] != "]"
            return "\\[" if pattern[at] == "[" else pattern[at]
        if pattern[at] == "[":
            return self._open_class()
        return self._end if pattern[at] == "$" else pattern[at]

    def _open_class(self) -> str:
        self._in_class = True
        text = "["
        if self._pattern.startswith("^", self._at):
            text += "^"
            self._at += 1
        if self._pattern.startswith("]", self._at):  # a bracket that comes first is itself
            text += r"\]"
            self._at += 1
        return text

    def _escape(self) -> str:
        if found := _PROPERTY.match(self._pattern, self._at):
            self._at = found.end()
            return self._property(found[2] or "", found[3] or found[4], found[1] == "P")
        escaped = self._pattern[self._at : self._at + 2]
        self._at += 2
        if escaped == r"\z":
            return r"\Z"
        if escaped == r"\Q":
            end = self._pattern.find(r"\E", self._at)
            literal = self._pattern[self._at : end if end >= 0 else len(self._pattern)]
            self._at += len(literal) + (2 if end >= 0 else 0)
            return re.escape(literal)
        return escaped

    def _property(self, caret: str, name: str, negated: bool) -> str:
        members = _UNICODE.get(name, r"^\W\d_")
        if self._in_class:
            return r"\w" if members.startswith("^") else members
        inverse = members.startswith("^")
        if (bool(caret) != negated) != inverse:
            return f"[^{members.removeprefix('^')}]"
        return f"[{members.removeprefix('^')}]"


def matches(pattern: str, text: str) -> bool:
    """Whether the pattern is found anywhere in the text, as Go's MatchString says."""
    return compile_go(pattern).search(text) is not None
