"""The functions that CESQL comes with (section 3.5). Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eventing.filters.cesql.values import (
    INT_MAX,
    INT_MIN,
    ErrorKind,
    Failure,
    Kind,
    Value,
    integer_of,
    to_boolean,
    to_integer,
    to_text,
)

_WHITESPACE = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
"""Unicode's; Python's own notion of it takes in some control characters."""


@dataclass(frozen=True, slots=True)
class Function:
    """One function of a name; None among the types takes any value as it is."""

    returns: Kind
    run: Callable[..., Value]
    fixed: tuple[Kind | None, ...]
    variadic: Kind | None = None

    def types(self, count: int) -> Sequence[Kind | None] | None:
        """Return the types of so many arguments; None where it does not take as many."""
        more = count - len(self.fixed)
        if more < 0 or (more and self.variadic is None):
            return None
        return (*self.fixed, *[self.variadic] * more)


def resolve(name: str, count: int) -> Function | None:
    """Return the function of that name that takes so many arguments."""
    for function in FUNCTIONS.get(name, ()):
        if function.types(count) is not None:
            return function
    return None


def _concat(*texts: str) -> str:
    return "".join(texts)


def _concat_with(delimiter: str, *texts: str) -> str:
    return delimiter.join(texts)


def _left(text: str, count: int) -> str:
    _check_count(text, count)
    return text[:count]


def _right(text: str, count: int) -> str:
    _check_count(text, count)
    return text[-count:] if count else ""


def _check_count(text: str, count: int) -> None:
    if count < 0:
        message = f"a text has no {count} characters"
        raise Failure(ErrorKind.FUNCTION_EVALUATION, message, value=text)


def _substring(text: str, position: int, length: int = INT_MAX) -> str:
    if abs(position) > len(text) or length < 0:
        message = f"a text of {len(text)} characters has no such part"
        raise Failure(ErrorKind.FUNCTION_EVALUATION, message)
    if position == 0:
        return ""
    start = position - 1 if position > 0 else len(text) + position
    return text[start : start + length]


def _absolute(number: int) -> int:
    if number == INT_MIN:
        raise Failure(ErrorKind.MATH, f"{number} has no absolute value", value=INT_MAX)
    return abs(number)


def _is_integer(value: Value) -> bool:
    return not isinstance(value, str) or integer_of(value) is not None


def _is_boolean(value: Value) -> bool:
    return not isinstance(value, str) or value.lower() in ("true", "false")


def _trim(text: str) -> str:
    return text.strip(_WHITESPACE)


def _one(returns: Kind, run: Callable[..., Any], *fixed: Kind | None) -> tuple[Function, ...]:
    return (Function(returns, run, fixed),)


FUNCTIONS: Mapping[str, tuple[Function, ...]] = {
    "LENGTH": _one(int, len, str),
    "CONCAT": (Function(str, _concat, (), str),),
    "CONCAT_WS": (Function(str, _concat_with, (str,), str),),
    "LOWER": _one(str, str.lower, str),
    "UPPER": _one(str, str.upper, str),
    "TRIM": _one(str, _trim, str),
    "LEFT": _one(str, _left, str, int),
    "RIGHT": _one(str, _right, str, int),
    "SUBSTRING": (
        Function(str, _substring, (str, int)),
        Function(str, _substring, (str, int, int)),
    ),
    "ABS": _one(int, _absolute, int),
    "INT": _one(int, to_integer, None),
    "BOOL": _one(bool, to_boolean, None),
    "STRING": _one(str, to_text, None),
    "IS_INT": _one(bool, _is_integer, None),
    "IS_BOOL": _one(bool, _is_boolean, None),
}
"""By name, in upper case: those of different numbers of arguments."""
