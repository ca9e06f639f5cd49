"""Which keys this process works on: all of them, or those whose bucket's Lease it holds.

``ALONE`` is for a process that has no second: it leads, and writes nothing. ``Elected`` takes part
in one election for each bucket, with what ``election`` decides: a watch tells of a Lease that was
released or taken, so nobody asks, and only holders write. The manager runs it.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

from hearth.kube.buckets import Buckets
from hearth.kube.cache import WatchCache
from hearth.kube.client import KubeClient
from hearth.kube.clock import Clock, wall_clock
from hearth.kube.election import Candidate, Timing, holder_of
from hearth.kube.errors import AlreadyExists, ApiError, Conflict, NotFound
from hearth.kube.guards import caught, keep_running
from hearth.kube.holders import Holders
from hearth.kube.meta import Key, Object, key_text, resource_version
from hearth.kube.resources import LEASES
from hearth.observability.metrics import LEADING
from hearth.timeouts import time_limit

log = logging.getLogger(__name__)

_RELEASE_SECONDS = 2.0
"""For how long an orderly end waits for the API server."""


class Leadership(Protocol):
    """Who works on what."""

    def leads(self, key: Key) -> bool:
        """Whether this process may act on a key now. To be asked right before it does."""
        ...

    def on_change(self, callback: Callable[[], None]) -> None:
        """Call back whenever keys have come or gone."""
        ...

    async def run(self) -> None:
        """Keep what is led, until cancelled."""
        ...

    async def release(self) -> None:
        """Let others lead at once: nothing is worked on here any more."""
        ...


class Alone(Leadership):
    """One process, which leads."""

    def leads(self, key: Key) -> bool:
        """Everything is led."""
        return True

    def on_change(self, callback: Callable[[], None]) -> None:
        """Nothing ever changes."""

    async def run(self) -> None:
        """Nothing is to be kept."""

    async def release(self) -> None:
        """Nobody else is there."""


ALONE = Alone()


class Elected(Leadership):
    """One of several processes, each of which leads some of the buckets."""

    def __init__(
        self,
        client: KubeClient,
        *,
        namespace: str,
        buckets: Sequence[str],
        identity: str,
        timing: Timing,
        holders: Holders | None = None,
        clock: Clock = time.monotonic,
        wall: Clock = wall_clock,
        roll: Callable[[], float] = random.random,
    ) -> None:
        """``buckets`` are the names of the Leases.

        ``holders`` tells of pods that are no more; an identity begins with its pod's name and "_".
        """
        self.identity = identity
        self._holders = holders
        if holders is not None:
            holders.on_end(self._pod_ended)
        self._client = client
        self._buckets = Buckets(buckets)
        self._clock = clock
        self._wall = wall
        self._roll = roll
        self._bids = {
            name: _Bid(Candidate((namespace, name), identity, timing))
            for name in self._buckets.names
        }
        self._cache = WatchCache(client, LEASES, namespace=namespace)
        self._cache.on_change(self._lease_changed)
        self._callbacks: list[Callable[[], None]] = []

    def leads(self, key: Key) -> bool:
        """Whether the Lease of the key's bucket is surely held."""
        bid = self._bids[self._buckets.owner("/".join(key))]
        return bid.candidate.leads(self._clock())

    def on_change(self, callback: Callable[[], None]) -> None:
        """Call back whenever a bucket was won or lost."""
        self._callbacks.append(callback)

    async def run(self) -> None:
        """Stand for every bucket until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._cache.run(), name="watch-leases")
            await self._cache.synced()
            if self._holders is not None:
                group.create_task(self._holders.run(), name="watch-candidates")
            for name, bid in self._bids.items():
                stand = partial(self._stand, bid)
                group.create_task(keep_running(f"election-{name}", stand), name=f"election-{name}")

    async def release(self) -> None:
        """Give up what is held, so that the next one need not wait for it to expire."""
        try:
            async with time_limit(_RELEASE_SECONDS):
                await asyncio.gather(*(self._give_up(bid) for bid in self._bids.values()))
        except (ApiError, TimeoutError) as error:
            log.warning("leadership not released, it expires", extra={"error": str(error)})

    def _lease_changed(self, old: Object | None, new: Object | None) -> None:
        obj = new or old
        assert obj is not None
        bid = self._bids.get(obj["metadata"]["name"])
        if bid is not None:
            bid.candidate.observe(new, self._clock())
            self._note(bid)
            bid.woken.set()

    async def _stand(self, bid: _Bid) -> None:
        """Act when it is due, or when the Lease has changed."""
        while True:
            candidate = bid.candidate
            if candidate.rival and bid.is_doubtful:
                bid.is_doubtful = False
                await self._look_for(candidate, candidate.rival)
            now = self._clock()
            due = candidate.due(now, self._roll())
            if due <= now:
                await self._act(bid)
            else:
                bid.woken.clear()
                # A lost Lease is noted when it is lost, though nothing is to be done about it.
                until = min(due, candidate.leads_until) if candidate.leads(now) else due
                await _woken(bid.woken, until - now)
            self._note(bid)

    def _pod_ended(self, pod: str) -> None:
        for bid in self._bids.values():
            if _pod_of(bid.candidate.rival) == pod:
                bid.is_doubtful = True
                bid.woken.set()

    async def _look_for(self, candidate: Candidate, rival: str) -> None:
        """One that was there before this process, or whose pod has ended, may be no more."""
        if self._holders is not None and await self._holders.is_gone(_pod_of(rival)):
            log.info("holder of a lease is gone", extra={"lease": key_text(candidate.lease)})
            candidate.miss(rival)

    async def _act(self, bid: _Bid) -> None:
        candidate, started = bid.candidate, self._clock()
        lease = candidate.attempt(started, self._wall())
        if lease is None:
            return
        limit = candidate.leads_until - started if candidate.leads(started) else None
        try:
            async with time_limit(limit):
                written = await self._write(lease)
        except (Conflict, AlreadyExists, NotFound):
            await self._look_again(bid)
        except (ApiError, TimeoutError) as error:
            candidate.failed(self._clock())
            facts = {"lease": key_text(candidate.lease), "error": str(error)}
            log.warning("lease not written", extra=facts)
        else:
            candidate.wrote(written, started, self._clock())
            self._cache.put(written)

    async def _look_again(self, bid: _Bid) -> None:
        """The Lease is not as the watch has told: another was first, or the watch is late."""
        candidate = bid.candidate
        namespace, name = candidate.lease
        candidate.failed(self._clock())
        try:
            async with time_limit(_RELEASE_SECONDS):
                lease = await self._client.get(LEASES, name, namespace)
        except NotFound:
            candidate.observe(None, self._clock())
        except (ApiError, TimeoutError):
            return
        else:
            candidate.observe(lease, self._clock())

    async def _write(self, lease: Object) -> Object:
        if resource_version(lease):
            return await self._client.update(LEASES, lease)
        return await self._client.create(LEASES, lease)

    async def _give_up(self, bid: _Bid) -> None:
        lease = bid.candidate.release(self._clock(), self._wall())
        self._note(bid)
        if lease is None:
            return
        try:
            await self._write(lease)
        except Conflict:
            # A renewal was under way when this process was told to end.
            namespace, name = bid.candidate.lease
            stored = await self._client.get(LEASES, name, namespace)
            if holder_of(stored) == self.identity:
                await self._write({**stored, "spec": lease["spec"]})

    def _note(self, bid: _Bid) -> None:
        """Tell of a bucket that was won or lost since the last look."""
        leads = bid.candidate.leads(self._clock())
        if leads == bid.was_leading:
            return
        bid.was_leading = leads
        LEADING.labels(lease=bid.candidate.lease[1]).set(leads)
        facts = {"lease": key_text(bid.candidate.lease), "identity": self.identity}
        log.info("leading" if leads else "not leading any more", extra=facts)
        for callback in self._callbacks:
            try:
                callback()
            except Exception:
                caught("leadership")


class _Bid:
    """One candidate, and what its task waits for."""

    __slots__ = ("candidate", "is_doubtful", "was_leading", "woken")

    def __init__(self, candidate: Candidate) -> None:
        self.candidate = candidate
        self.was_leading = False
        self.is_doubtful = True
        """Whether who holds the Lease may be gone: of the first one seen that is not known."""
        self.woken = asyncio.Event()


def _pod_of(identity: str) -> str:
    return identity.partition("_")[0]


async def _woken(event: asyncio.Event, seconds: float) -> None:
    try:
        async with time_limit(seconds):
            await event.wait()
    except TimeoutError:
        return
