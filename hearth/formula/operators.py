"""Operators: what they take, which is checked when a formula is compiled, and what they do."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

from hearth.formula.errors import FaultAt
from hearth.formula.kinds import result
from hearth.formula.terms import (
    BOOL,
    NIL,
    NUMBERS,
    UNKNOWN,
    Frame,
    Term,
    is_number,
    kind_of,
    term,
    wrapped,
)

LEFT, RIGHT = 1, 0
BINARY = {
    "|": (0, LEFT),
    "or": (10, LEFT),
    "||": (10, LEFT),
    "and": (15, LEFT),
    "&&": (15, LEFT),
    **dict.fromkeys(("==", "!=", "<", ">", ">=", "<=", "in"), (20, LEFT)),
    **dict.fromkeys(("contains", "startsWith", "endsWith", "matches"), (20, LEFT)),
    "..": (25, LEFT),
    "+": (30, LEFT),
    "-": (30, LEFT),
    "*": (60, LEFT),
    "/": (60, LEFT),
    "%": (60, LEFT),
    "**": (100, RIGHT),
    "^": (100, RIGHT),
    "??": (500, LEFT),
}
"""Precedence and associativity, as expr-lang's ``parser/operator`` has them."""
UNARY = {"not": 50, "!": 50, "-": 90, "+": 90}
NEGATABLE = frozenset({"in", "contains", "matches", "startsWith", "endsWith"})

Work = Callable[[Any, Any], Any]


def _divided(left: float, right: float) -> float:
    """Go's: no error for a division by zero."""
    if right == 0:
        sign = math.copysign(1.0, right)
        return math.nan if left == 0 or math.isnan(left) else math.copysign(math.inf, left) * sign
    return float(left) / float(right)


def power(left: float, right: float) -> float:
    """Go's ``math.Pow``: infinity and NaN instead of errors."""
    try:
        return math.pow(left, right)
    except OverflowError:
        return -math.inf if left < 0 and right % 2 == 1 else math.inf
    except ValueError:
        return math.nan if left < 0 else math.inf


def _remainder(left: int, right: int) -> int:
    """Go's: the sign is that of the dividend."""
    if right == 0:
        raise ZeroDivisionError("integer divide by zero")
    return int(math.copysign(1, left)) * (abs(left) % abs(right))


_ON_NUMBERS: dict[str, Work] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": _divided,
    "**": power,
    "^": power,
    "%": _remainder,
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
}
_ON_STRINGS: dict[str, Work] = {
    "+": operator.add,
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
    "contains": lambda left, right: right in left,
    "startsWith": str.startswith,
    "endsWith": str.endswith,
}


def unary(sign: str, of: Term, at: int) -> Term:
    """Compile ``-x``, ``+x``, ``not x``; raise FaultAt."""
    wants, kinds = (BOOL, {BOOL}) if sign in ("not", "!") else (of.kind, NUMBERS)
    if of.kind != UNKNOWN and of.kind not in kinds:
        raise FaultAt(f"invalid operation: {sign} (mismatched type {of.kind})", at)
    inner = of.run

    def run(frame: Frame) -> Any:
        value = inner(frame)
        if kind_of(value) not in kinds:
            raise FaultAt(f"invalid operation: {sign} {kind_of(value)}", at)
        return (not value) if wants == BOOL else wrapped(-value) if sign == "-" else value

    return term(wants, run, at, of)


def binary(sign: str, left: Term, right: Term, at: int) -> Term:
    """Compile an operation on two terms; raise FaultAt."""
    if sign == "matches":
        raise FaultAt("matches is not supported here", at)
    kind = result(sign, left.kind, right.kind)
    if kind is None:
        kinds = f"{left.kind} and {right.kind}"
        raise FaultAt(f"invalid operation: {sign} (mismatched types {kinds})", at)
    if sign in ("and", "&&", "or", "||"):
        return _logical(sign, left, right, at)
    if sign == "??":
        first, second = left.run, right.run

        def coalesced(frame: Frame) -> Any:
            value = first(frame)
            return second(frame) if value is None else value

        return term(kind, coalesced, at, left, right)
    return term(kind, _working(sign, left, right, at), at, left, right)


def _working(sign: str, left: Term, right: Term, at: int) -> Callable[[Frame], Any]:
    first, second = left.run, right.run
    if sign == "..":
        return lambda frame: _range(frame, first(frame), second(frame), at)
    if sign in ("==", "!="):
        wanted = sign == "=="
        return lambda frame: is_equal(first(frame), second(frame)) is wanted
    if sign == "in":
        return lambda frame: _contains(frame, second(frame), first(frame), at)
    return lambda frame: _worked(frame, sign, first(frame), second(frame), at)


def _worked(frame: Frame, sign: str, left: Any, right: Any, at: int) -> Any:
    work = None
    if is_number(left) and is_number(right):
        work = _ON_NUMBERS.get(sign)
    elif isinstance(left, str) and isinstance(right, str):
        work = _ON_STRINGS.get(sign)
        frame.spend(len(left) + len(right), at)
    if work is None or (sign == "%" and not type(left) is type(right) is int):
        raise FaultAt(f"invalid operation: {kind_of(left)} {sign} {kind_of(right)}", at)
    try:
        return wrapped(work(left, right))
    except ZeroDivisionError as error:
        raise FaultAt(str(error), at) from error


def _logical(sign: str, left: Term, right: Term, at: int) -> Term:
    first, second, stops_at = left.run, right.run, sign in ("or", "||")

    def checked(value: Any) -> bool:
        if not isinstance(value, bool):
            raise FaultAt(f"invalid operation: {sign} (mismatched type {kind_of(value)})", at)
        return value

    def run(frame: Frame) -> bool:
        value = checked(first(frame))
        return value if value is stops_at else checked(second(frame))

    return term(BOOL, run, at, left, right)


def conditional(condition: Term, first: Term, second: Term, at: int) -> Term:
    """Compile ``condition ? first : second``; raise FaultAt."""
    if condition.kind not in (BOOL, UNKNOWN):
        raise _no_condition(condition.kind, condition.at)
    kinds = {first.kind, second.kind} - {NIL}
    kind = NIL if not kinds else kinds.pop() if len(kinds) == 1 else UNKNOWN
    ask, yes, no = condition.run, first.run, second.run

    def run(frame: Frame) -> Any:
        said = ask(frame)
        if not isinstance(said, bool):
            raise _no_condition(kind_of(said), condition.at)
        return yes(frame) if said else no(frame)

    return term(kind, run, at, condition, first, second)


def _no_condition(kind: str, at: int) -> FaultAt:
    return FaultAt(f"non-bool expression (type {kind}) used as condition", at)


def _range(frame: Frame, first: Any, last: Any, at: int) -> list[int]:
    if type(first) is not int or type(last) is not int:
        raise FaultAt(f"invalid operation: {kind_of(first)} .. {kind_of(last)}", at)
    frame.spend(max(0, last - first + 1), at)
    return list(range(first, last + 1))


def is_equal(left: Any, right: Any) -> bool:
    """Whether two values are the same; a boolean is no number, an integer may equal a float."""
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(is_equal, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(is_equal(left[k], right[k]) for k in left)
    if isinstance(left, bool) is not isinstance(right, bool):
        return False
    return bool(left == right)


def _contains(frame: Frame, where: Any, what: Any, at: int) -> bool:
    if where is None:
        return False
    if isinstance(where, dict):
        return isinstance(what, str) and what in where
    if isinstance(where, list):
        frame.spend(len(where), at)
        return any(is_equal(each, what) for each in where)
    raise FaultAt(f'operator "in" not defined on {kind_of(where)}', at)
