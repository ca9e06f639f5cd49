"""One addressable in the data plane: its log, and its subscriptions.

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
from eventing.engines.event import RenderedEvent
from eventing.engines.seam import Appended, Begin, EventLog, Refused, Start, StartTime
from eventing.filters import Filter
from eventing.runtime.duplicates import Duplicates, key_of
from eventing.runtime.expectations import Come
from eventing.runtime.joins.joiner import CONSUMER, Joiner, JoinServices
from eventing.runtime.joins.parts import mark_event
from eventing.runtime.metrics import BrokerMetrics
from eventing.runtime.observer import DeliveryObserver
from eventing.runtime.places import Place
from eventing.runtime.quota import Quota
from eventing.runtime.replay import Replay
from eventing.runtime.replays import Replays
from eventing.runtime.replies import FindLog, LogReplies
from eventing.runtime.routing import Routing
from eventing.runtime.schemachecks import SchemaCheck
from eventing.runtime.services import Services
from eventing.runtime.spec import SubscriptionSpec
from eventing.runtime.subscription import Subscription
from eventing.runtime.tail import Tail

_FULL_SECONDS = 5


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
        self._routing = Routing(place, self._subscriptions, services, observer)
        self._replies = LogReplies(events, find_log, check=self._check_replies)
        self._replays = Replays(events, services, self._replies)
        self.marks = False
        """Whether each event is marked, to be known again in the join of a Parallel."""
        self._changing = asyncio.Lock()
        self._closed = False
        events.listen(self._routing.route)
        self._tail = None if events.tells_tail else Tail(events, self._routing.expectations)

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

    def expect(self, attribute: str, value: str, come: Come, *, since_ns: int) -> None:
        """Call back once, with the first event since a moment whose attribute has this value."""
        self._routing.expectations.expect(attribute, value, come)
        if self._tail is not None:
            self._tail.follow(since_ns)

    def forget(self, attribute: str, value: str) -> None:
        """Wait no more."""
        self._routing.expectations.forget(attribute, value)

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
            elif subscription.spec.options.ordered != spec.options.ordered:
                subscription.close()
                await self._open(spec, looks_back=spec.options.duplicate_window_seconds > 0)
            else:
                subscription.update(spec)
            self._routing.changed()

    async def _open(self, spec: SubscriptionSpec, *, looks_back: bool) -> None:
        consumer = await self._log.consume(spec.uid, spec.start, ordered=spec.options.ordered)
        counters = self._metrics.deliveries(self.place, spec.kind, spec.name)
        counters.lag = partial(self._log.lag, spec.uid)
        subscription = self._subscriptions[spec.uid] = Subscription(
            spec,
            consumer,
            services=self._services,
            counters=counters,
            replies=self._replies,
            observer=self._routing.observer,
            tells_routing=not self._log.tells_tail,
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
                    self._routing.changed()

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
            self._routing.changed()
            if subscription is not None:
                subscription.close()
                self._replays.stop(uid)
                spec = subscription.spec
                self._metrics.forget(self.place, spec.kind, spec.name)
            if not self._closed:
                await self._log.forget(uid)

    async def keep_only(self, uids: Set[str]) -> None:
        """Remove all other subscriptions, also those that only the log knows."""
        known = uids | self._replays.consumers() | {CONSUMER}
        for uid in set(await self._log.consumers()) - known:
            await self.unsubscribe(uid)

    # -- the join of a Parallel --------------------------------------------------------------

    async def join(self, options: JoinOptions | None) -> None:
        """Gather the parts that come in here as asked; None gathers no more."""
        async with self._changing:
            joiner = self._routing.joiner
            if self._closed or (joiner.options if joiner else None) == options:
                return
            if joiner is not None:
                self._routing.joiner = None
                joiner.close()
            if options is None:
                await self._log.forget(CONSUMER)
                return
            services = self._services
            joiner = self._routing.joiner = Joiner(
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
                observer=self._routing.observer,
            )
            joiner.start()

    # -- replays -----------------------------------------------------------------------------

    def replay(
        self,
        uid: str,
        begin: Begin,
        *,
        most: int,
        observing: Callable[[str], DeliveryObserver] | None,
    ) -> Replay:
        """Deliver events of the log once more to one subscription; as ``Replays.begin``."""
        spec = self._subscriptions[uid].spec
        return self._replays.begin(spec, begin, most=most, observing=observing)

    @property
    def replays(self) -> Collection[Replay]:
        """Those under way, and the last ones that have ended."""
        return self._replays.known()

    def subscription(self, uid: str) -> Subscription | None:
        """Return an open subscription."""
        return self._subscriptions.get(uid)

    def observe(self, observer: DeliveryObserver | None) -> None:
        """Tell another observer from now on, or none."""
        self._routing.observer = observer
        if self._routing.joiner is not None:
            self._routing.joiner.observer = observer
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
            self._metrics.log_state(
                self.place, size=stats.size_bytes, events=stats.events, gone=stats.gone
            )

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
        self._replays.stop()
        self._replies.close()
        if self._tail is not None:
            self._tail.close()
        if self._routing.joiner is not None:
            self._routing.joiner.close()
        for subscription in self._subscriptions.values():
            subscription.close()
        self._subscriptions.clear()
        self._routing.changed()
