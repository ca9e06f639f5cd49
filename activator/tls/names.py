"""Which of many things is meant by the name that a client sends with its first message. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, TypeVar

T = TypeVar("T")

ANY = "*"
"""For names that mean nothing else, and for who says no name."""


class NameMap(Generic[T]):
    """Things by host name. Never changed after it is made.

    An exact name goes before a wildcard, a longer wildcard before a shorter one, as hosts are
    routed; ``*.example.com`` stands for names of any depth below it.
    """

    __slots__ = ("_exact", "_wildcards")

    def __init__(self, things: Mapping[str, T]) -> None:
        """Take names in lower case, those of wildcards with their star."""
        self._exact = {name: thing for name, thing in things.items() if not name.startswith("*.")}
        self._wildcards = {name[2:]: each for name, each in things.items() if name[:2] == "*."}

    def find(self, name: str | None) -> T | None:
        """Return what a name means, or what is there for all others; None where nothing is."""
        name = (name or "").lower().rstrip(".")
        found = self._exact.get(name)
        while found is None and name and self._wildcards:
            _, _, name = name.partition(".")
            found = self._wildcards.get(name)
        return found if found is not None else self._exact.get(ANY)

    def __len__(self) -> int:
        return len(self._exact) + len(self._wildcards)
