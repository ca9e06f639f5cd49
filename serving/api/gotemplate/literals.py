"""Texts and numbers as they are written in a template. Pure."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from typing import Any

from hearth.kube.gotext import parse_float, parse_int, quote
from serving.api.gotemplate.lexer import Token

WORDS: Mapping[str, Any] = {"true": True, "false": False, "nil": None}


_WRITTEN = re.compile(
    r"""(["'])(?:[^\\]|\\(?:[abfnrtv\\]|\1|[0-3][0-7]{2}|x[0-9a-fA-F]{2}|u(?![dD][89a-fA-F])"""
    r"""[0-9a-fA-F]{4}|U000[0-9a-fA-F]{5}|U0010[0-9a-fA-F]{4}))*\1""",
    re.DOTALL,
)
"""What Go and Python read alike."""


def value_of(token: Token) -> Any:
    """Return what a token stands for; raises ValueError in Go's words."""
    match token.kind:
        case "word":
            return WORDS[token.text]
        case "raw":
            return token.text[1:-1]
        case "number":
            return _number(token.text)
    if not _WRITTEN.fullmatch(token.text):
        raise ValueError("invalid syntax")
    value = ast.literal_eval(token.text)
    if token.kind == "string":
        return value
    if len(value) != 1:
        raise ValueError(f"malformed character constant: {token.text}")
    return ord(value)


def _number(given: str) -> int | float:
    text = given.replace("_", "")
    try:
        if re.fullmatch(r"[+-]?0[xXoObB]\w+", text):
            return int(text, 0)
        if re.fullmatch(r"[+-]?\d+", text):
            return parse_int(text)
        number = parse_float(text)
    except ValueError:
        raise ValueError(f"bad number syntax: {quote(given)}") from None
    # As Go: what is written as a float and is whole is an integer where one fits.
    whole = number.is_integer() and abs(number) < 2**53 and "." not in text
    return int(number) if whole else number
