"""Regular expressions as Go has them: RE2 in syntax, in what matches, and in linear time.

Patterns and texts both come from strangers (``pattern`` in a CRD's schema, ``matches`` in CEL), so
an engine that backtracks would let one object hold up the whole server. Kubernetes promises linear
time; RE2 keeps the promise. It is loaded at the first pattern: 10 ms and 3 MB.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from typing import Any

PATTERNS_KEPT = 256
"""Compiled patterns; RE2 takes up to 8 MiB for each, seldom more than some tens of kB."""

_GO_WORDS = {
    "bad repetition operator": "invalid nested repetition operator",
    "invalid named capture group": "invalid named capture",
    "invalid perl operator": "invalid or unsupported Perl syntax",
    "invalid repetition size": "invalid repeat count",
    "missing )": "missing closing )",
    "missing ]": "missing closing ]",
    "no argument for repetition operator": "missing argument to repetition operator",
    "trailing \\": "trailing backslash at end of expression",
}
"""What RE2 and Go's ``regexp/syntax`` call the same errors, where the words differ."""
_ENGINE_ERROR = re.compile(r"(.*?)(?:: (.*))?\Z", re.DOTALL)


class PatternError(ValueError):
    """A pattern that does not compile, in the words of Go's ``regexp.Compile``."""


@functools.lru_cache(maxsize=PATTERNS_KEPT)
def _compiled(pattern: str) -> Any:
    import re2

    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        raise PatternError(_go_error(error.args[0].decode("utf-8", "replace"))) from None


def _go_error(text: str) -> str:
    """``missing ): a(`` as ``error parsing regexp: missing closing ): `a(```."""
    match = _ENGINE_ERROR.match(text)
    code, part = match.groups() if match else (text, None)
    return f"error parsing regexp: {_GO_WORDS.get(code, code)}: `{part or ''}`"


def check(pattern: str) -> None:
    """Raises ``PatternError`` for a pattern that Go would not compile."""
    _compiled(pattern)


def matches(pattern: str, text: str) -> bool:
    """Whether the pattern matches anywhere in the text, as Go's ``MatchString`` says."""
    return _compiled(pattern).search(text) is not None


def find_all(pattern: str, text: str) -> Iterator[str]:
    """The matches of a pattern in the text, from left to right, none overlapping another."""
    for match in _compiled(pattern).finditer(text):
        yield match[0]
