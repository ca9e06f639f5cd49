"""What the owner of a pod knows of the slots that other activators have there. Pure.

The owner numbers whatever it says of a pod; another reports how many requests it has there, and the
last number that it has heard. So a report stands for all before it, and slots that were given while
it was on its way are known by their numbers.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from activator.pods import Pod


@dataclass(slots=True)
class _Loan:
    """What one other activator has."""

    asked: int = 0
    """The number of the question what it has; 0 until it is there to be asked."""
    is_heard: bool = False
    held: int = 0
    given: list[int] = field(default_factory=list)
    """The numbers of slots that it had not seen when it last reported."""

    @property
    def slots(self) -> int:
        return self.held + len(self.given)


class Claim:
    """A pod that is owned here. What others have of it is its ``lent``."""

    __slots__ = ("_loans", "pod")

    def __init__(self, pod: Pod, awaited: Iterable[str]) -> None:
        """No slot is given before those ``awaited`` have been heard, or are known to be gone."""
        self.pod = pod
        self._loans = {peer: _Loan() for peer in awaited}

    @property
    def is_open(self) -> bool:
        """Whether slots may be given: all have been heard."""
        return all(loan.is_heard for loan in self._loans.values())

    def awaits(self, peer: str) -> bool:
        """Whether one has to be heard first."""
        return peer in self._loans and not self._loans[peer].is_heard

    def wait_for(self, peers: Iterable[str]) -> None:
        """Others may have requests there, too."""
        for peer in peers:
            self._loans.setdefault(peer, _Loan())

    def must_ask(self, peer: str) -> bool:
        """Whether one that is there has not been asked since it came."""
        return peer not in self._loans or not self._loans[peer].asked

    def ask(self, peer: str, number: int) -> None:
        """It is asked what it has: no slot is given before it has answered."""
        loan = self._loans.setdefault(peer, _Loan())
        loan.asked, loan.is_heard = number, False

    def hear(self, peer: str, number: int, held: int) -> int:
        """It has seen all up to a number and reports what it has; returns how much more that is."""
        loan = self._loans.get(peer)
        if loan is None or not 0 < loan.asked <= number:
            return 0  # It speaks of an earlier claim.
        before = loan.slots
        loan.is_heard, loan.held = True, held
        loan.given = [given for given in loan.given if given > number]
        self.pod.lent += loan.slots - before
        return loan.slots - before

    def lend(self, peer: str, number: int) -> None:
        """Another is given a slot."""
        self._loans[peer].given.append(number)
        self.pod.lent += 1

    def lose_touch(self, peer: str) -> None:
        """What it has it may go on to have; it is to be asked when it is there again."""
        if peer in self._loans:
            self._loans[peer].asked = 0

    def bury(self, peer: str) -> tuple[int, bool]:
        """One is gone; returns how many slots it had, and whether that is all that it had."""
        loan = self._loans.pop(peer, None)
        if loan is None:
            return 0, True
        self.pod.lent -= loan.slots
        return loan.slots, loan.is_heard

    def end(self) -> int:
        """Somebody else counts from now on; returns what others have, which is theirs to tell."""
        lent, self.pod.lent = self.pod.lent, 0
        return lent
