"""How activators share the pods of targets with a hard limit, so that it holds for all. Pure.

Theory of operation:

* Every pod has one owner (``members``). The owner alone counts its slots. It gives them to its own
  requests and, when another asks, to those of others, who send straight to the pod: asking costs a
  message each way and no hop.
* Who becomes owner of a pod claims it (``claims``): it asks all others how many requests they have
  there, and gives no slot before all have answered. One answers when it, too, takes the asker for
  the owner, and uses from then on only slots that this one gives.
* What is told is a state that replaces the last one, not a change: how many requests wait, and how
  many there are in a pod. It is told again whenever it is not what the owner was told last,
  whoever was taken for the owner in between. So what the owner counts becomes true however
  activators learn of each other, and no slot is lost.
* What an activator says to another stays in order, and the first thing it says is that it is there.
  So of two that know each other no more than one takes itself for the owner of a pod, and a claim
  is never answered by somebody who would go on taking slots on its own.
* One that cannot be heard keeps what it has until it is heard again or known to be gone. One that
  is gone may have left requests behind, whose connections are closed, but whose ends nobody sees:
  what it owned or had borrowed stays taken for ``HAUNTED_SECONDS``.

One that is alone owns everything, asks nobody, and sends nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

from activator.claims import Claim
from activator.members import HAUNTED_SECONDS, Members
from activator.places import Held, Places, pod_id
from activator.pods import Pod
from activator.shares import Borrower, Share, Shared, Target

Message = list[Any]
"""Its first word says what it is; see ``Sharing.receive``."""


@dataclass(frozen=True, slots=True)
class _Ghosts:
    """Requests of one that is gone, which count as if they were ours until their ends are sure."""

    until: float
    share: Share
    pod: Pod
    slots: int


class Sharing:
    """One activator's part. ``send`` gives a message to another that is there, in order.

    ``soon`` is called when there is something to ``flush``; a turn of the loop later is early
    enough.
    """

    def __init__(
        self, me: str, send: Callable[[str, Message], None], soon: Callable[[], None]
    ) -> None:
        self.members = Members(me)
        self._send = send
        self._soon = soon
        self._shares: dict[Target, Share] = {}
        self._ghosts: list[_Ghosts] = []
        self._asking: dict[Share, None] = {}
        self._untold: dict[Share, None] = {}
        self._number = 0
        self._seen: dict[str, int] = {}
        """The last number that each of the others has said."""

    # -- who is there --------------------------------------------------------------------------

    def joined(self, peer: str, greeting: Iterable[str], now: float) -> None:
        """An activator is there. It knows of us before it hears anything that follows from this."""
        self.lost(peer, now)
        # What only this one could tell of pods, others may have to tell as well.
        others = [name for name in greeting if name != self.members.me and name not in self.members]
        for claim in self._claims():
            if claim.awaits(peer):
                claim.wait_for(others)
                for other in others:
                    self.members.suspect(other, now)
        self.members.join(peer)
        if self.members.is_leaving:
            self._send(peer, ["leaving"])
        self.look_at_all(now)

    def lost(self, peer: str, now: float) -> None:
        """An activator that was there cannot be heard any more."""
        if peer in self.members:
            self.members.lose(peer, now)
            self._seen.pop(peer, None)
            for share in self._shares.values():
                share.lose_touch(peer)
            self.look_at_all(now)

    def absolve(self, peer: str, now: float) -> None:
        """One that might be there is not, or not any more."""
        if peer in self.members.unknown:
            self.members.bury(peer, now)
            for share in self._shares.values():
                self._bury(share, peer, now + HAUNTED_SECONDS)
            self.look_at_all(now)

    def leave(self, now: float) -> None:
        """Own nothing any more; what is under way here, and waits, goes on."""
        self.members.leave(self.members.me)
        for peer in self.members.there:
            self._send(peer, ["leaving"])
        self.look_at_all(now)

    def _claims(self) -> Iterable[Claim]:
        return (claim for share in self._shares.values() for claim in share.claims.values())

    def _bury(self, share: Share, peer: str, until: float) -> None:
        for claim in share.claims.values():
            slots, is_all = claim.bury(peer)
            share.throttler.count(claim.pod, -slots)
            left = slots if is_all else share.throttler.container_concurrency
            self._haunt(share, claim.pod, left, until)

    def _haunt(self, share: Share, pod: Pod, slots: int, until: float) -> None:
        if slots:
            share.throttler.count(pod, slots)
            self._ghosts.append(_Ghosts(until, share, pod, slots))

    # -- what is owned -------------------------------------------------------------------------

    def look(self, target: Target, shared: Shared, now: float) -> None:
        """Pods of a target have changed."""
        share = self._shares.get(target)
        if share is None:
            share = self._shares[target] = Share(target, shared)
            shared.throttler.share(share.may_give, partial(self._note_return, share))
        self._look(share, now)

    def look_at_all(self, now: float) -> None:
        """Who owns what may have changed."""
        for share in self._shares.values():
            self._look(share, now)

    def forget(self, target: Target) -> None:
        """A target is no more."""
        share = self._shares.pop(target, None)
        if share is not None:
            self._ask_only(share, [])
            self._asking.pop(share, None)
            self._lay([ghosts for ghosts in self._ghosts if ghosts.share is share])
            self._tell(target, share.places.update({}))

    def unshare(self, target: Target, now: float) -> None:
        """A target has no limit any more: everybody gives all of its pods."""
        share = self._shares.get(target)
        if share is not None:
            self.forget(target)
            for claim in share.claims.values():
                share.throttler.count(claim.pod, -claim.end())
            for borrower in share.borrowers.values():
                share.throttler.want(borrower, 0)
            share.throttler.unshare(now)
            share.target.admit()

    def _look(self, share: Share, now: float) -> None:
        """Own what is ours, ask who has to be asked, and let go who may go."""
        pods = {pod_id(pod): pod for pod in share.throttler.pods.values()}
        owners = {name: self.members.owner(name) for name in pods}
        self._tell(share.name, share.places.update(pods))
        for name in [name for name in share.claims if owners.get(name) != self.members.me]:
            claim = share.claims.pop(name)
            share.throttler.count(claim.pod, -claim.end())
        for name, pod in pods.items():
            if owners[name] == self.members.me and name not in share.claims:
                self._claim(share, name, pod, now)
        self._ask_only(share, (owner for owner in owners.values() if owner != self.members.me))
        self._question(share)
        share.throttler.reshare(now)
        share.target.admit()
        self._ask_soon(share)
        share.places.touch_all()
        self._tell_soon(share)

    def _claim(self, share: Share, name: str, pod: Pod, now: float) -> None:
        share.claims[name] = Claim(pod, self.members.unknown)
        # Who is gone may have had as many requests there as it takes, as owner or borrower.
        until = self.members.haunted_until(now)
        if until > now:
            self._haunt(share, pod, share.throttler.container_concurrency, until)

    def _ask_only(self, share: Share, owners: Iterable[str]) -> None:
        for owner in share.ask_only(owners):
            self._want(owner, share, 0)

    def _question(self, share: Share) -> None:
        """Ask what others have in pods that are owned here."""
        for peer in self.members.there:
            pods = share.question(peer, self._number + 1)
            if pods:
                self._number += 1
                self._send(peer, ["claim", share.name, self._number, pods])

    # -- time ----------------------------------------------------------------------------------

    def next_at(self) -> float | None:
        """Return when ``tick`` has something to do."""
        return min((ghosts.until for ghosts in self._ghosts), default=None)

    def tick(self, now: float) -> None:
        """What somebody left behind is over."""
        over = [ghosts for ghosts in self._ghosts if ghosts.until <= now]
        self._lay(over)
        for share in dict.fromkeys(ghosts.share for ghosts in over):
            share.target.admit()
            self._tell_soon(share)

    def _lay(self, over: list[_Ghosts]) -> None:
        for ghosts in over:
            self._ghosts.remove(ghosts)
            ghosts.share.throttler.count(ghosts.pod, -ghosts.slots)
            ghosts.share.places.touch([pod_id(ghosts.pod)])

    # -- what is told --------------------------------------------------------------------------

    def ask(self, target: Target) -> None:
        """Requests wait for a slot here, or wait no more: the owners of its pods are told soon."""
        share = self._shares.get(target)
        if share is not None:
            self._ask_soon(share)

    def remind(self) -> None:
        """Ask again where requests wait: an owner may not have known the target, or a pod."""
        for share in self._shares.values():
            if share.throttler.waiting:
                share.ask_again()
                self._ask_soon(share)

    def flush(self) -> None:
        """Tell owners what is under way in their pods and what waits for them, if it is news.

        In this order: a slot that came back because its pod refused it is not given again.
        """
        untold, self._untold = self._untold, {}
        for share in untold:
            self._tell(share.name, share.places.news(self.members.owner))
        asking, self._asking = self._asking, {}
        for share in asking:
            for owner in share.wanted(self.members):
                self._want(owner, share, share.throttler.waiting)

    def _ask_soon(self, share: Share) -> None:
        self._asking[share] = None
        self._soon()

    def _tell_soon(self, share: Share) -> None:
        self._untold[share] = None
        self._soon()

    def _note_return(self, share: Share, pod: Pod) -> None:
        share.places.touch([pod_id(pod)])
        self._tell_soon(share)

    def _want(self, owner: str, share: Share, count: int) -> None:
        self._send(owner, ["want", share.name, self._seen.get(owner, 0), count])

    def _tell(self, target: Target, held: dict[str, Held]) -> None:
        for owner, pods in held.items():
            self._send(owner, ["held", target, self._seen[owner], pods])

    def _give(self, share: Share, peer: str, pod: Pod) -> None:
        self._number += 1
        share.lend(peer, pod, self._number)
        self._send(peer, ["grant", share.name, self._number, pod_id(pod)])

    # -- what others say -----------------------------------------------------------------------

    def receive(self, peer: str, message: Message, now: float) -> None:
        """Take what another says; raises ValueError or TypeError when it cannot be understood."""
        match message:
            case ["claim", str(target), int(number), list(pods)]:
                self._claimed(peer, target, number, pods)
            case ["held", str(target), int(seen), dict(held)]:
                self._heard(peer, target, seen, held, now)
            case ["want", str(target), int(seen), int(count)]:
                self._wanted(peer, target, seen, count)
            case ["grant", str(target), int(number), str(name)]:
                self._granted(peer, target, number, name, now)
            case ["leaving"]:
                self.members.leave(peer)
                self.look_at_all(now)
            case _:
                raise ValueError(f"no message between activators: {message!r:.100}")

    def _claimed(self, peer: str, target: Target, number: int, pods: list[str]) -> None:
        share = self._spoken_of(peer, target, number, pods)
        if share is not None:
            share.places.touch(pods)
            self._tell_soon(share)

    def _granted(self, peer: str, target: Target, number: int, name: str, now: float) -> None:
        share = self._spoken_of(peer, target, number, [name])
        if share is None:
            return
        share.got(peer)
        if not self._use(share, peer, name, now):
            share.places.touch([name])
            self._tell_soon(share)

    def _spoken_of(self, peer: str, target: Target, number: int, pods: list[str]) -> Share | None:
        self._seen[peer] = number
        share = self._shares.get(target)
        unknown = (share.places if share is not None else Places()).spoken_of(peer, pods)
        if unknown:
            self._tell(target, {peer: unknown})
        return share

    def _use(self, share: Share, lender: str, name: str, now: float) -> bool:
        """Let the first in the backlog go with a borrowed slot, if that can be used."""
        pod = share.places.find(name)
        if pod is None or pod.gone or pod.suspect or self.members.owner(name) != lender:
            return False
        waiting = share.throttler.borrow(pod)
        if waiting is None:
            return False
        waiting.run_on(pod, now)
        return True

    def _wanted(self, peer: str, target: Target, seen: int, count: int) -> None:
        share = self._shares.get(target)
        if share is None:
            return
        borrower = share.borrowers.get(peer)
        if borrower is None:
            borrower = share.borrowers[peer] = Borrower(partial(self._give, share), peer)
        share.want(borrower, seen, count)
        share.target.admit()
        share.target.wake()

    def _heard(
        self, peer: str, target: Target, seen: int, held: dict[str, Any], now: float
    ) -> None:
        share = self._shares.get(target)
        if share is None:
            return
        has_opened = is_refused = False
        for name, (requests, refused) in held.items():
            claim = share.claims.get(name)
            if claim is None:
                continue
            was_open = claim.is_open
            share.throttler.count(claim.pod, claim.hear(peer, seen, max(0, int(requests))))
            has_opened |= claim.is_open != was_open
            if refused:
                share.throttler.mark_refused(claim.pod, now)
                is_refused = True
        if has_opened:
            share.throttler.reshare(now)
        share.target.admit()
        if is_refused:
            share.target.wake()
