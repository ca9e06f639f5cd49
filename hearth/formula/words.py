"""The words of a formula one after the other, as its grammar asks for them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from hearth.formula.errors import FaultAt
from hearth.formula.tokens import Sort, Token, tokens

_DEEPEST = 40
"""How many brackets may be open; each is several calls of the grammar."""


class Words:
    """Where in the text the reader is."""

    def __init__(self, text: str) -> None:
        self._tokens = list(tokens(text))
        self._place = 0
        self._open = 0

    @property
    def now(self) -> Token:
        """The word that comes next."""
        return self._tokens[self._place]

    def after(self) -> Token:
        """Return the word after that."""
        return self._tokens[min(self._place + 1, len(self._tokens) - 1)]

    def at(self, *signs: str) -> bool:
        """Whether one of these signs comes next."""
        return self.now.sort is Sort.SIGN and self.now.text in signs

    def next(self) -> Token:
        """Take the next word."""
        token = self.now
        if token.sort is not Sort.END:
            self._place += 1
        return token

    def skip(self, sign: str) -> bool:
        """Take a sign if it comes next, and tell."""
        is_there = self.at(sign)
        self._place += is_there
        return is_there

    def expect(self, sign: str) -> None:
        """Take a sign; raise FaultAt."""
        if not self.skip(sign):
            self.unexpected()

    def name(self) -> Token:
        """Take a name; raise FaultAt."""
        if self.now.sort is not Sort.NAME:
            self.unexpected()
        return self.next()

    def unexpected(self) -> NoReturn:
        """Raise FaultAt for the next word."""
        raise FaultAt(f"unexpected token {self.now}", self.now.at)

    @contextmanager
    def nested(self) -> Iterator[None]:
        """Count a level of brackets; raise FaultAt for too many."""
        self._open += 1
        if self._open > _DEEPEST:
            raise FaultAt(f"more than {_DEEPEST} levels of brackets", self.now.at)
        yield
        self._open -= 1
