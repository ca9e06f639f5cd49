"""The text of label selectors: tokens, clauses and Go's complaints about them. Pure.

Called by ``selectors``. Follows ``k8s.io/apimachinery/pkg/labels``; ``in`` and ``notin`` are words
like others wherever a value may stand.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from hearth.kube.names import label_value_problems, qualified_name_problems

_TOKEN = re.compile(r"[ \t\r\n]*(?:(==|!=|[=!(),<>])|([^ \t\r\n=!(),<>]+))")
_BINARY = ("in", "notin", "=", "==", "!=", "gt", "lt")
_EXPECTED = ", ".join(_BINARY)
_OPERATORS = {
    "in": "in", "notin": "notin", "=": "in", "==": "in", "!=": "notin", ">": "gt", "<": "lt",
}  # fmt: skip
END = ""


@dataclass(frozen=True, slots=True)
class Clause:
    """One clause: key, operator (in, notin, exists, !, gt, lt) and values."""

    key: str
    operator: str
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    is_symbol: bool

    @property
    def is_word(self) -> bool:
        return not self.is_symbol


_END = _Token(END, is_symbol=True)


def _tokens(text: str) -> list[_Token]:
    tokens = [_Token(m[1] or m[2], is_symbol=bool(m[1])) for m in _TOKEN.finditer(text)]
    return [*tokens, _END]


def parse(text: str) -> list[Clause]:
    """Return the clauses of a selector; ValueError with Go's words on text outside the grammar."""
    return _Parser(_tokens(text)).clauses()


class _Parser:
    """Reads one clause after the other."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._at = 0

    @property
    def _next(self) -> _Token:
        return self._tokens[min(self._at, len(self._tokens) - 1)]

    def _take(self) -> _Token:
        token = self._next
        self._at += 1
        return token

    def _begins_clause(self) -> bool:
        return self._next.is_word or self._next.text == "!"

    def clauses(self) -> list[Clause]:
        clauses: list[Clause] = []
        while self._next is not _END:
            if not self._begins_clause():
                raise _unexpected(self._next, "!, identifier, or 'end of string'")
            try:
                clauses.append(self._clause())
            except ValueError as error:
                raise ValueError(f"unable to parse requirement: {error}") from None
            self._separator()
        return clauses

    def _separator(self) -> None:
        token = self._take()
        if token is _END:
            return
        if token.text != ",":
            raise _unexpected(token, "',' or 'end of string'")
        if not self._begins_clause():
            raise _unexpected(self._next, "identifier after ','")

    def _clause(self) -> Clause:
        absent = self._next.text == "!"
        if absent:
            self._take()
        key = self._take()
        if not key.is_word:
            raise _unexpected(key, "identifier")
        _check("<nil>", key.text, qualified_name_problems(key.text))
        if self._next.text in (END, ","):
            return Clause(key.text, "!" if absent else "exists")
        return self._comparison(key.text)

    def _comparison(self, key: str) -> Clause:
        token = self._take()
        operator = _OPERATORS.get(token.text)
        if operator is None:
            raise _unexpected(token, _EXPECTED)
        values = self._set() if token.is_word else self._value()
        shown = sorted(set(values))
        if operator in ("gt", "lt"):
            _check_number(shown[0])
        for index, value in enumerate(shown):
            _check(f"values[{index}][{key}]", value, label_value_problems(value))
        return Clause(key, operator, tuple(shown))

    def _value(self) -> list[str]:
        if self._next.text in (END, ","):
            return [""]
        token = self._take()
        if not token.is_word:
            raise _unexpected(token, "identifier")
        return [token.text]

    def _set(self) -> list[str]:
        token = self._take()
        if token.text != "(":
            raise ValueError(f"found '{token.text}' expected: '('")
        if self._next.text == ")":
            self._take()
            return [""]
        if not self._next.is_word and self._next.text != ",":
            raise _unexpected(self._next, "',', ')' or identifier")
        values = self._set_values()
        self._take()
        return values

    def _set_values(self) -> list[str]:
        """Return the values up to the parenthesis; nothing between commas is an empty one."""
        values: list[str] = []
        while True:
            token = self._take()
            if token.is_word:
                values.append(token.text)
                if self._next.text == ")":
                    return values
                if self._next.text != ",":
                    raise _unexpected(self._next, "',' or ')'")
            elif token.text == ",":
                if not values or self._next.text in (",", ")"):
                    values.append("")
                if self._next.text == ")":
                    return values
            else:
                raise _unexpected(token, "',', or identifier")


def _unexpected(token: _Token, expected: str) -> ValueError:
    return ValueError(f"found '{token.text}', expected: {expected}")


def _check(path: str, value: str, problems: list[str]) -> None:
    if problems:
        raise ValueError(f'{path}: Invalid value: "{value}": {"; ".join(problems)}')


def _check_number(value: str) -> None:
    if not re.fullmatch(r"[+-]?[0-9]{1,18}", value):
        problem = "for 'Gt', 'Lt' operators, the value must be an integer"
        raise ValueError(f'values[0]: Invalid value: "{value}": {problem}')
