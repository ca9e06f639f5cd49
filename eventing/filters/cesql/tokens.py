"""The words of CESQL, cut as its grammar does: the longest match counts. Pure."""

from __future__ import annotations

import re
from typing import NamedTuple

KEYWORDS = frozenset({"AND", "OR", "XOR", "NOT", "LIKE", "EXISTS", "IN", "TRUE", "FALSE"})

_TOKEN = re.compile(
    r"""(?P<string>"(?:\\.|""|[^"\\])*"|'(?:\\.|''|[^'\\])*')"""
    r"""|(?P<integer>[+-][0-9]+|[0-9]+(?![a-zA-Z0-9]))"""
    r"""|(?P<word>[a-zA-Z][a-zA-Z_]*_[a-zA-Z_]*|[a-zA-Z0-9]+)"""
    r"""|(?P<sign><=|>=|<>|!=|[-+*/%=<>(),])|(?P<open>["'].*)""",
    re.DOTALL,
)


class Token(NamedTuple):
    """One word: its kind (``string``, ``integer``, ``word``, ``sign``, ``end``) and its text."""

    kind: str
    text: str
    at: int
    """Where it begins, in characters from 0."""

    @property
    def folded(self) -> str:
        """The text of a keyword or sign, keywords in upper case; nothing for what is neither."""
        if self.kind == "sign":
            return self.text
        upper = self.text.upper()
        return upper if self.kind == "word" and upper in KEYWORDS else ""

    def __str__(self) -> str:
        return f'found "{self.text}"' if self.kind != "end" else "found the end"


def tokens_of(text: str) -> list[Token]:
    """Cut a text. What is no word is passed over, as the original does; so is a string left open.

    The last token says where the text ends.
    """
    found = [
        Token(str(match.lastgroup), match[0], match.start())
        for match in _TOKEN.finditer(text)
        if match.lastgroup != "open"
    ]
    return [*found, Token("end", "", len(text))]


def unquoted(literal: str) -> str:
    """Return what a string literal means: its own quote may be escaped, all else is as written."""
    quote = literal[0]
    return literal[1:-1].replace(f"\\{quote}", quote)
