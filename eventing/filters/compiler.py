"""From the filters of a Trigger to one predicate over an event's attributes.

The dialects of the CloudEvents Subscriptions API as Knative reads them. A filter object without a
dialect has no opinion: it neither passes nor fails anything, and neither does its negation.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eventing.filters.cesql import CesqlError, Failure, compile_expression
from eventing.filters.cesql.requirements import requirements_of
from eventing.filters.keys import Probe, Requirements, either, required

Attributes = Mapping[str, str]
Predicate = Callable[[Attributes], bool]

_NAME = re.compile(r"[a-z][a-z0-9]*")


class FilterError(ValueError):
    """A filter that cannot be served; ``path`` says which one (``filters[0].not.exact``)."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(f"{path}: {message}")
        self.path = path


@dataclass(frozen=True, slots=True)
class Filter:
    """``matches`` decides; ``requires`` holds for all that match, and finds the filter."""

    matches: Predicate
    requires: Requirements = ()


EVERYTHING = Filter(lambda _: True)
"""The filter of who wants all events."""

Dialect = Callable[[Any, str], Filter | None]
"""Compiles the value of one dialect key found at a path; None where it has no opinion."""


def compile_trigger(spec: Mapping[str, Any]) -> Filter:
    """Compile a Trigger's spec: ``filters`` where given, else ``filter.attributes``."""
    filters = spec.get("filters")
    if filters:
        return compile_filters(filters)
    attributes = (spec.get("filter") or {}).get("attributes") or {}
    return compile_attributes(attributes)


def compile_attributes(expected: Mapping[str, Any]) -> Filter:
    """Compile the older form: equal values; an empty one asks only that the attribute is there."""
    _check_names(expected, "filter.attributes")
    pairs = tuple((name, str(value)) for name, value in expected.items())
    if not pairs:
        return EVERYTHING

    def matches(event: Attributes) -> bool:
        for name, value in pairs:
            actual = event.get(name)
            if actual is None or (value and actual != value):
                return False
        return True

    return Filter(
        matches,
        _each(
            required(Probe.EXACT, name, value) if value else required(Probe.PRESENT, name)
            for name, value in pairs
        ),
    )


def compile_filters(filters: Sequence[Mapping[str, Any]], path: str = "filters") -> Filter:
    """Compile a list of filters, all of which must match."""
    return _all(filters, path) or EVERYTHING


def _one(given: Any, path: str) -> Filter | None:
    if not isinstance(given, Mapping):
        raise FilterError(path, "must be an object")
    present = [name for name, value in given.items() if _is_set(name, value)]
    if len(present) > 1:
        raise FilterError(path, "multiple dialects found, filters can have only one dialect set")
    if not present:
        return None
    compiler = DIALECTS.get(present[0])
    if compiler is None:
        raise FilterError(path, f'the dialect "{present[0]}" is not supported')
    return compiler(given[present[0]], f"{path}.{present[0]}")


def _is_set(name: str, value: Any) -> bool:
    """``not: {}`` is set; any other empty map, list or text is not, as in Knative's types."""
    return value is not None if name == "not" else bool(value)


def _nested(given: Any, path: str) -> list[Filter]:
    if not isinstance(given, Sequence) or isinstance(given, str):
        raise FilterError(path, "must be a list of filters")
    compiled = (_one(one, f"{path}[{number}]") for number, one in enumerate(given))
    return [one for one in compiled if one is not None]


def _all(given: Any, path: str) -> Filter | None:
    parts = _nested(given, path)
    if len(parts) < 2:
        return parts[0] if parts else None
    predicates = tuple(part.matches for part in parts)

    def matches(event: Attributes) -> bool:
        for predicate in predicates:  # noqa: SIM110 - a generator per event costs more
            if not predicate(event):
                return False
        return True

    return Filter(matches, _each(part.requires for part in parts))


def _each(parts: Iterable[Requirements]) -> Requirements:
    """All that several parts require."""
    return tuple(requirement for part in parts for requirement in part)


def _any(given: Any, path: str) -> Filter | None:
    parts = _nested(given, path)
    if len(parts) < 2:
        return parts[0] if parts else None
    predicates = tuple(part.matches for part in parts)

    def matches(event: Attributes) -> bool:
        for predicate in predicates:  # noqa: SIM110 - a generator per event costs more
            if predicate(event):
                return True
        return False

    return Filter(matches, either(part.requires for part in parts))


def _not(given: Any, path: str) -> Filter | None:
    inner = _one(given, path)
    if inner is None:
        return None
    predicate = inner.matches
    return Filter(lambda event: not predicate(event))


def _check_names(expected: Any, path: str) -> None:
    if not isinstance(expected, Mapping):
        raise FilterError(path, "must be a map of attributes to values")
    for name in expected:
        if _NAME.fullmatch(name) is None:
            raise FilterError(f"{path}[{name}]", f'invalid attribute name "{name}"')


def _pairs(expected: Any, path: str) -> tuple[tuple[str, str], ...]:
    _check_names(expected, path)
    for name, value in expected.items():
        if not isinstance(value, str) or not value:
            raise FilterError(f"{path}[{name}]", "the value must be a string that is not empty")
    return tuple(expected.items())


def _exact(expected: Any, path: str) -> Filter | None:
    pairs = _pairs(expected, path)
    requires = _each(required(Probe.EXACT, name, value) for name, value in pairs)
    if len(pairs) == 1:
        name, value = pairs[0]
        return Filter(lambda event: event.get(name) == value, requires)

    def matches(event: Attributes) -> bool:
        for name, value in pairs:  # noqa: SIM110 - a generator per event costs more
            if event.get(name) != value:
                return False
        return True

    return Filter(matches, requires) if pairs else None


def _prefix(expected: Any, path: str) -> Filter | None:
    return _affix(_pairs(expected, path), str.startswith, Probe.PREFIX)


def _suffix(expected: Any, path: str) -> Filter | None:
    return _affix(_pairs(expected, path), str.endswith, Probe.SUFFIX)


def _affix(
    pairs: tuple[tuple[str, str], ...], compare: Callable[[str, str], bool], probe: Probe
) -> Filter | None:
    def matches(event: Attributes) -> bool:
        for name, value in pairs:
            actual = event.get(name)
            if actual is None or not compare(actual, value):
                return False
        return True

    requires = _each(required(probe, name, value) for name, value in pairs)
    return Filter(matches, requires) if pairs else None


def _cesql(given: Any, path: str) -> Filter:
    """What is not the Boolean true, an error for one, is no match."""
    if not isinstance(given, str):
        raise FilterError(path, "must be an expression")
    try:
        expression = compile_expression(given)
    except CesqlError as error:
        raise FilterError(path, str(error)) from None
    run = expression.run

    def matches(event: Attributes) -> bool:
        try:
            return run(event) is True
        except Failure:
            return False

    return Filter(matches, requirements_of(expression.root))


DIALECTS: dict[str, Dialect] = {
    "exact": _exact,
    "prefix": _prefix,
    "suffix": _suffix,
    "all": _all,
    "any": _any,
    "not": _not,
    "cesql": _cesql,
}
"""By key. A further dialect is one more entry."""
