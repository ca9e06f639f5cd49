"""Which of many filters an event matches, without asking all of them.

An immutable snapshot. Filters that require an exact ``type`` or ``source`` are asked only for
events that have it; the rest are asked every time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Generic, TypeVar

from eventing.filters.compiler import Attributes, Filter, Predicate

T = TypeVar("T")

_Entry = tuple[int, Predicate, T]
"""A filter's rank among all, whether an event matches it, and what it stands for."""


class FilterIndex(Generic[T]):
    """Built from (filter, value) pairs; ``match`` answers the values in the order given."""

    def __init__(self, entries: Iterable[tuple[Filter, T]]) -> None:
        tables: dict[str, dict[str, list[_Entry[T]]]] = {"type": {}, "source": {}}
        always: list[_Entry[T]] = []
        for rank, (compiled, value) in enumerate(entries):
            _bucket(compiled, tables, always).append((rank, compiled.matches, value))
        self._tables = [(name, table) for name, table in tables.items() if table]
        self._always = always

    def match(self, event: Attributes) -> list[T]:
        """Return the values of all filters that match."""
        matching = [entry for entry in self._always if entry[1](event)] if self._always else []
        for name, table in self._tables:
            for entry in table.get(event.get(name, ""), ()):
                if entry[1](event):
                    matching.append(entry)
        if len(matching) > 1:
            matching.sort(key=_rank)
        return [entry[2] for entry in matching]


def _rank(entry: tuple[int, Predicate, object]) -> int:
    return entry[0]


def _bucket(
    compiled: Filter, tables: Mapping[str, dict[str, list[_Entry[T]]]], always: list[_Entry[T]]
) -> list[_Entry[T]]:
    for name, table in tables.items():
        required = compiled.required.get(name)
        if required is not None:
            return table.setdefault(required, [])
    return always
