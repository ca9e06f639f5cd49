"""Hands each durable event of one log to all who want it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from eventing.engines.event import StoredEvent
from eventing.filters import FilterIndex
from eventing.runtime.expectations import Expectations
from eventing.runtime.joins.joiner import Joiner
from eventing.runtime.observer import DeliveryObserver
from eventing.runtime.places import Place
from eventing.runtime.services import Services
from eventing.runtime.subscription import Subscription
from eventing.runtime.tracing.discarding import tell_of_discarded
from eventing.runtime.tracing.heads import MARK


class Routing:
    """``subscriptions`` may change; say so by ``changed``."""

    def __init__(
        self,
        place: Place,
        subscriptions: Mapping[str, Subscription],
        services: Services,
        observer: DeliveryObserver | None,
    ) -> None:
        self.observer = observer
        self.joiner: Joiner | None = None
        """Who gathers the parts of joins among them."""
        self.expectations = Expectations()
        """Who waits for an event of this log."""
        self._place = place
        self._subscriptions = subscriptions
        self._tracer, self._clock = services.tracer, services.clock
        self._index: FilterIndex[Subscription] | None = None

    def changed(self) -> None:
        """Go by the subscriptions of now from the next event on."""
        self._index = None

    def route(self, events: Sequence[StoredEvent]) -> None:
        """Hand on what became durable."""
        if self.expectations:
            self.expectations.tell(events)
        if self.joiner is not None:
            self.joiner.route(events)
        index = self._index
        if index is None:
            index = self._index = FilterIndex(
                (each.spec.filter, each) for each in self._subscriptions.values()
            )
        if self.observer is not None:
            self._route_observed(events, index, self.observer)
            return
        for event in events:
            matched = index.match(event.attributes)
            for subscription in matched:
                subscription.offer(event)
            if not matched:
                self._discard(event)

    def _route_observed(
        self,
        events: Sequence[StoredEvent],
        index: FilterIndex[Subscription],
        observer: DeliveryObserver,
    ) -> None:
        for event in events:
            matched = index.match(event.attributes)
            specs = [each.spec for each in matched]
            if self.joiner is not None and self.joiner.wants(event):
                specs.append(self.joiner.spec)
            observer.routed(event, specs)
            for subscription in matched:
                subscription.offer(event)
            if not matched:
                self._discard(event)

    def _discard(self, event: StoredEvent) -> None:
        """Have the trace of an event say that no subscription wants it."""
        if not (self._tracer.is_on and event.head.startswith(MARK)):
            return
        if self.joiner is None or not self.joiner.wants(event):
            asked = len(self._subscriptions)
            tell_of_discarded(self._tracer, self._clock(), self._place, event, asked)
