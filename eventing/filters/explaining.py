"""Why an event does not match a filter: the clause that decides it, and what the event has. Pure.

Asked now and then, of one event: the hot path asks compiled predicates (``compiler``), which say no
more than yes or no. Both read the same filters alike; a test holds them against each other.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eventing.filters.cesql import parse
from eventing.filters.cesql.explaining import why_not

Attributes = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Explanation:
    """Whether an event matches and, where it does not, by which clause."""

    matches: bool
    clause: str = ""
    """The path of the clause that fails (``filters[0].any[1].cesql``); empty where all match."""
    reason: str = ""
    """What the clause wants and what the event has instead."""


_MATCH = Explanation(True)


def explain(spec: Mapping[str, Any], event: Attributes) -> Explanation:
    """Explain a Trigger's spec, one that ``compile_trigger`` takes."""
    filters = spec.get("filters")
    if filters:
        return _all(filters, "filters", event) or _MATCH
    expected = (spec.get("filter") or {}).get("attributes") or {}
    for name, value in expected.items():
        actual = event.get(name)
        if actual is None or (value and actual != str(value)):
            wanted = f'wants "{value}"' if value else "has to be there"
            return _miss(f"filter.attributes[{name}]", wanted, event, name)
    return _MATCH


def _miss(path: str, wanted: str, event: Attributes, name: str) -> Explanation:
    actual = event.get(name)
    has = f'the event has no attribute "{name}"' if actual is None else f'the event has "{actual}"'
    return Explanation(False, path, f"{wanted}, {has}")


def _one(given: Mapping[str, Any], path: str, event: Attributes) -> Explanation | None:
    """None where the filter has no opinion."""
    for dialect, value in given.items():
        if value or (dialect == "not" and value is not None):
            return _DIALECTS[dialect](value, f"{path}.{dialect}", event)
    return None


def _each(given: Sequence[Any], path: str, event: Attributes) -> list[Explanation]:
    found = (_one(one, f"{path}[{number}]", event) for number, one in enumerate(given))
    return [one for one in found if one is not None]


def _all(given: Sequence[Any], path: str, event: Attributes) -> Explanation | None:
    found = _each(given, path, event)
    if not found:
        return None
    return next((one for one in found if not one.matches), _MATCH)


def _any(given: Sequence[Any], path: str, event: Attributes) -> Explanation | None:
    found = _each(given, path, event)
    if not found or any(one.matches for one in found):
        return _MATCH if found else None
    if len(found) == 1:
        return found[0]
    reasons = "; ".join(f"{one.clause.removeprefix(path)}: {one.reason}" for one in found)
    return Explanation(False, path, f"none of them matches: {reasons}")


def _not(given: Mapping[str, Any], path: str, event: Attributes) -> Explanation | None:
    inner = _one(given, path, event)
    if inner is None or not inner.matches:
        return _MATCH if inner is not None else None
    return Explanation(False, path, "what it excludes matches")


def _compared(
    wants: str, agrees: Callable[[str, str], bool]
) -> Callable[[Any, str, Attributes], Explanation | None]:
    def explained(expected: Mapping[str, str], path: str, event: Attributes) -> Explanation:
        for name, value in expected.items():
            actual = event.get(name)
            if actual is None or not agrees(actual, value):
                return _miss(f"{path}[{name}]", f'{wants} "{value}"', event, name)
        return _MATCH

    return explained


def _cesql(given: str, path: str, event: Attributes) -> Explanation:
    reason = why_not(parse(given), event)
    return Explanation(False, path, reason) if reason else _MATCH


_DIALECTS: Mapping[str, Callable[[Any, str, Attributes], Explanation | None]] = {
    "exact": _compared("wants", operator.eq),
    "prefix": _compared("wants the beginning", str.startswith),
    "suffix": _compared("wants the end", str.endswith),
    "all": _all,
    "any": _any,
    "not": _not,
    "cesql": _cesql,
}
