"""How activators share the pods of targets with a hard limit, so that it holds for all. Pure.

Theory of operation:

* Every pod has one owner among the activators, by rendezvous hashing: the one whose hash with the
  pod is the highest. When one comes or goes, only pods that it takes or leaves behind move.
* The owner alone counts a pod's slots. It gives them to its own requests and, when another asks, to
  those of others, who send straight to the pod: asking costs a message each way and no hop.
* Who becomes owner of a pod ``claim``s it: it asks all others how many requests they have there,
  and gives no slot before all have answered. Whoever has answered uses no slot there from then on
  but those that the new owner gives, and tells it of every one that comes free.
* What an activator says to another stays in order, and the first thing it says is that it is there.
  So of two that know each other no more than one takes itself for the owner of a pod, and a claim
  is never answered by somebody who would go on taking slots on its own.
* One that is gone without a word may have left requests behind, whose connections are closed, but
  whose ends nobody sees: what it owned or had borrowed stays taken for ``HAUNTED_SECONDS``.
* How many requests wait is told as a number that replaces the last one; a slot that comes too late
  is given back.

One that is alone owns everything, asks nobody, and sends nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from hashlib import blake2b
from typing import Any, Protocol

from activator.pods import Pod
from activator.throttler import Throttler

HAUNTED_SECONDS = 1.0
"""Applications see within this time that a caller is gone, and end what they do for it."""

_REMEMBERED = 10_000
"""Pods whose owner is kept in mind."""

Target = str
"""What a backend is called between activators."""
Message = list[Any]
"""Its first word says what it is; see ``Sharing.receive``."""


def pod_id(pod: Pod) -> str:
    """Return what a pod is called between activators; an address alone may be another's by now."""
    return f"{pod.name}@{pod.address[0]}:{pod.address[1]}"


def score(activator: str, pod: str) -> int:
    """Return how strongly an activator is drawn to a pod."""
    return int.from_bytes(blake2b(f"{activator} {pod}".encode(), digest_size=8).digest())


def owner_of(pod: str, activators: Iterable[str]) -> str:
    """Return the activator that owns a pod."""
    return max(activators, key=lambda activator: (score(activator, pod), activator))


class Shared(Protocol):
    """A target with a hard limit, as far as sharing goes."""

    throttler: Throttler[Any]

    def admit(self) -> None:
        """Let as many go as there are slots."""
        ...

    def wake(self) -> None:
        """Requests wait, here or elsewhere: see that there are ready pods."""
        ...


@dataclass(slots=True)
class _Claim:
    """A pod that is owned here."""

    pod: Pod
    unheard: dict[str, int]
    """Activators that have not said yet what they have there, and in which claim they are asked."""
    lent: dict[str, int] = field(default_factory=dict)
    """Slots that others have; they are counted in the pod's ``in_flight``."""


class _Borrower:
    """Another activator's place in a backlog."""

    def __init__(self, give: Callable[[Pod], None]) -> None:
        self._give = give

    def run_on(self, pod: Pod, now: float) -> None:
        """A slot has been taken for it."""
        self._give(pod)


@dataclass(slots=True)
class _Share:
    """One target: what is owned of it, who borrows, and whom it was asked of."""

    name: Target
    target: Shared
    pods: dict[str, Pod] = field(default_factory=dict)
    """The pods there are, and those that have gone with requests of ours."""
    claims: dict[str, _Claim] = field(default_factory=dict)
    borrowers: dict[str, _Borrower] = field(default_factory=dict)
    lenders: set[str] = field(default_factory=set)
    """Who owns those of its pods that are not owned here."""
    asked: dict[str, int] = field(default_factory=dict)
    """What each owner was told last of how many requests wait here."""
    unanswered: dict[str, dict[str, int]] = field(default_factory=dict)
    """Claims, by pod, of activators that own it as far as they know, but not as far as we do."""
    returned: list[Pod] = field(default_factory=list)
    """The pods of slots that have come free, to be told to their lenders soon."""


@dataclass(frozen=True, slots=True)
class _Ghosts:
    """Slots of one that is gone, which count for a while."""

    until: float
    share: _Share
    pod: Pod
    slots: int


