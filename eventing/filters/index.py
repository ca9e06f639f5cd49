"""Which of many filters an event matches, without asking all of them.

An immutable snapshot. Each filter is filed under keys that every match has, those that the fewest
other filters have too; an event looks up its own keys and asks only what it finds. A filter of
which nothing is known in advance (``not``, say) is asked every time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Generic, TypeVar

from eventing.filters.cesql.values import integer_of
from eventing.filters.compiler import Attributes, Filter, Predicate
from eventing.filters.keys import Key, Probe, Requirement, vagueness

T = TypeVar("T")

_Entry = tuple[int, Predicate, T]
"""A filter's rank among all, whether an event matches it, and what it stands for."""

_Bucket = list[_Entry[T]]
_Lookup = Callable[[str], Iterable[_Bucket[T]]]
"""Buckets that the value of an attribute finds."""


class FilterIndex(Generic[T]):
    """Built from (filter, value) pairs; ``match`` answers the values in the order given."""

    def __init__(self, entries: Iterable[tuple[Filter, T]]) -> None:
        given = list(entries)
        often = Counter(key for one, _ in given for each in one.requires for key in each)
        buckets: dict[Key, _Bucket[T]] = {}
        self._always: _Bucket[T] = []
        self._may_repeat = False
        """Whether an event may find a filter by more than one key."""
        for rank, (compiled, value) in enumerate(given):
            entry = rank, compiled.matches, value
            if not compiled.requires:
                self._always.append(entry)
                continue
            keys = min(compiled.requires, key=lambda each: _cost(each, often))
            self._may_repeat |= len(keys) > 1
            for key in keys:
                buckets.setdefault(key, []).append(entry)
        self._tables = _tables(buckets)

    def match(self, event: Attributes) -> list[T]:
        """Return the values of all filters that match."""
        matching = [entry for entry in self._always if entry[1](event)] if self._always else []
        tables = self._tables
        names: Iterable[str] = tables if len(tables) <= len(event) else tables.keys() & event.keys()
        for name in names:
            value = event.get(name)
            if value is None:
                continue
            exact, others = tables[name]
            for entry in exact.get(value, ()):
                if entry[1](event):
                    matching.append(entry)
            for lookup in others:
                for bucket in lookup(value):
                    matching += [entry for entry in bucket if entry[1](event)]
        if len(matching) > 1:
            matching.sort(key=_rank)
            if self._may_repeat:
                matching = list({entry[0]: entry for entry in matching}.values())
        return [entry[2] for entry in matching]


def _rank(entry: tuple[int, Predicate, object]) -> int:
    return entry[0]


def _cost(requirement: Requirement, often: Mapping[Key, int]) -> tuple[int, tuple[int, int]]:
    """How many filters are asked where this one is, and then how little its keys say."""
    return sum(often[key] for key in requirement), vagueness(requirement)


_Table = tuple[dict[str, _Bucket[T]], Sequence[_Lookup[T]]]
"""Buckets by the exact value of one attribute, and other ways to find some."""


def _tables(buckets: Mapping[Key, _Bucket[T]]) -> dict[str, _Table[T]]:
    sorted_out: dict[str, dict[Probe, dict[str | int, _Bucket[T]]]] = {}
    for (probe, attribute, value), bucket in buckets.items():
        by_probe = sorted_out.setdefault(attribute, {})
        by_probe.setdefault(probe, {})[value] = bucket
    return {
        attribute: (
            {str(value): bucket for value, bucket in by_probe.pop(Probe.EXACT, {}).items()},
            tuple(_LOOKUPS[probe](found) for probe, found in by_probe.items()),
        )
        for attribute, by_probe in sorted_out.items()
    }


def _by_integer(found: Mapping[str | int, _Bucket[T]]) -> _Lookup[T]:
    def lookup(value: str) -> Iterable[_Bucket[T]]:
        number = integer_of(value)
        bucket = found.get(number) if number is not None else None
        return () if bucket is None else (bucket,)

    return lookup


def _by_part(found: Mapping[str | int, _Bucket[T]], part: Callable[[str, int], str]) -> _Lookup[T]:
    """Look up the parts of a value that are as long as any that is filed."""
    lengths = sorted({len(str(each)) for each in found})

    def lookup(value: str) -> Iterable[_Bucket[T]]:
        longest = len(value)
        parts = [part(value, length) for length in lengths if length <= longest]
        return [found[each] for each in parts if each in found]

    return lookup


def _by_prefix(found: Mapping[str | int, _Bucket[T]]) -> _Lookup[T]:
    return _by_part(found, lambda value, length: value[:length])


def _by_suffix(found: Mapping[str | int, _Bucket[T]]) -> _Lookup[T]:
    return _by_part(found, lambda value, length: value[len(value) - length :])


def _by_presence(found: Mapping[str | int, _Bucket[T]]) -> _Lookup[T]:
    buckets = tuple(found.values())
    return lambda value: buckets


_LOOKUPS = {
    Probe.INTEGER: _by_integer,
    Probe.PREFIX: _by_prefix,
    Probe.SUFFIX: _by_suffix,
    Probe.PRESENT: _by_presence,
}
