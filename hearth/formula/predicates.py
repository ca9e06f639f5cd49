"""Functions that take an array and something to ask of each element: ``count(array, # > 1)``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from hearth.formula.errors import FaultAt
from hearth.formula.terms import (
    BOOL,
    INT,
    UNKNOWN,
    Frame,
    Run,
    Term,
    is_array,
    is_number,
    kind_of,
    term,
    wrapped,
)


@dataclass(frozen=True, slots=True)
class Pointers:
    """Where the element, its index and what was reduced so far stand while a predicate runs."""

    element: int
    index: int
    reduced: int


Asked = Iterator[tuple[Any, Any]]
"""Elements, each with what the predicate says of it."""
Work = Callable[[Asked, int], Any]


def _find(asked: Asked, at: int) -> Any:
    return next((element for element, said in asked if said), None)


def _find_index(asked: Asked, at: int) -> int:
    return next((index for index, (_, said) in enumerate(asked) if said), -1)


def _find_last(asked: Asked, at: int) -> Any:
    return next((element for element, said in reversed(list(asked)) if said), None)


def _find_last_index(asked: Asked, at: int) -> int:
    said = [said for _, said in asked]
    return len(said) - 1 - said[::-1].index(True) if True in said else -1


def _sum(asked: Asked, at: int) -> Any:
    total: Any = 0
    for _, said in asked:
        if not is_number(said):
            raise FaultAt(f"invalid operation: sum of {kind_of(said)}", at)
        total = wrapped(total + said)
    return total


_ASKING: dict[str, tuple[Work, str]] = {
    "all": (lambda asked, at: all(said for _, said in asked), BOOL),
    "any": (lambda asked, at: any(said for _, said in asked), BOOL),
    "none": (lambda asked, at: not any(said for _, said in asked), BOOL),
    "one": (lambda asked, at: sum(said for _, said in asked) == 1, BOOL),
    "count": (lambda asked, at: sum(said for _, said in asked), INT),
    "find": (_find, "element"),
    "findIndex": (_find_index, INT),
    "findLast": (_find_last, "element"),
    "findLastIndex": (_find_last_index, INT),
    "filter": (lambda asked, at: [element for element, said in asked if said], "array"),
}
"""What asks a yes or no of each, and what it gives."""
_MAPPING: dict[str, Work] = {
    "map": lambda asked, at: [said for _, said in asked],
    "sum": _sum,
}
PREDICATES = frozenset({*_ASKING, *_MAPPING, "reduce"})
MAY_LACK = frozenset({"count", "sum"})
"""Those that can do without a predicate."""


def element_of(name: str, array: Term) -> str:
    """Return the kind of an array's elements; raise FaultAt where it is no array."""
    if array.kind != UNKNOWN and not is_array(array.kind):
        raise FaultAt(f"builtin {name} takes only array (got {array.kind})", array.at)
    return array.kind[2:] if is_array(array.kind) else UNKNOWN


def itself(element: str, pointers: Pointers, at: int) -> Term:
    """Return what is asked where nothing is: the element."""
    slot = pointers.element
    return Term(element, lambda frame: frame.slots[slot], at)


def ask(name: str, array: Term, predicate: Term, *, pointers: Pointers, at: int) -> Term:
    """Compile a function that asks of each element; raise FaultAt."""
    element = element_of(name, array)
    asks = name in _ASKING
    if asks and predicate.kind not in (BOOL, UNKNOWN):
        fault = f"predicate should return boolean (got {predicate.kind})"
        raise FaultAt(fault, predicate.at)
    if asks:
        work, kind = _ASKING[name]
        kind = {"element": element, "array": array.kind}.get(kind, kind)
    else:
        work = _MAPPING[name]
        kind = f"[]{predicate.kind}" if name == "map" else predicate.kind
    look = _looking(name, array.run, at)
    said = _checked(predicate) if asks else predicate.run

    def run(frame: Frame) -> Any:
        return work(_asked(frame, look(frame), said, pointers), at)

    return term(kind, run, at, array, predicate)


def reduce(given: Sequence[Term], pointers: Pointers, at: int) -> Term:
    """Compile ``reduce(array, predicate[, first])``."""
    array, predicate = given[0], given[1]
    look, step = _looking("reduce", array.run, at), predicate.run
    start: Run | None = given[2].run if len(given) > 2 else None

    def run(frame: Frame) -> Any:
        elements = look(frame)
        if start is None and not elements:
            raise FaultAt("reduce of empty array with no initial value", at)
        reduced = elements[0] if start is None else start(frame)
        for index, element in enumerate(elements):
            if start is None and index == 0:
                continue
            frame.slots[pointers.element] = element
            frame.slots[pointers.index] = index
            frame.slots[pointers.reduced] = reduced
            reduced = step(frame)
        return reduced

    return term(predicate.kind, run, at, *given)


def _looking(name: str, array: Run, at: int) -> Callable[[Frame], list[Any]]:
    def look(frame: Frame) -> list[Any]:
        elements = array(frame)
        if not isinstance(elements, list):
            raise FaultAt(f"builtin {name} takes only array (got {kind_of(elements)})", at)
        frame.spend(len(elements) + 1, at)
        return elements

    return look


def _asked(frame: Frame, elements: list[Any], said: Run, pointers: Pointers) -> Asked:
    for index, element in enumerate(elements):
        frame.slots[pointers.element] = element
        frame.slots[pointers.index] = index
        yield element, said(frame)


def _checked(predicate: Term) -> Run:
    def run(frame: Frame) -> bool:
        said = predicate.run(frame)
        if not isinstance(said, bool):
            fault = f"predicate should return boolean (got {kind_of(said)})"
            raise FaultAt(fault, predicate.at)
        return said

    return run
