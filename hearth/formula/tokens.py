"""The words of a formula."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from hearth.formula.errors import FaultAt


class Sort(Enum):
    """What a word is."""

    NUMBER = "Number"
    STRING = "String"
    NAME = "Identifier"
    SIGN = "Operator"
    END = "EOF"


@dataclass(frozen=True, slots=True)
class Token:
    """One word; ``text`` of a string is what it means, without quotes."""

    sort: Sort
    text: str
    at: int

    def __str__(self) -> str:
        return f'{self.sort.value}("{self.text}")' if self.text else self.sort.value


_WORD = re.compile(
    r"(?P<skip>\s+|//[^\n]*|/\*.*?\*/)"
    r"|(?P<number>(?:0[xX][0-9a-fA-F_]*|0[oO][0-7_]*|0[bB][01_]*"
    r"|(?:\d[\d_]*(?:\.(?!\.)[\d_]*)?|\.\d[\d_]*)(?:[eE][+-]?\d[\d_]*)?)(?P<bad>[\w$]*))"
    r"|(?P<name>[^\W\d][\w$]*|\$[\w$]*)"
    r"|`(?P<raw>(?:[^`]|``)*)`"
    r"|\"(?P<double>(?:[^\"\\\n]|\\[^\n])*)\"|'(?P<single>(?:[^'\\\n]|\\[^\n])*)'"
    r"|(?P<sign>\?\.|\?\?|\|\||&&|==|!=|<=|>=|\*\*|\.\.|[-+*/%^<>!?:;,.=#|()\[\]{}])",
    re.DOTALL,
)
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|.)")
_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_ESCAPES |= {sign: sign for sign in "\\'\"`"}
_WORD_SIGNS = {"not", "in", "or", "and", "matches", "contains", "startsWith", "endsWith"}
_WORD_SIGNS |= {"let", "if", "else"}


def tokens(text: str) -> Iterator[Token]:
    """Yield the words and an END; raise FaultAt."""
    at = 0
    while at < len(text):
        found = _WORD.match(text, at)
        if found is None:
            raise _unreadable(text, at)
        token = _token(found)
        if token is not None:
            yield token
        at = found.end()
    yield Token(Sort.END, "", max(0, len(text) - 1))


def _unreadable(text: str, at: int) -> FaultAt:
    if text[at] in "\"'`":
        return FaultAt("literal not terminated", at)
    if text.startswith("/*", at):
        return FaultAt("unclosed comment", at)
    return FaultAt(f"unrecognized character: U+{ord(text[at]):04X} '{text[at]}'", at)


def _token(found: re.Match[str]) -> Token | None:
    at = found.start()
    if found["skip"] is not None:
        return None
    if found["number"] is not None:
        if found["bad"]:
            raise FaultAt(f'bad number syntax: "{found["number"]}"', at)
        return Token(Sort.NUMBER, found["number"], at)
    if (name := found["name"]) is not None:
        return Token(Sort.SIGN if name in _WORD_SIGNS else Sort.NAME, name, at)
    if found["sign"] is not None:
        if found["sign"] == "/" and found.string.startswith("/*", at):
            raise FaultAt("unclosed comment", at)
        return Token(Sort.SIGN, found["sign"], at)
    if found["raw"] is not None:
        return Token(Sort.STRING, found["raw"].replace("``", "`"), at)
    quoted = found["double"] if found["double"] is not None else found["single"]
    return Token(Sort.STRING, _ESCAPE.sub(lambda each: _unescaped(each, at), quoted), at)


def _unescaped(found: re.Match[str], at: int) -> str:
    written = found[1]
    if len(written) > 1:
        return chr(int(written[1:], 16))
    if written not in _ESCAPES:
        raise FaultAt("invalid char escape", at + 1 + found.start())
    return _ESCAPES[written]


def number(token: Token) -> tuple[str, float]:
    """Return the kind and the value of a number; raise FaultAt."""
    text = token.text.replace("_", "").lower()
    base = {"0x": 16, "0o": 8, "0b": 2}.get(text[:2])
    try:
        is_float = base is None and any(sign in text for sign in ".e")
        value = float(text) if is_float else int(text, base or 10)
    except ValueError:
        raise FaultAt(f'bad number syntax: "{token.text}"', token.at) from None
    if value == float("inf") or (not is_float and value >= 2**63):
        raise FaultAt(f'number is too large: "{token.text}"', token.at)
    return "float64" if is_float else "int", value
