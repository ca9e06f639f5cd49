"""Arrays and maps: how they are written, and how what is in them is read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hearth.formula.errors import FaultAt
from hearth.formula.terms import (
    INT,
    MAP,
    NIL,
    STRING,
    UNKNOWN,
    Frame,
    Term,
    constant,
    is_array,
    kind_of,
    term,
)


def array(items: Sequence[Term], at: int) -> Term:
    """Compile ``[a, b]``; of one kind where all elements are."""
    kinds = {item.kind for item in items}
    kind = "[]" + (kinds.pop() if len(kinds) == 1 else UNKNOWN)
    runs = [item.run for item in items]

    def run(frame: Frame) -> list[Any]:
        frame.spend(len(runs), at)
        return [each(frame) for each in runs]

    return term(kind, run, at, *items)


def mapping(pairs: Sequence[tuple[Term, Term]], at: int) -> Term:
    """Compile ``{a: 1}``."""
    runs = [(key.run, value.run) for key, value in pairs]

    def run(frame: Frame) -> dict[str, Any]:
        frame.spend(len(runs), at)
        return {_key(key(frame), at): value(frame) for key, value in runs}

    return term(MAP, run, at, *(each for pair in pairs for each in pair))


def _key(value: Any, at: int) -> str:
    if not isinstance(value, str):
        raise FaultAt(f"cannot use {kind_of(value)} as a key of a map", at)
    return value


def member(of: Term, key: Term, at: int, *, is_optional: bool) -> Term:
    """Compile ``of.key`` and ``of[key]``; raise FaultAt."""
    wants = INT if is_array(of.kind) else STRING
    if of.kind == NIL or not (of.kind in (MAP, UNKNOWN) or is_array(of.kind)):
        raise FaultAt(f"type {of.kind} has no members", at)
    if of.kind != UNKNOWN and key.kind not in (wants, UNKNOWN):
        raise FaultAt(f"cannot use {key.kind} to get an element from {of.kind}", at)
    owner, inner = of.run, key.run

    def run(frame: Frame) -> Any:
        value, wanted = owner(frame), inner(frame)
        if value is None and is_optional:
            return None
        if isinstance(value, dict) and isinstance(wanted, str):
            return value.get(wanted)
        if not isinstance(value, list) or type(wanted) is not int:
            raise FaultAt(f"cannot fetch {wanted} from {kind_of(value)}", at)
        if not -len(value) <= wanted < len(value):
            fault = f"index out of range: {wanted} (array length is {len(value)})"
            raise FaultAt(fault, at)
        return value[wanted]

    return term(of.kind[2:] if is_array(of.kind) else UNKNOWN, run, at, of, key)


def part(of: Term, first: Term | None, last: Term | None, at: int) -> Term:
    """Compile ``of[first:last]``; raise FaultAt."""
    start, end = first or constant(NIL, None, at), last or constant(NIL, None, at)
    if of.kind != UNKNOWN and not is_array(of.kind):
        raise FaultAt(f"cannot slice {of.kind}", at)

    def run(frame: Frame) -> Any:
        value, begin, stop = of.run(frame), start.run(frame), end.run(frame)
        if not isinstance(value, list) or not {type(begin), type(stop)} <= {int, type(None)}:
            raise FaultAt(f"cannot slice {kind_of(value)}", at)
        frame.spend(len(value), at)
        return value[begin:stop]

    return term(of.kind, run, at, of, start, end)
