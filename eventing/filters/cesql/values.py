"""Values of CESQL, the casts between them, and what goes wrong (sections 3.1, 3.3, 3.7). Pure."""

from __future__ import annotations

import enum
import re

Value = bool | int | str
Kind = type[bool] | type[int] | type[str]

INT_MIN, INT_MAX = -(2**31), 2**31 - 1
_INTEGER = re.compile(r"[+-]?[0-9]+")


class ErrorKind(enum.Enum):
    """The errors that an evaluation can come upon."""

    MATH = "math"
    CAST = "cast"
    MISSING_ATTRIBUTE = "missingAttribute"
    MISSING_FUNCTION = "missingFunction"
    FUNCTION_EVALUATION = "functionEvaluation"


class Failure(Exception):
    """Ends an evaluation.

    ``value`` is what the operator or function gives all the same; None means the zero value of its
    type. It counts where ``origin``, the node that failed, is the whole expression.
    """

    def __init__(
        self,
        kind: ErrorKind,
        message: str,
        *,
        value: Value | None = None,
        origin: object = None,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.value = value
        self.origin = origin


def to_integer(value: Value) -> int:
    """Cast to Integer."""
    if value.__class__ is int:
        return value
    if value is True:
        return 1
    if value is False:
        return 0
    number = integer_of(str(value))
    if number is None:
        raise Failure(ErrorKind.CAST, f'"{value}" is no integer of 32 bits')
    return number


def integer_of(text: str) -> int | None:
    """Return the Integer that a text stands for, or None."""
    if _INTEGER.fullmatch(text) is None or len(text.lstrip("+-0")) > 10:
        return None
    number = int(text)
    return number if INT_MIN <= number <= INT_MAX else None


def to_boolean(value: Value) -> bool:
    """Cast to Boolean."""
    if value is True or value is False:
        return value
    if value.__class__ is int:
        return value != 0
    lowered = str(value).lower()
    if lowered == "true":
        return True
    if lowered == "false":
        return False
    raise Failure(ErrorKind.CAST, f'"{value}" is neither true nor false')


def to_text(value: Value) -> str:
    """Cast to String."""
    if value.__class__ is str:
        return value
    if value is True:
        return "true"
    if value is False:
        return "false"
    return str(value)


def cast(value: Value, kind: Kind) -> Value:
    """Cast to a type known only now."""
    if value.__class__ is kind:
        return value
    if kind is str:
        return to_text(value)
    return to_boolean(value) if kind is bool else to_integer(value)
