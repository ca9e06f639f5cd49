"""Which of many filters an event matches, without asking all of them.

An immutable snapshot. Filters that require an exact ``type`` or ``source`` are asked only for
events that have it; the rest are asked every time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Generic, TypeVar

from eventing.filters.compiler import Attributes, Filter, Predicate

T = TypeVar("T")


class FilterIndex(Generic[T]):
    """Built from (filter, value) pairs; ``match`` answers the values in the order given."""

    def __init__(self, entries: Iterable[tuple[Filter, T]]) -> None:
        by_type: dict[str, list[tuple[int, Predicate, T]]] = {}
        by_source: dict[str, list[tuple[int, Predicate, T]]] = {}
        always: list[tuple[int, Predicate, T]] = []
        for rank, (compiled, value) in enumerate(entries):
            entry = (rank, compiled.matches, value)
            _bucket(compiled, by_type, by_source, always).append(entry)
        self._by_type: Mapping[str, list[tuple[int, Predicate, T]]] = by_type
        self._by_source: Mapping[str, list[tuple[int, Predicate, T]]] = by_source
        self._always = always

    def match(self, event: Attributes) -> list[T]:
        """Return the values of all filters that match."""
        matching = [entry for entry in self._always if entry[1](event)]
        for table, name in ((self._by_type, "type"), (self._by_source, "source")):
            bucket = table.get(event.get(name, ""))
            if bucket:
                matching += [entry for entry in bucket if entry[1](event)]
        if len(matching) > 1:
            matching.sort(key=_rank)
        return [entry[2] for entry in matching]


def _rank(entry: tuple[int, Predicate, object]) -> int:
    return entry[0]


def _bucket(
    compiled: Filter,
    by_type: dict[str, list[tuple[int, Predicate, T]]],
    by_source: dict[str, list[tuple[int, Predicate, T]]],
    always: list[tuple[int, Predicate, T]],
) -> list[tuple[int, Predicate, T]]:
    for name, table in (("type", by_type), ("source", by_source)):
        required = compiled.required.get(name)
        if required is not None:
            return table.setdefault(required, [])
    return always
