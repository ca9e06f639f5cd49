"""The addressables that are open in this process, each with its log.

Who follows objects (``brokers``, ``channels``) says which logs there should be; the logs of all of
them are kept here: opened, replaced when an object was made anew under its name, saved, and removed
when nobody owns them any more.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence, Set
from dataclasses import dataclass
from time import monotonic
from typing import Any

from eventing.engines.classes import Engines
from eventing.engines.seam import Engine, EventLog, Unavailable
from eventing.runtime.addressable import Addressable
from eventing.runtime.diskquota import LogUse, Verdict, verdict_of
from eventing.runtime.journeys.keeper import Journeys, LogJourneys
from eventing.runtime.metrics import BrokerMetrics
from eventing.runtime.moving import Moves
from eventing.runtime.places import Place, place_by_host
from eventing.runtime.quota import Quota
from eventing.runtime.services import Services
from hearth.kube.guards import caught

log = logging.getLogger(__name__)

_DRAIN_POLL_SECONDS = 0.01


@dataclass(frozen=True, slots=True)
class _Open:
    """An open addressable, and whose log it is."""

    log_key: str
    engine_class: str
    engine: Engine
    addressable: Addressable
    journeys: LogJourneys


class OpenLogs:
    """Where ``dispatches`` is False, logs are opened for appending only, and never removed."""

    def __init__(
        self,
        engines: Engines,
        *,
        services: Services,
        metrics: BrokerMetrics,
        journeys: Journeys,
        dispatches: bool,
        checkpoint_seconds: float,
        alone: bool = True,
        grace_seconds: float = 0.0,
    ) -> None:
        """``alone``: it is ingress and dispatcher at once, has all engines, and moves logs."""
        self.dispatches = dispatches
        self.moves = Moves(engines, self.release) if alone else None
        self._grace_seconds = grace_seconds
        self._engines = engines
        self._services = services
        self._metrics = metrics
        self._journeys = journeys
        self._observed = True
        self._event_rate = 0.0
        self._quotas: dict[str, Quota] = {}
        self._checkpoint_seconds = checkpoint_seconds
        self._open: dict[Place, _Open] = {}
        self._problems: dict[Place, str] = {}
        self.problem_listeners: list[Callable[[Place], None]] = []
        """Called when a log has another problem than before, or none any more."""
        self._by_host: dict[Place, Place] = {}
        """Places that hosts name otherwise, by what hosts say."""

    def find(self, place: Place) -> Addressable | None:
        """Return what is open there; its own ``place`` may have a longer name."""
        opened = self._open.get(place)
        if opened is None and place in self._by_host:
            opened = self._open.get(self._by_host[place])
        return opened.addressable if opened is not None else None

    def _log_of(self, place: Place) -> EventLog | None:
        found = self.find(place)
        return found.log if found is not None else None

    def journeys(self, place: Place) -> LogJourneys | None:
        """Return the journeys of the events of what is open there."""
        opened = self._open.get(place)
        return opened.journeys if opened is not None else None

    def observe(self, *, observed: bool) -> None:
        """Keep the journeys of events from now on, or keep none."""
        self._observed = observed
        for opened in self._open.values():
            opened.addressable.observe(opened.journeys.recorder if observed else None)

    def limit(self, event_rate: float) -> None:
        """Let each namespace send so many events a second from now on; 0 for any number."""
        if event_rate == self._event_rate:
            return
        self._event_rate = event_rate
        self._quotas.clear()
        for place, opened in self._open.items():
            opened.addressable.quota = self._quota_of(place)

    def _quota_of(self, place: Place) -> Quota | None:
        if not self._event_rate:
            return None
        known = self._quotas.get(place.namespace)
        if known is None:
            known = self._quotas[place.namespace] = Quota(self._event_rate, monotonic())
        return known

    def use(self) -> list[LogUse]:
        """Return what logs take on disk."""
        found = []
        for place, opened in self._open.items():
            stats = opened.addressable.log.stats()
            spare = stats.size_bytes - stats.needed_bytes
            found.append(LogUse(place.namespace, stats.needed_bytes, spare))
        return found

    def journey_sizes(self) -> Counter[str]:
        """Return what journeys take, by namespace. Blocking."""
        found: Counter[str] = Counter()
        for place, opened in list(self._open.items()):
            found[place.namespace] += opened.journeys.size()
        return found

    def judge(self, verdicts: Mapping[str, Verdict]) -> None:
        """Hold namespaces to what their events may take on disk."""
        for place, opened in self._open.items():
            verdict = verdict_of(verdicts, place.namespace)
            opened.addressable.full = verdict.refusal
            opened.addressable.log.spare(kept=not verdict.is_short)

    @property
    def observed(self) -> bool:
        """Whether the journeys of events are kept."""
        return self._observed

    def places(self) -> list[Place]:
        """Return all that is open."""
        return list(self._open)

    def of(self, kind: str) -> list[tuple[Place, Addressable]]:
        """Return what is open of a kind of places."""
        return [
            (place, opened.addressable)
            for place, opened in self._open.items()
            if place.kind == kind
        ]

    def serves(self, engine_class: str | None) -> bool:
        """Whether there is an engine of this class."""
        return self._engines.serves(engine_class)

    async def open(
        self,
        place: Place,
        log_key: str,
        engine_class: str,
        *,
        prepare: Callable[[Addressable], Awaitable[None]],
        options: Mapping[str, Any] | None = None,
    ) -> Addressable:
        """Open a log, and no other under the name; ``prepare`` is called before it is found.

        Raises Unavailable, and ValueError for ``options`` that mean nothing to the engine.
        """
        await self.close_other(place, log_key)
        opened = self._open.get(place)
        if opened is not None:
            return opened.addressable
        engine = self._engines.of_class(engine_class)
        events = await engine.open(log_key, options)
        journeys = self._journeys.of(log_key, events.position_text)
        addressable = Addressable(
            place,
            events,
            services=self._services,
            metrics=self._metrics,
            observer=journeys.recorder if self._observed else None,
            find_log=self._log_of,
        )
        await prepare(addressable)
        addressable.quota = self._quota_of(place)
        self._open[place] = _Open(log_key, engine_class, engine, addressable, journeys)
        if (by_host := place_by_host(place)) != place:
            self._by_host[by_host] = place
        log.info("event log opened", extra={"of": str(place)})
        return addressable

    async def close_other(self, place: Place, wanted_log: str | None) -> None:
        """Close and remove the log open under this name, unless it is the one named."""
        opened = self._open.get(place)
        if opened is None or opened.log_key == wanted_log:
            return
        del self._open[place]
        self._forget_host(place)
        opened.addressable.close()
        self._metrics.forget(place)
        self._problems.pop(place, None)
        if self.dispatches:
            await opened.engine.drop(opened.log_key)
            opened.journeys.remove()
        log.info("event log closed, its events are dropped", extra={"of": str(place)})

    def _forget_host(self, place: Place) -> None:
        """A host may be another channel's, too."""
        if self._by_host.get(by_host := place_by_host(place)) == place:
            del self._by_host[by_host]

    def kept_by(self, place: Place) -> str | None:
        """Return the class whose engine keeps what is open there."""
        opened = self._open.get(place)
        return None if opened is None else opened.engine_class

    def moves_of(self, place: Place) -> Moves | None:
        """Return who moves the log of a place; None where another process does."""
        return self.moves

    async def release(self, place: Place) -> None:
        """Close what is open there once deliveries under way have ended; its log stays."""
        opened = self._open.pop(place, None)
        if opened is None:
            return
        self._forget_host(place)
        await _end([opened.addressable], self._grace_seconds)
        opened.journeys.remove()  # they tell of positions in this log

    async def drop_orphans(
        self, needed: Collection[str], owned: Callable[[], Awaitable[Set[str]]]
    ) -> None:
        """Remove logs that nobody owns; ``owned`` returns the keys of those that somebody does.

        It is asked after it is known which logs there are: another process may have made one since
        somebody looked last, for an object that is newer. ``needed`` are classes of engines.
        """
        for engine_class, engine in self._engines.all(needed).items():
            try:
                there = set(await engine.keys())
                for orphan in there - await owned() if there else ():
                    await engine.drop(orphan)
            except Unavailable as error:
                facts = {"class": engine_class, "error": str(error)}
                log.info("logs that nobody owns are not looked for", extra=facts)
        there = set(await self._journeys.keys())
        for orphan in there - await owned() if there else ():
            await self._journeys.drop(orphan)

    async def checkpoints(self) -> None:
        """Save positions of subscriptions again and again, until cancelled."""
        while True:
            await asyncio.sleep(self._checkpoint_seconds)
            for place, opened in list(self._open.items()):
                try:
                    await opened.addressable.checkpoint()
                    opened.journeys.flush()
                    self._watch(place, opened.addressable.log.stats().problem)
                except Exception:
                    caught("checkpoint", (place.namespace, place.name))

    def _watch(self, place: Place, problem: str) -> None:
        if problem != self._problems.get(place, ""):
            self._problems[place] = problem
            for told in self.problem_listeners:
                told(place)

    async def close(self, *, grace_seconds: float) -> None:
        """Let deliveries under way end, then stop. The engines are the caller's to close."""
        if self.moves is not None:
            await self.moves.close()
        await _end([opened.addressable for opened in self._open.values()], grace_seconds)
        for opened in self._open.values():
            opened.journeys.close()
        self._open.clear()


async def _end(addressables: Sequence[Addressable], grace_seconds: float) -> None:
    """Let deliveries under way end, but for those that take longer; then close."""
    for addressable in addressables:
        addressable.drain()
    deadline = monotonic() + grace_seconds
    # Bounded, and once in the life of a log: not worth an event.
    while monotonic() < deadline and any(each.busy for each in addressables):  # noqa: ASYNC110
        await asyncio.sleep(_DRAIN_POLL_SECONDS)
    for addressable in addressables:
        addressable.close()
