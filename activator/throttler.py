"""Admission to one target: who gets a pod now, who waits, who is refused. Pure.

Knative's throttler and breaker in one. Called by the exchange for each request and by the backend
when pods change. Time and randomness come in as arguments.

    capacity    ready pods x containerConcurrency; 0 means no limit
    cold start  with no limit, the backlog is spread: each ready pod takes at most the autoscaler's
                target, so a burst does not land on the first pod that answers
    backlog     first come first served, bounded by count and by bytes held
    sharing     with a limit and other activators (``sharing``), slots are given of own pods only;
                those who borrow them take turns with the backlog
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from activator.balancing import Random, make_policy
from activator.endpoints import Endpoint, State
from activator.pods import Address, Pod

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class BacklogLimits:
    """Bounds of one target's backlog."""

    # Knative's breakerQueueDepth.
    requests: int = 10_000
    # Heads and the first part of bodies; the rest stays with the client.
    octets: int = 256 * 1024 * 1024


DEFAULT_LIMITS = BacklogLimits()

# How long a backlog is held back for pods that are still to come, counted from the first ready pod.
# It is the autoscaler's panic window (10 % of 60 s): by then it has seen the burst and acted, so
# whoever still waits, waits for pods that will not come (max-scale, a full machine).
SPREAD_SECONDS = 6.0


class Ticket(Generic[T]):
    """A place in the backlog."""

    __slots__ = ("live", "owner", "size")

    def __init__(self, owner: T, size: int) -> None:
        self.owner = owner
        self.size = size
        self.live = True


