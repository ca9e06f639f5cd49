"""One addressable in the data plane: its log, its subscriptions, and the routing between them.

A Broker with its Triggers, and nothing here that is a Broker's alone.
"""

from __future__ import annotations

import asyncio
import math
import secrets
from collections.abc import Callable, Collection, Sequence, Set
from functools import partial
from time import monotonic

from eventing.api.joins import JoinOptions
from eventing.engines.event import RenderedEvent, StoredEvent
from eventing.engines.seam import Appended, Begin, EventLog, Refused, Start, StartTime
from eventing.filters import Filter, FilterIndex
from eventing.runtime.duplicates import Duplicates, key_of
from eventing.runtime.expectations import Expectations
from eventing.runtime.joins.joiner import CONSUMER, Joiner, JoinServices
from eventing.runtime.joins.parts import mark_event
from eventing.runtime.metrics import BrokerMetrics
from eventing.runtime.observer import DeliveryObserver
from eventing.runtime.places import Place
from eventing.runtime.quota import Quota
from eventing.runtime.replay import Replay
from eventing.runtime.replies import FindLog, LogReplies
from eventing.runtime.schemachecks import SchemaCheck
from eventing.runtime.services import Services
from eventing.runtime.spec import SubscriptionSpec
from eventing.runtime.subscription import Subscription

_FULL_SECONDS = 5
_REPLAYS_KNOWN = 20
"""Replays that are remembered after their end."""