class Sharing:
    """One activator's part. ``send`` gives a message to another, in order.

    ``soon`` is called when there is something to ``flush``; a turn of the loop later is early
    enough.
    """

    def __init__(
        self, me: str, send: Callable[[str, Message], None], soon: Callable[[], None]
    ) -> None:
        self.me = me
        self._send = send
        self._soon = soon
        self._members: dict[str, bool] = {}
        """The others that are there, and whether they stay or are leaving."""
        self._unknown: set[str] = set()
        self._is_leaving = False
        self._shares: dict[Target, _Share] = {}
        self._owners: dict[str, str] = {}
        self._gone: dict[str, float] = {}
        """Until when requests of activators that are gone may be under way."""
        self._ghosts: list[_Ghosts] = []
        self._dirty: list[_Share] = []
        self._serial = 0

    # -- who is there --------------------------------------------------------------------------

    @property
    def unknown(self) -> frozenset[str]:
        """Others that may be there and may have requests in pods."""
        return frozenset(self._unknown)

    @property
    def members(self) -> int:
        """How many others are there."""
        return len(self._members)

    def suspect(self, peer: str) -> None:
        """An activator may be there that has not been reached yet."""
        if peer != self.me and peer not in self._members:
            self._unknown.add(peer)

    def absolve(self, peer: str, now: float) -> None:
        """Nobody is there after all, or not any more."""
        if peer in self._unknown:
            self._unknown.discard(peer)
            self._let_go(peer, now)

    def greeting(self, now: float) -> list[str]:
        """Return whom one that has just come has to know of: they may have requests in pods."""
        gone = [peer for peer, until in self._gone.items() if until > now]
        return [*self._members, *self._unknown, *gone]

    def joined(self, peer: str, greeting: Iterable[str], now: float) -> None:
        """An activator is there. It knows of us before it hears anything that follows from this."""
        self._hear_of(peer, {*greeting} - {self.me, *self._members})
        self._unknown.discard(peer)
        self._members[peer] = True
        self._gone.pop(peer, None)
        self._owners.clear()
        if self._is_leaving:
            self._send(peer, ["leaving"])
        for target, share in self._shares.items():
            # It has come back perhaps, and has requests there.
            self._claim(share, peer, self._look(target, share, now))
        self._settle_all(now)

    def _hear_of(self, peer: str, others: set[str]) -> None:
        """What only this one could tell of pods, others may have to tell as well."""
        for share in self._shares.values():
            for claim in share.claims.values():
                if peer in claim.unheard:
                    claim.unheard = dict.fromkeys(others, 0) | claim.unheard
                    self._unknown |= others

    def left(self, peer: str, now: float) -> None:
        """An activator is gone, whatever it had under way."""
        if peer in self._members:
            del self._members[peer]
            self._owners.clear()
            self._let_go(peer, now)

    def leave(self, now: float) -> None:
        """Own nothing any more; what is under way here, and waits, goes on."""
        self._is_leaving = True
        for peer in self._members:
            self._send(peer, ["leaving"])
        self._owners.clear()
        self.look_at_all(now)

    def _let_go(self, peer: str, now: float) -> None:
        self._gone[peer] = now + HAUNTED_SECONDS
        for target, share in self._shares.items():
            self._forget_peer(share, peer, now + HAUNTED_SECONDS)
            self._look(target, share, now)
        self._settle_all(now)

    def _forget_peer(self, share: _Share, peer: str, haunted_until: float) -> None:
        throttler = share.target.throttler
        share.asked.pop(peer, None)
        borrower = share.borrowers.pop(peer, None)
        if borrower is not None:
            throttler.want(borrower, 0)
        for claim in share.claims.values():
            slots = claim.lent.pop(peer, 0)
            claim.pod.in_flight -= slots
            if peer in claim.unheard:
                del claim.unheard[peer]
                slots = throttler.container_concurrency
            self._haunt(share, claim.pod, slots, haunted_until)
        for claimers in share.unanswered.values():
            claimers.pop(peer, None)
        for known in share.pods.values():
            if known.lender == peer:
                known.lender = ""

    def _haunt(self, share: _Share, pod: Pod, slots: int, until: float) -> None:
        """Count slots of one that is gone, as if they were ours, until their ends are sure."""
        if slots:
            pod.in_flight += slots
            self._ghosts.append(_Ghosts(until, share, pod, slots))

    def _owner(self, pod: str) -> str:
        owner = self._owners.get(pod)
        if owner is None:
            if len(self._owners) >= _REMEMBERED:
                self._owners.clear()
            staying = [peer for peer, stays in self._members.items() if stays]
            if not self._is_leaving:
                staying.append(self.me)
            owner = self._owners[pod] = owner_of(pod, staying or [*self._members, self.me])
        return owner

    # -- what is owned -------------------------------------------------------------------------

    def look(self, target: Target, shared: Shared, now: float) -> None:
        """Pods of a target have changed."""
        share = self._shares.get(target)
        if share is None:
            share = self._shares[target] = _Share(target, shared)
            shared.throttler.share(partial(_may_give, share), partial(self._note_return, share))
        self._look(target, share, now)
        self._settle(share, now)

    def look_at_all(self, now: float) -> None:
        """Who owns what may have changed."""
        for target, share in self._shares.items():
            self._look(target, share, now)
        self._settle_all(now)

    def forget(self, target: Target) -> None:
        """A target is no more."""
        self._shares.pop(target, None)

    def _look(self, target: Target, share: _Share, now: float) -> list[str]:
        """Claim pods that are owned here since just now; returns those that were before."""
        pods = {pod_id(pod): pod for pod in share.target.throttler.pods.values()}
        share.pods = {name: pod for name, pod in share.pods.items() if pod.in_flight} | pods
        for lost in [p for p in share.claims if p not in pods or self._owner(p) != self.me]:
            self._lose(share, lost)
        share.lenders = {self._owner(pod) for pod in pods} - {self.me}
        kept = list(share.claims)
        fresh = [p for p in pods if p not in share.claims and self._owner(p) == self.me]
        for pod in fresh:
            pods[pod].lender = ""
            share.claims[pod] = _Claim(pods[pod], dict.fromkeys(self._unknown, 0))
            # Who is gone may have had as many requests there as it takes, as owner or borrower.
            until = max(self._gone.values(), default=now)
            if until > now:
                self._haunt(share, pods[pod], share.target.throttler.container_concurrency, until)
        for peer in self._members:
            self._claim(share, peer, fresh)
        for pod in list(share.unanswered):
            self._answer(share, pod)
        return kept

    def _claim(self, share: _Share, peer: str, pods: list[str]) -> None:
        """Ask what another has in pods that are owned here."""
        if pods:
            self._serial += 1
            for pod in pods:
                share.claims[pod].unheard[peer] = self._serial
            self._send(peer, ["claim", share.name, self._serial, pods])

    def _lose(self, share: _Share, pod: str) -> None:
        """Somebody else counts from now on: what others have is theirs to tell."""
        claim = share.claims.pop(pod)
        claim.pod.in_flight -= sum(claim.lent.values())
        claim.pod.lender = ""

    def _settle_all(self, now: float) -> None:
        for share in self._shares.values():
            self._settle(share, now)

    def _settle(self, share: _Share, now: float) -> None:
        """Give slots of what is owned by now, and ask for others."""
        share.target.throttler.reshare(now)
        share.target.admit()
        self._ask(share)

    # -- time ----------------------------------------------------------------------------------

    def next_at(self) -> float | None:
        """Return when ``tick`` has something to do."""
        return min((ghosts.until for ghosts in self._ghosts), default=None)

    def tick(self, now: float) -> None:
        """What somebody left behind is over."""
        self._gone = {peer: until for peer, until in self._gone.items() if until > now}
        over = [ghosts for ghosts in self._ghosts if ghosts.until <= now]
        self._ghosts = [ghosts for ghosts in self._ghosts if ghosts.until > now]
        for ghosts in over:
            for _ in range(ghosts.slots):
                ghosts.share.target.throttler.release(ghosts.pod)
        self._settle_all(now)

    # -- slots ---------------------------------------------------------------------------------

    def ask(self, target: Target) -> None:
        """Tell the owners of a target's pods how many requests wait for a slot here."""
        share = self._shares.get(target)
        if share is not None:
            self._ask(share)

    def remind(self) -> None:
        """Ask again where requests wait: an owner may not have known the target, or a pod."""
        for share in self._shares.values():
            if share.target.throttler.waiting:
                share.asked.clear()
                self._ask(share)

    def _ask(self, share: _Share) -> None:
        for owner in share.lenders | share.asked.keys():
            waiting = share.target.throttler.waiting if owner in share.lenders else 0
            if share.asked.get(owner, 0) != waiting and owner in self._members:
                share.asked[owner] = waiting
                self._send(owner, ["want", share.name, waiting])

    def flush(self) -> None:
        """Tell lenders of what has come free."""
        dirty, self._dirty = self._dirty, []
        for share in dirty:
            returned, share.returned = share.returned, []
            for pod in dict.fromkeys(returned):
                if pod.lender in self._members:
                    message = [share.name, pod_id(pod), returned.count(pod), pod.suspect]
                    self._send(pod.lender, ["return", *message])

    def _note_return(self, share: _Share, pod: Pod) -> None:
        if not share.returned:
            self._dirty.append(share)
        share.returned.append(pod)
        self._soon()

    def _give(self, share: _Share, peer: str, pod: Pod) -> None:
        claim = share.claims[pod_id(pod)]
        claim.lent[peer] = claim.lent.get(peer, 0) + 1
        self._send(peer, ["grant", share.name, pod_id(pod)])

    # -- what others say -----------------------------------------------------------------------

    def receive(self, peer: str, message: Message, now: float) -> None:
        """Take what another says; raises ValueError or TypeError when it cannot be understood."""
        match message:
            case ["claim", str(target), int(serial), list(pods)]:
                self._claimed(peer, target, serial, pods)
            case ["held", str(target), int(serial), dict(held)]:
                self._heard(peer, target, serial, held, now=now)
            case ["want", str(target), int(count)]:
                self._wanted(peer, target, count)
            case ["grant", str(target), str(pod)]:
                self._granted(peer, target, pod, now)
            case ["return", str(target), str(pod), int(count), bool(is_refused)]:
                self._got_back(peer, target, pod, count, is_refused=is_refused, now=now)
            case ["leaving"]:
                self._members[peer] = False
                self._owners.clear()
                self.look_at_all(now)
            case _:
                raise ValueError(f"no message between activators: {message!r:.100}")

    def _claimed(self, peer: str, target: Target, serial: int, pods: list[str]) -> None:
        share = self._shares.get(target)
        known = share.pods if share is not None else {}
        unknown = [pod for pod in pods if pod not in known]
        if unknown:
            self._send(peer, ["held", target, serial, dict.fromkeys(unknown, 0)])
        for pod in pods:
            if share is not None and pod in known:
                share.unanswered.setdefault(pod, {})[peer] = serial
                self._answer(share, pod)

    def _answer(self, share: _Share, name: str) -> None:
        """Tell a new owner what is under way here, which it counts from now on.

        One that is not the owner as far as we know is about to learn that, or we are.
        """
        owner = self._owner(name)
        serial = share.unanswered[name].pop(owner, None)
        if not share.unanswered[name]:
            del share.unanswered[name]
        if serial is not None:
            pod = share.pods.get(name)
            if pod is not None:
                pod.lender = owner
                share.returned = [other for other in share.returned if other is not pod]
            in_flight = pod.in_flight if pod is not None else 0
            self._send(owner, ["held", share.name, serial, {name: in_flight}])

    def _heard(
        self, peer: str, target: Target, serial: int, held: dict[str, int], *, now: float
    ) -> None:
        share = self._shares.get(target)
        if share is None:
            return
        for pod, count in held.items():
            claim = share.claims.get(pod)
            if claim is not None and claim.unheard.get(peer) == serial:
                del claim.unheard[peer]
                claim.lent[peer] = int(count)
                claim.pod.in_flight += int(count)
        self._settle(share, now)

    def _wanted(self, peer: str, target: Target, count: int) -> None:
        share = self._shares.get(target)
        if share is None:
            return
        borrower = share.borrowers.get(peer)
        if borrower is None:
            borrower = _Borrower(partial(self._give, share, peer))
            share.borrowers[peer] = borrower
        share.target.throttler.want(borrower, max(0, count))
        share.target.admit()
        share.target.wake()

    def _granted(self, peer: str, target: Target, name: str, now: float) -> None:
        share = self._shares.get(target)
        if share is None or not self._use(share, peer, name, now):
            self._send(peer, ["return", target, name, 1, False])

    def _use(self, share: _Share, lender: str, name: str, now: float) -> bool:
        """Let the first in the backlog go with a borrowed slot, if that can be used."""
        throttler = share.target.throttler
        share.asked[lender] = max(0, share.asked.get(lender, 0) - 1)
        pod = share.pods.get(name)
        if pod is None or pod.gone or pod.suspect or self._owner(name) != lender:
            return False
        waiting = throttler.borrow(pod, lender)
        if waiting is None:
            return False
        waiting.run_on(pod, now)
        return True

    def _got_back(
        self, peer: str, target: Target, name: str, count: int, *, is_refused: bool, now: float
    ) -> None:
        share = self._shares.get(target)
        claim = share.claims.get(name) if share is not None else None
        if share is None or claim is None or peer in claim.unheard:
            return
        slots = min(count, claim.lent.get(peer, 0))
        claim.lent[peer] = claim.lent.get(peer, 0) - slots
        for _ in range(slots):
            share.target.throttler.release(claim.pod)
        if is_refused:
            share.target.throttler.mark_refused(claim.pod, now)
        share.target.admit()
        if is_refused:
            share.target.wake()


def _may_give(share: _Share, pod: Pod) -> bool:
    """Whether slots of a pod are given here: it is owned, and all others have been heard."""
    claim = share.claims.get(pod_id(pod))
    return claim is not None and not claim.unheard
