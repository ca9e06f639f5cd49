"""Who is next where several want more than there is: rounds of bounded pieces. Pure.

Surplus round robin (a deficit round robin that looks at costs after and not before): whoever is
visited gets a quantum of credit times its weight, goes on while it has credit, and pays what it
has cost; what it overdrew it lacks the next time. Nobody waits longer than a round, and over many
rounds each gets its share by weight, whatever its events cost.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from typing import Generic, TypeVar

T = TypeVar("T", bound=Hashable)


class Ring(Generic[T]):
    """Of those that want something now."""

    __slots__ = ("_credit", "_is_visited", "_order", "_quantum", "_weights")

    def __init__(self, quantum: float) -> None:
        self._quantum = quantum
        self._order: deque[T] = deque()
        self._weights: dict[T, float] = {}
        self._credit: dict[T, float] = {}
        """Of whoever is in the ring; debts also of who left it."""
        self._is_visited = False
        """Whether the first one has its quantum of this round."""

    def __bool__(self) -> bool:
        """Whether anybody wants anything."""
        return bool(self._order)

    def __contains__(self, item: T) -> bool:
        """Whether somebody wants something."""
        return item in self._weights

    def enter(self, item: T, weight: float = 1.0) -> None:
        """Want something; who does already goes on with this weight."""
        if item not in self._weights:
            self._order.append(item)
            self._credit.setdefault(item, 0.0)
        self._weights[item] = weight

    def leave(self, item: T) -> None:
        """Want nothing now. Credit is forfeited, debts are not."""
        if item not in self._weights:
            return
        if self._order[0] == item:
            self._is_visited = False
        self._order.remove(item)
        del self._weights[item]
        if self._credit[item] >= 0:
            del self._credit[item]

    def forget(self, item: T) -> None:
        """Be gone, with all debts."""
        self.leave(item)
        self._credit.pop(item, None)

    def turn(self) -> tuple[T, float]:
        """Return whose turn it is, and for how much; only where somebody wants something."""
        while True:
            item = self._order[0]
            if not self._is_visited:
                self._is_visited = True
                self._credit[item] += self._quantum * self._weights[item]
            if self._credit[item] > 0:
                return item, self._credit[item]
            self._order.rotate(-1)
            self._is_visited = False

    def spend(self, item: T, cost: float) -> None:
        """Pay for what somebody got."""
        if item in self._credit:
            self._credit[item] -= cost


class Rounds(Generic[T]):
    """Rings of groups, each with a ring of its own: no group gets more by having more members."""

    def __init__(self, quantum: float) -> None:
        self._quantum = quantum
        self._groups: Ring[Hashable] = Ring(quantum)
        self._members: dict[Hashable, Ring[T]] = {}

    def __bool__(self) -> bool:
        """Whether anybody wants anything."""
        return bool(self._groups)

    def enter(self, group: Hashable, item: T, weight: float = 1.0) -> None:
        """Want something, as a member of a group. Weights count among its members."""
        members = self._members.get(group)
        if members is None:
            members = self._members[group] = Ring(self._quantum)
        members.enter(item, weight)
        self._groups.enter(group)

    def leave(self, group: Hashable, item: T) -> None:
        """Want nothing now."""
        members = self._members.get(group)
        if members is not None:
            members.leave(item)
            if not members:
                self._groups.leave(group)

    def forget(self, group: Hashable, item: T) -> None:
        """Be gone; a group goes with the last that wants something."""
        members = self._members.get(group)
        if members is not None:
            members.forget(item)
            if not members:
                self._groups.forget(group)
                del self._members[group]

    def turn(self) -> tuple[Hashable, T, float]:
        """Return whose turn it is, and for how much; only where somebody wants something."""
        group, left = self._groups.turn()
        item, credit = self._members[group].turn()
        return group, item, min(left, credit)

    def spend(self, group: Hashable, item: T, cost: float) -> None:
        """Pay for what somebody got."""
        self._groups.spend(group, cost)
        if group in self._members:
            self._members[group].spend(item, cost)
