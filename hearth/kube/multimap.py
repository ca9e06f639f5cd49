"""Several keys by text, as indexes have them. Mostly there is one, held by itself. Pure."""

from __future__ import annotations

from collections.abc import Collection
from typing import Generic, TypeVar

K = TypeVar("K", bound=tuple[str, ...])


class Multimap(Generic[K]):
    """Keys by text, each once and in the order in which they came."""

    __slots__ = ("_found",)

    def __init__(self) -> None:
        self._found: dict[str, K | dict[K, None]] = {}

    def get(self, text: str) -> Collection[K]:
        """Return the keys of a text; a view of them that must not outlast a change."""
        found = self._found.get(text, {})
        return found if isinstance(found, dict) else (found,)

    def texts(self) -> list[str]:
        """Return all texts that have keys."""
        return list(self._found)

    def add(self, text: str, key: K) -> None:
        """Add a key, if it is not there."""
        known = self._found.get(text)
        if isinstance(known, dict):
            known[key] = None
        elif known is None or known == key:
            self._found[text] = key
        else:
            self._found[text] = {known: None, key: None}

    def remove(self, text: str, key: K) -> None:
        """Remove a key, if it is there."""
        known = self._found.get(text)
        if isinstance(known, dict):
            known.pop(key, None)
        if not known or known == key:
            self._found.pop(text, None)
