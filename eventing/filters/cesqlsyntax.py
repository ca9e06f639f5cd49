"""Whether a text is an expression of CESQL, CloudEvents' query language. Pure.

Admission refuses Triggers whose expressions are none, in the words of Knative's parser: some
mistakes it explains, others (``detail`` is None) it only reports.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from hearth.kube.gotext import OutOfRange, parse_int

_TOKEN = re.compile(
    r"""(?P<string>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')|(?P<integer>[+-]?[0-9]+(?![a-zA-Z0-9]))"""
    r"""|(?P<word>[a-zA-Z][a-zA-Z_]*_[a-zA-Z_]*|[a-zA-Z0-9]+)|(?P<sign><=|>=|<>|!=|[-+*/%=<>(),])"""
    r"""|(?P<open>["'].*)""",
    re.DOTALL,
)
_SYNTAX = "syntax error: "
_NOT_A_TEXT = "failed to parse LIKE expression: the pattern was not a string literal"
_LOGIC = ("AND", "OR", "XOR")
_OPERATORS = frozenset({*_LOGIC, *"*/%+-=<>", "!=", "<>", "<=", ">="})
_KEYWORDS = frozenset({*_LOGIC, "NOT", "LIKE", "EXISTS", "IN", "TRUE", "FALSE"})
_END = ("end", "")


class CesqlError(ValueError):
    """The text is no expression."""

    def __init__(self, detail: str | None) -> None:
        super().__init__(detail or "no expression")
        self.detail = f"parse error: {detail}" if detail is not None else None


def check_syntax(text: str) -> None:
    """Raises CesqlError unless the text is an expression."""
    # What is no token is passed over, as the original's lexer does; also a string left open.
    tokens = [(str(match.lastgroup), match[0]) for match in _TOKEN.finditer(text)]
    parser = _Parser([(kind, _folded(kind, token)) for kind, token in tokens if kind != "open"])
    try:
        parser.expression(complaint=_SYNTAX)
    except RecursionError:  # nested deeper than anyone means it
        raise CesqlError(None) from None
    if parser.left():
        raise CesqlError(None if parser.left() == 1 and not parser.is_at("NOT") else _SYNTAX)


def _folded(kind: str, token: str) -> str:
    return token.upper() if kind == "word" else token


class _Parser:
    """Precedence decides what an expression means, not whether it is one: all operators do."""

    def __init__(self, tokens: Sequence[tuple[str, str]]) -> None:
        self._tokens = tokens
        self._at = 0

    def left(self) -> int:
        return len(self._tokens) - self._at

    def is_at(self, *words: str) -> bool:
        kind, token = self._peek()
        return kind in ("word", "sign") and token in words

    def expression(self, *, complaint: str | None) -> None:
        """``complaint`` is what is said when there is nothing where this has to begin."""
        self._operand(complaint)
        while True:
            if self.is_at(*_OPERATORS):
                self._next()
                self._operand(None)
            elif self.is_at("LIKE", "IN") or (self.is_at("NOT") and self._negated()):
                self._predicate()
            else:
                return

    def _operand(self, complaint: str | None) -> None:
        while self.is_at("NOT", "-"):
            self._next()
            complaint = None
        kind, token = self._peek()
        if token == "(" and kind == "sign":
            self._list(complaint=_SYNTAX, several=False)
        elif self.is_at("EXISTS"):
            self._exists()
        elif kind == "integer":
            self._integer(token)
        elif kind == "string" or self.is_at("TRUE", "FALSE"):
            self._next()
        elif kind == "word" and token not in _KEYWORDS:
            self._name(token)
        else:
            raise CesqlError(complaint)

    def _name(self, token: str) -> None:
        """An attribute, or a function with its arguments."""
        self._next()
        if self.is_at("("):
            self._list(complaint=_SYNTAX, several=True, may_be_empty=True)
        elif "_" in token:
            raise CesqlError(_SYNTAX)

    def _exists(self) -> None:
        self._next()
        kind, token = self._peek()
        if kind != "word" or token in _KEYWORDS or "_" in token:
            raise CesqlError(_SYNTAX if self.left() else None)
        self._next()

    def _integer(self, token: str) -> None:
        try:
            parse_int(token, 32)
        except OutOfRange as error:
            raise CesqlError(str(error)) from None
        self._next()

    def _negated(self) -> bool:
        following = self._tokens[self._at + 1 : self._at + 2]
        return bool(following) and following[0] in (("word", "LIKE"), ("word", "IN"))

    def _predicate(self) -> None:
        if self.is_at("NOT"):
            self._next()
        if self._next() == ("word", "IN"):
            if not self.is_at("("):
                raise CesqlError(None)
            self._list(complaint=None, several=True)
            return
        if not self.left():
            raise CesqlError(None)
        if self._next()[0] != "string":
            raise CesqlError(f"{_SYNTAX}|{_NOT_A_TEXT}")

    def _list(self, *, complaint: str | None, several: bool, may_be_empty: bool = False) -> None:
        """Expressions in parentheses."""
        self._next()
        if may_be_empty and self.is_at(")"):
            self._next()
            return
        self.expression(complaint=complaint)
        while several and self.is_at(","):
            self._next()
            self.expression(complaint=complaint)
        if not self.is_at(")"):
            raise CesqlError(None)
        self._next()

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._at] if self.left() else _END

    def _next(self) -> tuple[str, str]:
        token = self._peek()
        self._at += 1
        return token
