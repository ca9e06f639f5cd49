"""Functions that take values. Those that take predicates are in ``predicates``."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from hearth.formula.errors import FaultAt
from hearth.formula.operators import is_equal
from hearth.formula.terms import (
    FLOAT,
    INT,
    MAP,
    NUMBERS,
    STRING,
    UNKNOWN,
    Frame,
    Term,
    is_array,
    is_number,
    kind_of,
    term,
)

_ARRAY = "[]interface {}"
_INTEGER = re.compile(r"[+-]?\d+")
_DEEPEST_ARRAY = 50


def call(name: str, given: Sequence[Term], at: int) -> Term:
    """Compile a call of a function; raise FaultAt."""
    function = FUNCTIONS[name]
    fewest, most = function.arguments
    if not fewest <= len(given) <= most:
        wanted = str(fewest) if fewest == most else f"at least {fewest}"
        fault = f"invalid number of arguments for {name} (expected {wanted}, got {len(given)})"
        raise FaultAt(fault, at)
    for each in given:
        if not (each.kind == UNKNOWN or function.takes(each.kind)):
            raise FaultAt(f"invalid argument for {name} (type {each.kind})", each.at)
    runs, work = [each.run for each in given], function.work

    def run(frame: Frame) -> Any:
        values = [each(frame) for each in runs]
        frame.spend(sum(map(_size, values)), at)
        try:
            return work(*values)
        except Unfit as error:
            raise FaultAt(f"invalid argument for {name} ({error})", at) from error

    return term(function.gives([each.kind for each in given]), run, at, *given)


class Unfit(Exception):
    """A value that a function cannot take."""


def _size(value: Any) -> int:
    return len(value) if isinstance(value, list | dict | str) else 1


def _unfit(value: Any) -> Unfit:
    return Unfit(f"type {kind_of(value)}")


# -- what they do ----------------------------------------------------------------------------------


def _numbers(values: Sequence[Any], depth: int = 0) -> Iterator[Any]:
    """All numbers of arrays in arrays."""
    if depth > _DEEPEST_ARRAY:
        raise Unfit(f"arrays nested deeper than {_DEEPEST_ARRAY}")
    for value in values:
        if isinstance(value, list):
            yield from _numbers(value, depth + 1)
        elif is_number(value):
            yield value
        else:
            raise _unfit(value)


def _best(choose: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *values: choose(_numbers(values), default=None)


def _mean(*values: Any) -> float:
    numbers = list(_numbers(values))
    return float(sum(numbers)) / len(numbers) if numbers else 0.0


def _median(*values: Any) -> float:
    numbers = sorted(_numbers(values))
    half = len(numbers) // 2
    if not numbers:
        return 0.0
    return float(numbers[half]) if len(numbers) % 2 else (numbers[half - 1] + numbers[half]) / 2


def _rounded(how: Callable[[float], float]) -> Callable[[Any], float]:
    def work(value: Any) -> float:
        if not is_number(value):
            raise _unfit(value)
        return float(how(value)) if math.isfinite(value) else float(value)

    return work


def _away_from_zero(value: float) -> float:
    """Go's ``math.Round``: a half goes away from zero."""
    whole = math.trunc(value)
    return whole + math.copysign(1, value) if abs(value - whole) >= 0.5 else whole


def _abs(value: Any) -> Any:
    if not is_number(value):
        raise _unfit(value)
    return abs(value)


def to_int(value: Any) -> int:
    """Return a number or a text as an integer."""
    if isinstance(value, str) and _INTEGER.fullmatch(value):
        value = int(value)
    if not is_number(value) or not abs(value) < 2**63:
        raise Unfit(f"{value!r} is no integer of 64 bits")
    return int(value)


