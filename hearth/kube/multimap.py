"""Several keys by a value, as indexes have them. Mostly there is one, held by itself. Pure."""

from __future__ import annotations

from collections.abc import Collection, Hashable
from typing import Generic, TypeVar

V = TypeVar("V", bound=Hashable)
K = TypeVar("K", bound=tuple[object, ...])


class Multimap(Generic[V, K]):
    """Keys by value, each once and in the order in which they came."""

    __slots__ = ("_found",)

    def __init__(self) -> None:
        self._found: dict[V, K | dict[K, None]] = {}

    def get(self, value: V) -> Collection[K]:
        """Return the keys of a value; a view of them that must not outlast a change."""
        found = self._found.get(value, {})
        return found if isinstance(found, dict) else (found,)

    def values(self) -> list[V]:
        """Return all values that have keys."""
        return list(self._found)

    def add(self, value: V, key: K) -> None:
        """Add a key, if it is not there."""
        known = self._found.get(value)
        if isinstance(known, dict):
            known[key] = None
        elif known is None:
            self._found[value] = key
        elif known != key:
            self._found[value] = {known: None, key: None}

    def remove(self, value: V, key: K) -> None:
        """Remove a key, if it is there."""
        known = self._found.get(value)
        if isinstance(known, dict):
            known.pop(key, None)
        if not known or known == key:
            self._found.pop(value, None)
