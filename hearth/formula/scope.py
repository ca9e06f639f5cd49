"""What names mean at a place of a formula: triggers, variables, the element that is asked about."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from hearth.formula.errors import FaultAt
from hearth.formula.predicates import Pointers
from hearth.formula.terms import FLOAT, INT, MAP, UNKNOWN, Term
from hearth.formula.tokens import Token


class Scope:
    """The names in sight. Each variable has a slot of its own in the frame."""

    def __init__(self, names: frozenset[str]) -> None:
        self._names = names
        self._variables: dict[str, Term] = {}
        self._asked: list[tuple[Pointers, str]] = []
        self.slots = 0
        self.used: set[str] = set()

    def new_slot(self) -> int:
        """Return the number of a slot that nothing else has."""
        self.slots += 1
        return self.slots - 1

    def pointers(self) -> Pointers:
        """Return slots for what a predicate sees."""
        return Pointers(self.new_slot(), self.new_slot(), self.new_slot())

    def variable(self, token: Token) -> Term:
        """Return what a name stands for; raise FaultAt."""
        name = token.text
        if name in self._variables:
            return self._variables[name]
        if name == "$env":
            self.used |= self._names
            return Term(MAP, lambda frame: frame.values, token.at)
        if name not in self._names:
            raise FaultAt(f"unknown name {name}", token.at)
        self.used.add(name)
        return Term(FLOAT, lambda frame: frame.values.get(name), token.at)

    @contextmanager
    def declared(self, name: Token, value: Term) -> Iterator[int]:
        """Have a variable in sight; yields its slot; raise FaultAt where the name is taken."""
        if name.text in self._variables or name.text in self._names:
            raise FaultAt(f"cannot redeclare variable {name.text}", name.at)
        slot = self.new_slot()
        self._variables[name.text] = Term(value.kind, lambda frame: frame.slots[slot], name.at)
        yield slot
        del self._variables[name.text]

    @property
    def in_predicate(self) -> bool:
        """Whether ``#`` means something."""
        return bool(self._asked)

    @contextmanager
    def asking(self, pointers: Pointers, element: str) -> Iterator[None]:
        """Be in a predicate, on elements of a kind."""
        self._asked.append((pointers, element))
        yield
        self._asked.pop()

    def pointer(self, name: str, at: int) -> Term:
        """Return ``#``, ``#index`` or ``#acc``; raise FaultAt."""
        places, element = self._asked[-1]
        known = {
            "": (places.element, element),
            "index": (places.index, INT),
            "acc": (places.reduced, UNKNOWN),
        }
        if name not in known:
            raise FaultAt(f"unknown pointer #{name}", at)
        slot, kind = known[name]
        return Term(kind, lambda frame: frame.slots[slot], at)
