"""One target that activators share: what is owned of it, who borrows, whom it is asked of. Pure."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

from activator.claims import Claim
from activator.places import Places, pod_id
from activator.pods import Pod
from activator.throttler import Throttler

Target = str
"""What a backend is called between activators."""

_WHATEVER = -1
"""In place of what somebody was told, when it is to be told again."""


class Shared(Protocol):
    """A target with a hard limit, as far as sharing goes."""

    throttler: Throttler[Any]

    def admit(self) -> None:
        """Let as many go as there are slots."""
        ...

    def wake(self) -> None:
        """Requests wait, here or elsewhere: see that there are ready pods."""
        ...


class Borrower:
    """Another activator's place in a backlog."""

    def __init__(self, give: Callable[[str, Pod], None], peer: str) -> None:
        self._give = give
        self._peer = peer
        self.given: list[int] = []
        """The numbers of slots that it had not seen when it last said how many it wants."""

    def run_on(self, pod: Pod, now: float) -> None:
        """A slot has been taken for it."""
        self._give(self._peer, pod)


@dataclass(slots=True, eq=False)
class Share:
    """The tables of one target."""

    name: Target
    target: Shared
    places: Places = field(default_factory=Places)
    claims: dict[str, Claim] = field(default_factory=dict)
    borrowers: dict[str, Borrower] = field(default_factory=dict)
    asked: dict[str, int] = field(default_factory=dict)
    """Those who own pods of it, and what they were told last of how many requests wait here."""

    @property
    def throttler(self) -> Throttler[Any]:
        """Its backlog, and the load of its pods."""
        return self.target.throttler

    def may_give(self, pod: Pod) -> bool:
        """Whether slots of a pod are given here: it is owned, and all others have been heard."""
        claim = self.claims.get(pod_id(pod))
        return claim is not None and claim.is_open

    def lose_touch(self, peer: str) -> None:
        """Another cannot be heard any more: it waits for nothing, and is told nothing."""
        self.asked.pop(peer, None)
        borrower = self.borrowers.pop(peer, None)
        if borrower is not None:
            self.throttler.want(borrower, 0)
        for claim in self.claims.values():
            claim.lose_touch(peer)
        self.places.lose_touch(peer)

    def question(self, peer: str, number: int) -> list[str]:
        """Return the pods of which another has to be asked what it has; now it is."""
        names = [name for name, claim in self.claims.items() if claim.must_ask(peer)]
        for name in names:
            self.claims[name].ask(peer, number)
        return names

    # -- what others want of us ------------------------------------------------------------------

    def want(self, borrower: Borrower, seen: int, count: int) -> None:
        """So many requests wait elsewhere, of one that has seen the slots up to a number."""
        borrower.given = [number for number in borrower.given if number > seen]
        self.throttler.want(borrower, max(0, count - len(borrower.given)))

    def lend(self, peer: str, pod: Pod, number: int) -> None:
        """One of them gets a slot."""
        self.claims[pod_id(pod)].lend(peer, number)
        self.borrowers[peer].given.append(number)

    # -- what we want of others ------------------------------------------------------------------

    def ask_only(self, owners: Iterable[str]) -> list[str]:
        """Slots are wanted of these alone; returns who is to be told that none are any more."""
        before, self.asked = self.asked, {}
        for owner in owners:
            self.asked.setdefault(owner, before.get(owner, 0))
        return [owner for owner, told in before.items() if told and owner not in self.asked]

    def ask_again(self) -> None:
        """Whatever the owners were told, they are to be told again."""
        self.asked = dict.fromkeys(self.asked, _WHATEVER)

    def wanted(self, there: Container[str]) -> list[str]:
        """Return who is to be told how many requests wait here, which counts as told."""
        waiting = self.throttler.waiting
        news = [owner for owner, told in self.asked.items() if told != waiting and owner in there]
        self.asked |= dict.fromkeys(news, waiting)
        return news

    def got(self, owner: str) -> None:
        """One of the slots that an owner was asked for has come."""
        if self.asked.get(owner, 0) > 0:
            self.asked[owner] -= 1
