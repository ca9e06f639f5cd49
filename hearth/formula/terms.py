"""What a part of a formula is once it is compiled: a kind, and a closure that gives its value.

Kinds are told by expr-lang's names, for they stand in messages; an array is ``[]`` and the kind of
its elements. ``unknown`` may be anything and is checked when the formula runs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hearth.formula.errors import FaultAt

INT, FLOAT, BOOL, STRING, NIL, UNKNOWN = "int", "float64", "bool", "string", "nil", "unknown"
MAP = "map[string]interface {}"
NUMBERS = frozenset({INT, FLOAT})

MOST_WORK = 100_000
"""Elements that one evaluation may make or look at."""
DEEPEST = 120
"""How deep a formula may be nested; each level is a call."""

_SMALLEST, _SIZE = -(2**63), 2**64


class Frame:
    """One evaluation: what triggers say, what variables are, and how much work is left."""

    __slots__ = ("left", "slots", "values")

    def __init__(self, values: dict[str, Any], slots: int) -> None:
        self.values = values
        self.slots: list[Any] = [None] * slots
        self.left = MOST_WORK

    def spend(self, amount: int, at: int) -> None:
        """Account for work; raise FaultAt when there was too much."""
        self.left -= amount
        if self.left < 0:
            raise FaultAt(f"the formula takes more than {MOST_WORK} steps", at)


Run = Callable[[Frame], Any]


@dataclass(frozen=True, slots=True)
class Term:
    """A compiled part, and where it stands."""

    kind: str
    run: Run
    at: int
    depth: int = 1


def term(kind: str, run: Run, at: int, *parts: Term) -> Term:
    """Make a term of others; raise FaultAt where it gets too deep."""
    depth = 1 + max((part.depth for part in parts), default=0)
    if depth > DEEPEST:
        raise FaultAt(f"the formula is nested deeper than {DEEPEST} levels", at)
    return Term(kind, run, at, depth)


def constant(kind: str, value: Any, at: int) -> Term:
    """Make a term that is always the same."""
    return Term(kind, lambda frame: value, at)


def is_array(kind: str) -> bool:
    """Whether values of a kind are arrays."""
    return kind.startswith("[]")


def kind_of(value: Any) -> str:
    """Return the kind of a value."""
    if value is None:
        return NIL
    if isinstance(value, list):
        return "[]interface {}"
    if isinstance(value, dict):
        return MAP
    return {bool: BOOL, int: INT, float: FLOAT, str: STRING}[type(value)]


def is_number(value: Any) -> bool:
    """Whether a value is a number; a boolean is none."""
    return type(value) is int or type(value) is float


def wrapped(value: Any) -> Any:
    """Return a number as Go has it: integers of 64 bits that wrap around."""
    if type(value) is int and not _SMALLEST <= value < -_SMALLEST:
        return (value - _SMALLEST) % _SIZE + _SMALLEST
    return value