class Addressable:
    """Takes events in and hands each durable one to the subscriptions it matches."""

    def __init__(
        self,
        place: Place,
        events: EventLog,
        *,
        services: Services,
        metrics: BrokerMetrics,
        observer: DeliveryObserver | None = None,
        find_log: FindLog | None = None,
    ) -> None:
        """``find_log`` finds the logs of other places: a branch tells what becomes of events."""
        self.place = place
        self._observer = observer
        self.quota: Quota | None = None
        """How many events may be sent here, together with other places; replies do not count."""
        self.counters = metrics.intake(place)
        self.full = ""
        """Why nothing may be sent here now, where the namespace takes too much of the disk."""
        self.check: SchemaCheck | None = None
        """Whether events satisfy the schemas of their types, where that is asked."""
        self._log = events
        self._services = services
        self._metrics = metrics
        self._subscriptions: dict[str, Subscription] = {}
        self._replays: dict[str, Replay] = {}
        self._replies = LogReplies(events, find_log, check=self._check_replies)
        self._joiner: Joiner | None = None
        self.marks = False
        """Whether each event is marked, to be known again in the join of a Parallel."""
        self._index: FilterIndex[Subscription] | None = None
        self.expectations = Expectations()
        """Who waits for an event of this log."""
        self._changing = asyncio.Lock()
        self._closed = False
        events.listen(self._route)

    # -- events ------------------------------------------------------------------------------

    def append(self, events: Sequence[RenderedEvent], done: Appended) -> None:
        """Append all or none: raise Refused, or call ``done`` when they are durable.

        Raises CodecError where an event does not satisfy the schema of its type.
        """
        if self.quota is not None:
            wait = self.quota.take(len(events), monotonic())
            if wait:
                text = f"the namespace {self.place.namespace} sends more events than it may"
                raise Refused(text, status=429, retry_after=math.ceil(wait))
        if self.full:
            raise Refused(self.full, status=429, retry_after=_FULL_SECONDS)
        if self.check is not None:
            self.check.sent(events)
        if self.marks:
            for event in events:
                mark_event(event, secrets.token_hex(8))
        self._log.append(events, done)

    def _check_replies(self, events: Sequence[RenderedEvent]) -> None:
        if self.check is not None:
            self.check.replied(events)

    def _route(self, events: Sequence[StoredEvent]) -> None:
        if self.expectations:
            self.expectations.tell(events)
        if self._joiner is not None:
            self._joiner.route(events)
        index = self._index
        if index is None:
            index = self._index = FilterIndex(
                (each.spec.filter, each) for each in self._subscriptions.values()
            )
        if self._observer is not None:
            self._route_observed(events, index, self._observer, self._joiner)
            return
        for event in events:
            for subscription in index.match(event.attributes):
                subscription.offer(event)

    @staticmethod
    def _route_observed(
        events: Sequence[StoredEvent],
        index: FilterIndex[Subscription],
        observer: DeliveryObserver,
        joiner: Joiner | None,
    ) -> None:
        for event in events:
            matched = index.match(event.attributes)
            specs = [each.spec for each in matched]
            if joiner is not None and joiner.wants(event):
                specs.append(joiner.spec)
            observer.routed(event, specs)
            for subscription in matched:
                subscription.offer(event)

    # -- subscriptions -----------------------------------------------------------------------

    async def subscribe(self, spec: SubscriptionSpec) -> None:
        """Add a subscription, or change one. A new one starts where its spec says."""
        async with self._changing:
            if self._closed:
                return
            subscription = self._subscriptions.get(spec.uid)
            if subscription is None:
                looks_back = spec.options.duplicate_window_seconds > 0
                is_known = looks_back and spec.uid in await self._log.consumers()
                await self._open(spec, looks_back=is_known)
            else:
                subscription.update(spec)
            self._index = None

    async def _open(self, spec: SubscriptionSpec, *, looks_back: bool) -> None:
        consumer = await self._log.consume(spec.uid, spec.start)
        subscription = self._subscriptions[spec.uid] = Subscription(
            spec,
            consumer,
            services=self._services,
            counters=self._metrics.deliveries(self.place, spec.kind, spec.name),
            replies=self._replies,
            observer=self._observer,
            remember=partial(self._remember, spec.filter) if looks_back else None,
        )
        subscription.start()

    async def seek(self, uid: str, begin: Begin) -> None:
        """Have a subscription begin anew somewhere in the log; on disk on return.

        What is under way to its subscriber is not waited for. Raises KeyError where it has gone.
        """
        async with self._changing:
            subscription = self._subscriptions[uid]
            spec = subscription.spec
            subscription.close()
            try:
                await self._log.seek(uid, begin)
            finally:
                if not self._closed:
                    await self._open(spec, looks_back=spec.options.duplicate_window_seconds > 0)
                    self._index = None

    async def _remember(self, wanted: Filter, duplicates: Duplicates, since: float) -> None:
        """Have a subscription know the events since a moment that it was given earlier."""
        reading = await self._log.look(StartTime(int(since * 1e9)))
        while events := await reading.fetch(self._services.budget.limits.fetch_bytes):
            for event in events:
                if wanted.matches(event.attributes):
                    duplicates.is_duplicate(key_of(event), event.arrival_ns, event.position)

    async def unsubscribe(self, uid: str) -> None:
        """Remove a subscription, and what the log knows of it."""
        async with self._changing:
            subscription = self._subscriptions.pop(uid, None)
            self._index = None
            if subscription is not None:
                subscription.close()
                self._stop_replays(uid)
                spec = subscription.spec
                self._metrics.forget(self.place, spec.kind, spec.name)
            if not self._closed:
                await self._log.forget(uid)

    async def keep_only(self, uids: Set[str]) -> None:
        """Remove all other subscriptions, also those that only the log knows."""
        under_way = {each.consumer_id for each in self._replays.values() if each.running}
        for uid in set(await self._log.consumers()) - uids - under_way - {CONSUMER}:
            await self.unsubscribe(uid)

    # -- the join of a Parallel --------------------------------------------------------------

    async def join(self, options: JoinOptions | None) -> None:
        """Gather the parts that come in here as asked; None gathers no more."""
        async with self._changing:
            joiner = self._joiner
            if self._closed or (joiner.options if joiner else None) == options:
                return
            if joiner is not None:
                self._joiner = None
                joiner.close()
            if options is None:
                await self._log.forget(CONSUMER)
                return
            services = self._services
            self._joiner = Joiner(
                self.place,
                options,
                await self._log.consume(CONSUMER, Start.EARLIEST),
                self._log,
                services=JoinServices(
                    services.budget,
                    services.clock,
                    self._metrics.joins(self.place),
                    services.share,
                ),
                replies=self._replies,
                observer=self._observer,
            )
            self._joiner.start()

    # -- replays -----------------------------------------------------------------------------

    def replay(
        self,
        uid: str,
        begin: Begin,
        *,
        most: int,
        observing: Callable[[str], DeliveryObserver] | None,
    ) -> Replay:
        """Deliver events of the log once more to one subscription.

        ``observing`` makes of the replay's id who is told of it. Raises Refused while another
        replay of the subscription is under way.
        """
        subscription = self._subscriptions[uid]
        for other in self._replays.values():
            if other.running and other.spec.uid == uid:
                raise Refused(f"replay {other.id} of {other.spec.label} is under way", status=409)
        replay_id = secrets.token_hex(4)
        replay = Replay(
            replay_id,
            subscription.spec,
            services=self._services,
            replies=self._replies,
            observer=observing(replay_id) if observing is not None else None,
        )
        self._replays[replay.id] = replay
        while len(self._replays) > _REPLAYS_KNOWN:
            ended = [each.id for each in self._replays.values() if not each.running]
            if not ended:
                break
            del self._replays[ended[0]]
        replay.start(self._log, begin, most)
        return replay

    @property
    def replays(self) -> Collection[Replay]:
        """Those under way, and the last ones that have ended."""
        return self._replays.values()

    def _stop_replays(self, uid: str | None = None) -> None:
        for replay in self._replays.values():
            if uid is None or replay.spec.uid == uid:
                replay.stop()

    def subscription(self, uid: str) -> Subscription | None:
        """Return an open subscription."""
        return self._subscriptions.get(uid)

    def observe(self, observer: DeliveryObserver | None) -> None:
        """Tell another observer from now on, or none."""
        self._observer = observer
        if self._joiner is not None:
            self._joiner.observer = observer
        for subscription in self._subscriptions.values():
            subscription.observe(observer)

    @property
    def log(self) -> EventLog:
        """Where its events are."""
        return self._log

    @property
    def subscriptions(self) -> Collection[Subscription]:
        """All that are open."""
        return self._subscriptions.values()

    # -- state -------------------------------------------------------------------------------

    async def checkpoint(self) -> None:
        """Save where subscriptions are, and let go of events that nobody needs."""
        await self._log.checkpoint()
        stats = self._log.stats()
        if not self._closed:
            self._metrics.log_state(self.place, size=stats.size_bytes, events=stats.events)

    def drain(self) -> None:
        """Begin no further delivery."""
        for subscription in self._subscriptions.values():
            subscription.drain()

    @property
    def busy(self) -> bool:
        """Whether deliveries are under way."""
        return any(each.busy for each in self._subscriptions.values())

    def close(self) -> None:
        """Stop deliveries. Positions are saved when the log is closed."""
        self._closed = True
        self._stop_replays()
        self._replies.close()
        if self._joiner is not None:
            self._joiner.close()
        for subscription in self._subscriptions.values():
            subscription.close()
        self._subscriptions.clear()
        self._index = None
