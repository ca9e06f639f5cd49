"""One broker in the data plane: its log, its subscriptions, and the routing between them."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from eventing.broker.cursor import CursorState
from eventing.broker.engine import Appended, EventLog, NewEvent
from eventing.broker.metrics import BrokerMetrics
from eventing.broker.record import StoredEvent
from eventing.broker.subscription import Services, Subscription, TriggerView
from eventing.filters import FilterIndex
from hearth.kube.meta import Key

log = logging.getLogger(__name__)

_STALE_EVENTS = 50_000
"""A saved cursor this far behind a live one is saved anew, so that a restart reads little."""


class BrokerRuntime:
    """Takes events in and hands each durable one to the Triggers it matches."""

    def __init__(
        self, key: Key, events: EventLog, *, services: Services, metrics: BrokerMetrics
    ) -> None:
        self.key = key
        self.counters = metrics.broker(*key)
        self._log = events
        self._services = services
        self._metrics = metrics
        self._subscriptions: dict[str, Subscription] = {}
        self._saved = dict(events.cursors())
        self._index: FilterIndex[Subscription] | None = None
        self._touched = True
        events.on_durable(self._route)

    # -- events ------------------------------------------------------------------------------

    def append(self, event: NewEvent, done: Appended) -> None:
        """Raises Refused where the log takes none; else ``done`` is called when durable."""
        self._log.append(event, done)

    def _touch(self) -> None:
        self._touched = True

    def _route(self, events: Sequence[StoredEvent]) -> None:
        self._touched = True
        index = self._index
        if index is None:
            index = self._index = FilterIndex(
                (found.view.filter, found) for found in self._subscriptions.values()
            )
        for event in events:
            for subscription in index.match(event.attributes):
                if subscription.live:
                    subscription.offer(event)

    # -- triggers ----------------------------------------------------------------------------

    def subscribe(self, view: TriggerView) -> None:
        """Adds a Trigger, or changes one. A new one starts with the next event."""
        found = self._subscriptions.get(view.uid)
        self._index = None
        if found is not None:
            found.update(view)
            return
        state = self._saved.get(view.uid)
        if state is None:
            state = self._saved[view.uid] = CursorState(self._log.end)
            self._log.save_cursors({view.uid: state}, durable=True)
        subscription = self._subscriptions[view.uid] = Subscription(
            view,
            self._log,
            state,
            services=self._services,
            counters=self._metrics.trigger(view.namespace, self.key[1], view.name),
            progressed=self._touch,
        )
        subscription.start()

    def unsubscribe(self, uid: str) -> None:
        """Removes a Trigger and its cursor."""
        found = self._subscriptions.pop(uid, None)
        self._index = None
        self._touched = True
        if found is not None:
            found.close()
            destination = f"trigger:{found.view.name}.{found.view.namespace}"
            self._metrics.forget(*self.key, destination)
        if self._saved.pop(uid, None) is not None:
            self._log.save_cursors({uid: None}, durable=False)

    def known(self) -> set[str]:
        """The Triggers with a subscription or a saved cursor, by uid."""
        return set(self._subscriptions) | set(self._saved)

    def subscription(self, uid: str) -> Subscription | None:
        return self._subscriptions.get(uid)

    # -- keeping state -----------------------------------------------------------------------

    def save(self, *, everything: bool = False) -> None:
        """Saves the cursors that moved, and lets go of events nobody needs any more."""
        if not self._touched and not everything:
            return
        self._touched = False
        changes: dict[str, CursorState | None] = {}
        lowest = end = self._log.end
        for uid, found in self._subscriptions.items():
            cursor = found.cursor
            stale = end - self._saved[uid].next > _STALE_EVENTS
            if cursor.changed or everything or stale:
                if found.live:
                    cursor.advance(end)
                changes[uid] = self._saved[uid] = cursor.state()
                cursor.changed = False
            lowest = min(lowest, cursor.low if cursor.pending or not found.live else end)
        if changes:
            self._log.save_cursors(changes, durable=False)
        self._log.release(lowest)
        self._metrics.log_state(*self.key, size=self._log.size, events=end - lowest)

    def drain(self) -> None:
        """Begins no further delivery."""
        for found in self._subscriptions.values():
            found.drain()

    @property
    def busy(self) -> bool:
        """Whether deliveries are under way."""
        return any(found.busy for found in self._subscriptions.values())

    def close(self) -> None:
        """Stops deliveries and saves where they are."""
        self.save(everything=True)
        for found in self._subscriptions.values():
            found.close()
        self._subscriptions.clear()
        self._index = None