class Throttler(Generic[T]):
    """The state of one target's pods and backlog. T is whoever waits."""

    __slots__ = (
        "_backlog",
        "_busy",
        "_limits",
        "_may_give",
        "_pick",
        "_random",
        "_returned",
        "_spread_until",
        "_turns",
        "_wants",
        "container_concurrency",
        "demand",
        "held_octets",
        "own",
        "pods",
        "ready",
        "spread_target",
        "waiting",
    )

    def __init__(self, random: Random, limits: BacklogLimits = DEFAULT_LIMITS) -> None:
        self._random = random
        self._limits = limits
        self._backlog: deque[Ticket[T]] = deque()
        self._pick = make_policy(0, random)
        self._busy = 0
        self._spread_until: float | None = None
        self._may_give: Callable[[Pod], bool] | None = None
        self._returned: Callable[[Pod], None] = lambda pod: None
        # Requests of others that wait for a slot of ours; whoever had a turn goes to the end.
        self._wants: dict[T, int] = {}
        self._turns = 0
        self.container_concurrency = 0
        self.spread_target = 100
        self.pods: dict[Address, Pod] = {}
        self.ready: list[Pod] = []
        # Ready pods whose slots are given here: all of them, unless they are shared.
        self.own = self.ready
        self.waiting = 0
        # All that wait for a slot of own pods, those of others too.
        self.demand = 0
        self.held_octets = 0

    def configure(self, container_concurrency: int, spread_target: int) -> None:
        """Take over a revision's limits; cheap when nothing changed."""
        self.spread_target = max(1, spread_target)
        if container_concurrency != self.container_concurrency:
            self.container_concurrency = container_concurrency
            self._pick = make_policy(container_concurrency, self._random)

    @property
    def capacity(self) -> int:
        """How many requests at once the ready pods take; 0 where nothing limits them."""
        return self.container_concurrency * len(self.ready)

    # -- requests -----------------------------------------------------------------------------

    def acquire(self) -> Pod | None:
        """A pod for a request that has just come, or None: it has to wait behind the others."""
        if self.demand:
            return None
        own, limit = self.own, self.container_concurrency
        if limit or len(own) != 1:
            return self._take(limit)
        pod = own[0]
        pod.in_flight += 1
        self._busy += 1
        return pod

    def release(self, pod: Pod) -> None:
        """A request on this pod is over. The caller then calls ``admit`` if there is demand."""
        pod.in_flight -= 1
        if pod.own:
            self._busy -= 1
        else:
            self._returned(pod)

    def enqueue(self, owner: T, size: int, *, first: bool = False) -> Ticket[T] | None:
        """A place in the backlog, or None when it is full.

        ``first`` is for one that already had a pod and lost it before anything was sent.
        """
        if self.waiting >= self._limits.requests or (
            self.held_octets + size > self._limits.octets and not first
        ):
            return None
        ticket = Ticket(owner, size)
        if first:
            self._backlog.appendleft(ticket)
        else:
            self._backlog.append(ticket)
        self.waiting += 1
        self.demand += 1
        self.held_octets += size
        return ticket

    def grow(self, ticket: Ticket[T], size: int) -> bool:
        """More bytes of a waiting request; False when the backlog holds too much already."""
        if not ticket.live:
            return True
        if self.held_octets + size > self._limits.octets:
            return False
        ticket.size += size
        self.held_octets += size
        return True

    def cancel(self, ticket: Ticket[T]) -> None:
        """Leave the backlog (client gone, timeout). The dead place is passed over later."""
        if ticket.live:
            self._forget(ticket)

    def admit(self, now: float) -> list[tuple[T, Pod]]:
        """Everybody who may go now, in order of arrival, each with its pod."""
        admitted: list[tuple[T, Pod]] = []
        while self.demand:
            pod = self._take(self._backlog_limit(now))
            if pod is None:
                break
            admitted.append((self._next(), pod))
        return admitted

    def waiters(self) -> list[T]:
        """Everybody in the backlog, in order of arrival; they stay in it."""
        return [ticket.owner for ticket in self._backlog if ticket.live]

    def spread_ends_in(self, now: float) -> float | None:
        """Seconds until a backlog held back is let go; None when none is held for pods to come."""
        if not self.waiting or self.container_concurrency or self._spread_until is None:
            return None
        return max(0.0, self._spread_until - now)

    def _next(self) -> T:
        """Whoever is next; there is demand. The backlog takes turns with each who borrows."""
        if self.waiting and (not self._wants or self._turns <= 0):
            self._turns = len(self._wants)
            return self._pop()
        self._turns -= 1
        owner = next(iter(self._wants))
        self.want(owner, self._wants[owner] - 1)
        return owner

    def _pop(self) -> T:
        """The first in the backlog, which is not empty."""
        while not (ticket := self._backlog.popleft()).live:
            pass
        self._forget(ticket)
        return ticket.owner

    def _forget(self, ticket: Ticket[T]) -> None:
        ticket.live = False
        self.waiting -= 1
        self.demand -= 1
        self.held_octets -= ticket.size

    def _take(self, limit: int) -> Pod | None:
        own = self.own
        if limit and self._busy >= limit * len(own):
            return None
        pod = own[0] if len(own) == 1 else self._pick(own, limit)
        if pod is None:
            return None
        pod.in_flight += 1
        self._busy += 1
        return pod

    def _backlog_limit(self, now: float) -> int:
        if self.container_concurrency:
            return self.container_concurrency
        until = self._spread_until
        return self.spread_target if until is not None and now < until else 0

    # -- sharing with other activators --------------------------------------------------------

    def share(self, may_give: Callable[[Pod], bool], returned: Callable[[Pod], None]) -> None:
        """``may_give`` tells own pods; ``returned`` hears of slots of other pods that are free."""
        self._may_give = may_give
        self._returned = returned

    def reshare(self, now: float) -> None:
        """Other pods may be our own."""
        self._recount(now)

    def want(self, borrower: T, count: int) -> None:
        """So many requests of another wait for a slot of ours; replaces what it said before."""
        self.demand += count - self._wants.pop(borrower, 0)
        if count:
            self._wants[borrower] = count

    def borrow(self, pod: Pod) -> T | None:
        """Give a borrowed slot to the first in the backlog; None when nobody needs it."""
        if not self.waiting:
            return None
        pod.in_flight += 1
        return self._pop()

    def count(self, pod: Pod, slots: int) -> None:
        """So many more slots of a pod are taken by others, or fewer."""
        pod.in_flight += slots
        if pod.own:
            self._busy += slots

    # -- pods ---------------------------------------------------------------------------------

    def update(self, endpoints: Mapping[Address, Endpoint], now: float) -> list[Pod]:
        """Take over what the EndpointSlices say; returns pods that are to be used no more."""
        dropped = [pod for address, pod in self.pods.items() if _is_over(pod, endpoints)]
        for pod in dropped:
            pod.gone = True
            del self.pods[pod.address]
        for address, endpoint in endpoints.items():
            if endpoint.state is not State.TERMINATING:
                self._note(address, endpoint, now)
        self._recount(now)
        return dropped

    def _note(self, address: Address, endpoint: Endpoint, now: float) -> None:
        pod = self.pods.get(address)
        if pod is None:
            pod = self.pods[address] = Pod(
                address, name=endpoint.pod, seen_at=now, speaks_http2=endpoint.speaks_http2
            )
        if endpoint.state is State.READY:
            pod.was_ready = True
            pod.probed = True
        elif pod.was_ready:
            # Was ready and is not any more: the kubelet has the word.
            pod.was_ready = pod.probed = False

    def mark_reached(self, pod: Pod, now: float) -> None:
        """Our own probe succeeded."""
        pod.suspect = False
        pod.probed = True
        self._recount(now)

    def mark_refused(self, pod: Pod, now: float) -> None:
        """A connection to the pod failed: nothing more goes there until a probe has reached it."""
        pod.suspect = True
        self._recount(now)

    def busy_pods(self) -> dict[str, int]:
        """Our requests in flight by pod, where there are some; where there is a choice of pods."""
        if len(self.pods) < 2:
            return {}
        busy = {pod.name: pod.in_flight - pod.lent for pod in self.pods.values()}
        return {pod: requests for pod, requests in busy.items() if requests}

    def unreached(self) -> list[Pod]:
        """Pods that a probe might turn into ready ones."""
        return [pod for pod in self.pods.values() if not pod.ready]

    def _recount(self, now: float) -> None:
        had = bool(self.ready)
        for pod in self.ready:
            pod.own = False
            if pod.gone:
                pod.ready = False
        for pod in self.pods.values():
            pod.ready = pod.probed and not pod.suspect
        self.own = self.ready = [pod for pod in self.pods.values() if pod.ready]
        if self._may_give is not None:
            self.own = [pod for pod in self.ready if self._may_give(pod)]
        for pod in self.own:
            pod.own = True
        self._busy = sum(pod.in_flight for pod in self.own)
        if not self.ready:
            self._spread_until = None
        elif not had:
            self._spread_until = now + SPREAD_SECONDS


def _is_over(pod: Pod, endpoints: Mapping[Address, Endpoint]) -> bool:
    endpoint = endpoints.get(pod.address)
    if endpoint is None or endpoint.state is State.TERMINATING:
        return True
    if endpoint.speaks_http2 != pod.said_http2:
        # Its connections are of no use any more.
        return True
    # The port of a pod that is gone may belong to another pod at once.
    return bool(pod.name) and bool(endpoint.pod) and endpoint.pod != pod.name