def to_float(value: Any) -> float:
    """Return a number or a text as a float."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise _unfit(value)
    try:
        return float(value)
    except ValueError:
        raise Unfit(f'"{value}" is no number') from None


def _len(value: Any) -> int:
    if not isinstance(value, list | dict | str):
        raise _unfit(value)
    return len(value)


def _end(place: int) -> Callable[[Any], Any]:
    def work(array: Any) -> Any:
        if not isinstance(array, list):
            raise _unfit(array)
        return array[place] if array else None

    return work


def _get(of: Any, what: Any) -> Any:
    if isinstance(of, dict):
        return of.get(what) if isinstance(what, str) else None
    if isinstance(of, list) and type(what) is int:
        return of[what] if -len(of) <= what < len(of) else None
    raise _unfit(of)


def _take(array: Any, count: Any) -> list[Any]:
    if not isinstance(array, list) or type(count) is not int or count < 0:
        raise _unfit(count if isinstance(array, list) else array)
    return array[:count]


def _sort(array: Any, order: Any = "asc") -> list[Any]:
    if order not in ("asc", "desc"):
        raise Unfit(f"{order!r} is no order: asc, desc")
    try:
        return sorted(array, reverse=order == "desc")
    except TypeError:
        raise _unfit(array) from None


def _listed(array: Any) -> list[Any]:
    if not isinstance(array, list):
        raise _unfit(array)
    return array


def _concat(*arrays: Any) -> list[Any]:
    return [each for array in arrays for each in _listed(array)]


def _uniq(array: Any) -> list[Any]:
    found: list[Any] = []
    for each in _listed(array):
        if not any(is_equal(each, other) for other in found):
            found.append(each)
    return found


# -- what they are called, take and give -----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Function:
    """One function of the language."""

    work: Callable[..., Any]
    arguments: tuple[int, int]
    takes: Callable[[str], bool]
    gives: Callable[[list[str]], str]


def _is_numeric(kind: str) -> bool:
    return kind in NUMBERS or is_array(kind)


def _is_sized(kind: str) -> bool:
    return kind in (STRING, MAP) or is_array(kind)


def _is_readable(kind: str) -> bool:
    return kind in NUMBERS or kind == STRING


def _anything(kind: str) -> bool:
    return True


def _always(kind: str) -> Callable[[list[str]], str]:
    return lambda kinds: kind


def _widest(kinds: list[str]) -> str:
    """Of numbers in or out of arrays: float, int, or not known."""
    inner = {_innermost(kind) for kind in kinds}
    return inner.pop() if len(inner) == 1 and inner <= NUMBERS else UNKNOWN


def _innermost(kind: str) -> str:
    while is_array(kind):
        kind = kind[2:]
    return kind


def _same(kinds: list[str]) -> str:
    return kinds[0]


def _element(kinds: list[str]) -> str:
    return kinds[0][2:] if is_array(kinds[0]) else UNKNOWN


def _array(kinds: list[str]) -> str:
    return kinds[0] if len(set(kinds)) == 1 and is_array(kinds[0]) else _ARRAY


_MANY = 1000
FUNCTIONS: dict[str, Function] = {
    "max": Function(_best(max), (1, _MANY), _is_numeric, _widest),
    "min": Function(_best(min), (1, _MANY), _is_numeric, _widest),
    "mean": Function(_mean, (1, _MANY), _is_numeric, _always(FLOAT)),
    "median": Function(_median, (1, _MANY), _is_numeric, _always(FLOAT)),
    "abs": Function(_abs, (1, 1), NUMBERS.__contains__, _same),
    "ceil": Function(_rounded(math.ceil), (1, 1), NUMBERS.__contains__, _always(FLOAT)),
    "floor": Function(_rounded(math.floor), (1, 1), NUMBERS.__contains__, _always(FLOAT)),
    "round": Function(_rounded(_away_from_zero), (1, 1), NUMBERS.__contains__, _always(FLOAT)),
    "int": Function(to_int, (1, 1), _is_readable, _always(INT)),
    "float": Function(to_float, (1, 1), _is_readable, _always(FLOAT)),
    "len": Function(_len, (1, 1), _is_sized, _always(INT)),
    "first": Function(_end(0), (1, 1), is_array, _element),
    "last": Function(_end(-1), (1, 1), is_array, _element),
    "get": Function(_get, (2, 2), _anything, _always(UNKNOWN)),
    "take": Function(_take, (2, 2), _anything, _same),
    "reverse": Function(lambda array: _listed(array)[::-1], (1, 1), is_array, _same),
    "sort": Function(_sort, (1, 2), _anything, _same),
    "concat": Function(_concat, (1, _MANY), is_array, _array),
    "uniq": Function(_uniq, (1, 1), is_array, _same),
}
