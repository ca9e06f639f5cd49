"""Admission to one target: who gets a pod now, who waits, who is refused. Pure.

Knative's throttler and breaker in one. Called by the exchange for each request and by the backend
when pods change. Time and randomness come in as arguments.

    capacity    ready pods x containerConcurrency; 0 means no limit
    cold start  with no limit, the backlog is spread: each ready pod takes at most the autoscaler's
                target, so a burst does not land on the first pod that answers
    backlog     first come first served, bounded by count and by bytes held (``backlog``)
    sharing     with a limit and other activators (``sharing``), slots are given of own pods only;
                those who borrow them take turns with the backlog
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from sys import maxsize
from typing import Generic, TypeVar

from activator.backlog import Backlog, Room, Ticket, Wish
from activator.balancing import Random, make_policy
from activator.endpoints import Endpoint, State
from activator.pods import Address, Pod

T = TypeVar("T")


# How long a backlog is held back for pods that are still to come, counted from the first ready pod.
# It is the autoscaler's panic window (10 % of 60 s): by then it has seen the burst and acted, so
# whoever still waits, waits for pods that will not come (max-scale, a full machine).
SPREAD_SECONDS = 6.0


class Throttler(Generic[T]):
    """The state of one target's pods and backlog. T is whoever waits."""

    __slots__ = (
        "_may_give",
        "_pick",
        "_random",
        "_returned",
        "_slots",
        "_spread_until",
        "_taken",
        "_turns",
        "_wants",
        "backlog",
        "container_concurrency",
        "demand",
        "has_wishes",
        "own",
        "pods",
        "ready",
        "spread_target",
    )

    def __init__(self, random: Random, room: Room | None = None) -> None:
        """``room`` is shared with the other targets of an activator."""
        self._random = random
        self.backlog: Backlog[T] = Backlog(room or Room())
        self._pick = make_policy(0, random)
        # Slots of own pods that are taken, and that there are, where there is a limit. A pod with
        # more requests than it may have (its limit was another, or its owner is new) counts as
        # full, and no more.
        self._taken = 0
        self._slots = maxsize
        self._spread_until: float | None = None
        self._may_give: Callable[[Pod], bool] | None = None
        self._returned: Callable[[Pod], None] = _tell_nobody
        # Requests of others that wait for a slot of ours; whoever had a turn goes to the end.
        self._wants: dict[T, int] = {}
        self._turns = 0
        self.container_concurrency = 0
        self.spread_target = 100
        # Whether requests may rather have one pod than another (``sessions``).
        self.has_wishes = False
        self.pods: dict[Address, Pod] = {}
        self.ready: list[Pod] = []
        # Ready pods whose slots are given here: all of them, unless they are shared.
        self.own = self.ready
        # All that wait for a slot of own pods, those of others too.
        self.demand = 0

    def configure(self, container_concurrency: int, spread_target: int) -> None:
        """Take over a revision's limits; cheap when nothing changed."""
        self.spread_target = max(1, spread_target)
        if container_concurrency != self.container_concurrency:
            self.container_concurrency = container_concurrency
            self._pick = make_policy(container_concurrency, self._random)
            self._count_taken()

    @property
    def waiting(self) -> int:
        """How many requests of ours wait."""
        return len(self.backlog)

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
        return pod

    def acquire_near(self, wish: Wish) -> Pod | None:
        """The same for one that would rather have one pod; it gets another if that is full."""
        if self.demand:
            return None
        return self._take_near(wish, self.container_concurrency)

    def release(self, pod: Pod) -> None:
        """A request on this pod is over. The caller then calls ``admit`` if there is demand."""
        in_flight = pod.in_flight = pod.in_flight - 1
        if not pod.own:
            self._returned(pod)
        elif in_flight < self.container_concurrency:
            self._taken -= 1

    def enqueue(
        self, owner: T, size: int, since: float, wish: Wish | None = None
    ) -> Ticket[T] | None:
        """A place in the backlog for one that came at ``since``, or None when it is full."""
        ticket = self.backlog.add(owner, size, since, wish)
        if ticket is not None:
            self.demand += 1
        return ticket

    def put_back(self, owner: T, size: int, since: float, wish: Wish | None = None) -> Ticket[T]:
        """The same for one that had a pod and lost it before anything was sent; never None."""
        self.demand += 1
        return self.backlog.put_back(owner, size, since, wish)

    def cancel(self, ticket: Ticket[T]) -> None:
        """Leave the backlog (client gone, timeout)."""
        if ticket.live:
            self.backlog.remove(ticket)
            self.demand -= 1

    def admit(self, now: float) -> list[tuple[T, Pod]]:
        """Everybody who may go now, in order of arrival, each with its pod."""
        admitted: list[tuple[T, Pod]] = []
        while self.demand:
            limit = self._backlog_limit(now)
            # Where others borrow, who is next is not known before there is a pod.
            wish = self.backlog.wish() if self.has_wishes and not self._wants else None
            pod = self._take(limit) if wish is None else self._take_near(wish, limit)
            if pod is None:
                break
            admitted.append((self._next(), pod))
        return admitted

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
        self.demand -= 1
        return self.backlog.pop()

    def _take(self, limit: int) -> Pod | None:
        if self._taken >= self._slots:
            return None
        pod = self._pick(self.own, limit)
        if pod is None:
            return None
        pod.in_flight += 1
        self._taken += 1
        return pod

    def _take_near(self, wish: Wish, limit: int) -> Pod | None:
        pod = wish.near()
        if pod is None or not pod.own or (limit and pod.in_flight >= limit):
            return self._take(limit)
        pod.in_flight += 1
        self._taken += 1
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

    def unshare(self, now: float) -> None:
        """All ready pods are our own again."""
        self._may_give = None
        self._returned = _tell_nobody
        self._recount(now)

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
        if pod.own:
            limit = self.container_concurrency
            self._taken += min(pod.in_flight + slots, limit) - min(pod.in_flight, limit)
        pod.in_flight += slots

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
                address,
                name=endpoint.pod,
                seen_at=now,
                speaks_http2=endpoint.speaks_http2,
                tls_name=endpoint.tls_name,
                probe=endpoint.probe,
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
        self._count_taken()
        if not self.ready:
            self._spread_until = None
        elif not had:
            self._spread_until = now + SPREAD_SECONDS

    def _count_taken(self) -> None:
        limit = self.container_concurrency
        self._slots = limit * len(self.own) if limit else maxsize
        self._taken = sum(min(pod.in_flight, limit) for pod in self.own)


def _tell_nobody(pod: Pod) -> None:
    pass


def _is_over(pod: Pod, endpoints: Mapping[Address, Endpoint]) -> bool:
    endpoint = endpoints.get(pod.address)
    if endpoint is None or endpoint.state is State.TERMINATING:
        return True
    if (endpoint.speaks_http2, endpoint.tls_name) != (pod.said_http2, pod.tls_name):
        # Its connections are of no use any more.
        return True
    # The port of a pod that is gone may belong to another pod at once.
    return bool(pod.name) and bool(endpoint.pod) and endpoint.pod != pod.name
