"""Keeps the data plane in step with the Broker and Trigger objects.

Opens a log for each Broker whose class has an engine, subscribes its Triggers, and says so in a
status annotation, which the control plane waits for before it calls them ready: an event sent to
a ready Broker after its Trigger is ready is not missed.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from eventing.api import kafka, keys, natsjetstream
from eventing.api.views import (
    BROKER_SOURCE,
    TRIGGER_SOURCE,
    TRIGGERS_BY_BROKER,
    broker_class,
    broker_key,
    log_key,
    moved_from,
    status_annotation,
    subscribed_mark,
)
from eventing.engines.seam import Unavailable
from eventing.runtime import views
from eventing.runtime.addressable import Addressable
from eventing.runtime.followers import CONFIG_SOURCE, FirstList, cannot_open, patch_status
from eventing.runtime.lagmarks import LagMarks
from eventing.runtime.moving import Kept
from eventing.runtime.openlogs import OpenLogs
from eventing.runtime.places import BROKER, Place
from eventing.runtime.schemachecks import SchemaChecks, mode_of
from eventing.runtime.target import Reach
from hearth.knative.resources import BROKERS, TRIGGERS
from hearth.kube import meta
from hearth.kube.manager import Manager
from hearth.kube.meta import Key, Object, is_deleting, key, key_text, uid
from hearth.kube.resources import Resource

log = logging.getLogger(__name__)


def _place(broker: Key) -> Place:
    return Place(BROKER, *broker)


class Brokers:
    """Follows Brokers and Triggers. The manager runs it.

    A process that does not dispatch leaves Triggers, statuses and the removal of logs to another.
    """

    def __init__(self, manager: Manager, logs: OpenLogs, *, reach: Reach) -> None:
        self.first_list = FirstList()
        self.resource = BROKERS
        self._manager = manager
        self._logs = logs
        self._reach = reach
        self._schemas = SchemaChecks(manager)
        self._subscribed: dict[Key, Key] = {}
        """The Brokers of the Triggers that are subscribed; perhaps of another namespace."""
        if logs.moves is not None:
            logs.moves.kept = self._kept_at
            manager.add_runnable("trigger-lag", LagMarks(manager, logs).run)
        manager.cache(CONFIG_SOURCE)
        manager.add_index(TRIGGERS_BY_BROKER)
        manager.add_controller("broker-log", self._sync_broker, source=BROKER_SOURCE)
        logs.problem_listeners.append(self._look_again)
        if logs.dispatches:
            manager.add_controller("trigger-cursor", self._sync_trigger, source=TRIGGER_SOURCE)

    def _look_again(self, place: Place) -> None:
        if place.kind == BROKER:
            self._manager.enqueue("broker-log", (place.namespace, place.name))

    def is_opening(self, broker_key: Key) -> bool:
        """Whether there is such a Broker, to be opened."""
        broker = self._manager.get(BROKER_SOURCE, *broker_key)
        return broker is not None and self._is_served(broker)

    def _is_served(self, broker: Object) -> bool:
        return not is_deleting(broker) and self._logs.serves(broker_class(broker))

    def synced(self) -> None:
        """Note that the manager has its first lists."""
        self.first_list.came(key(broker) for broker in self._manager.list(BROKER_SOURCE))

    def classes(self) -> set[str]:
        """Return the classes of all Brokers' engines."""
        return {broker_class(broker) or "" for broker in self._manager.list(BROKER_SOURCE)}

    def log_key(self, broker: Object) -> str:
        """Return the key of a Broker's log."""
        return log_key(broker)

    # -- brokers -----------------------------------------------------------------------------

    async def _sync_broker(self, broker_key: Key) -> None:
        try:
            await self._open_or_close(broker_key)
        finally:
            self.first_list.tried(broker_key)

    async def _open_or_close(self, broker_key: Key) -> None:
        broker = self._manager.get(BROKER_SOURCE, *broker_key)
        if broker is None or not self._is_served(broker):
            await self._close(_place(broker_key), broker)
            return

        async def prepare(addressable: Addressable) -> None:
            addressable.check = self._schemas.of(broker, addressable.counters)
            if self._logs.dispatches:
                await self._unsubscribe_deleted(broker_key, addressable)

        try:
            if not await self._is_where_it_belongs(broker):
                return
            addressable = await self._logs.open(
                _place(broker_key),
                log_key(broker),
                broker_class(broker) or "",
                prepare=prepare,
                options=self._options(broker),
            )
        except (Unavailable, ValueError) as error:
            await self._cannot_open(broker, error)
            return
        check = addressable.check
        if (check.mode if check is not None else None) != mode_of(broker):
            addressable.check = self._schemas.of(broker, addressable.counters)
        if self._logs.dispatches:
            # First the Triggers: a Broker made anew is not ready before its new log has them.
            for trigger in self._manager.by_index(TRIGGERS_BY_BROKER, key_text(broker_key)):
                await self._sync_trigger(key(trigger))
            await self._mark(BROKERS, broker, keys.OPENED_ANNOTATION, "true")
            problem = addressable.log.stats().problem or None
            await self._mark(BROKERS, broker, keys.PROBLEM_ANNOTATION, problem)

    def _options(self, broker: Object) -> Mapping[str, Any]:
        """What a Broker asks of its log, by the rules of its class."""

        def config_map(name: str) -> Object | None:
            return self._manager.get(CONFIG_SOURCE, keys.SYSTEM_NAMESPACE, name)

        jetstream = natsjetstream.broker_options(broker, config_map(natsjetstream.CONFIG_MAP))
        return jetstream or kafka.broker_options(broker, config_map)

    # -- moves -------------------------------------------------------------------------------

    async def _is_where_it_belongs(self, broker: Object) -> bool:
        """Whether all that is kept is where the class says; bring it there where it is not yet.

        One process does that. Others learn of it by the status.
        """
        source, mark = moved_from(broker), f"{moved_from(broker)}>{broker_class(broker)}"
        is_moved = status_annotation(broker, keys.MOVED_ANNOTATION) == mark
        if source is None or is_moved or not self._logs.serves(source):
            return True
        if self._logs.moves is None:
            await self._logs.release(_place(key(broker)))
            return False
        await self._logs.moves.finish(_place(key(broker)), self._kept(broker), source)
        await self._mark(BROKERS, broker, keys.MOVED_ANNOTATION, mark)
        return True

    def _kept_at(self, place: Place) -> Kept | None:
        broker = self._manager.get(BROKER_SOURCE, *place[1:]) if place.kind == BROKER else None
        return None if broker is None else self._kept(broker)

    def _kept(self, broker: Object) -> Kept:
        def options(of_class: str) -> Mapping[str, Any]:
            metadata = dict(broker["metadata"])
            marks = {**meta.annotations(broker), keys.BROKER_CLASS_ANNOTATION: of_class}
            return self._options({**broker, "metadata": {**metadata, "annotations": marks}})

        return Kept(log_key(broker), broker_class(broker) or "", options)

    async def _close(self, place: Place, broker: Object | None) -> None:
        """Close what is open of a Broker that is gone, or of a class that is not ours now."""
        came_from = None if broker is None or is_deleting(broker) else moved_from(broker)
        if came_from is not None and came_from == self._logs.kept_by(place):
            await self._logs.release(place)  # another process brings its events there
            return
        if self._logs.moves is not None:
            await self._logs.moves.give_up(place)
        await self._logs.close_other(place, None)

    async def _cannot_open(self, broker: Object, error: Exception) -> None:
        """Say why; what may come right by itself is tried again (it is raised)."""
        if self._logs.dispatches:
            await cannot_open(self._manager, BROKERS, broker, error)
        if isinstance(error, Unavailable):
            raise error

    # -- triggers ----------------------------------------------------------------------------

    async def _sync_trigger(self, trigger_key: Key) -> None:
        trigger = self._manager.get(TRIGGER_SOURCE, *trigger_key)
        if trigger is None or is_deleting(trigger):
            await self._unsubscribe_in(trigger_key[0])
            await self._leave(trigger_key, None)
            return
        await self._leave(trigger_key, broker_key(trigger))
        addressable = self._logs.find(_place(broker_key(trigger)))
        broker = self._manager.get(BROKER_SOURCE, *broker_key(trigger))
        if addressable is None or broker is None:
            return  # comes again when the broker opens
        await self._subscribe(trigger, broker, addressable)

    async def _subscribe(self, trigger: Object, broker: Object, addressable: Addressable) -> None:
        if not views.is_resolved(trigger) and addressable.subscription(uid(trigger)) is None:
            return  # nothing is kept for a Trigger that never had a subscriber
        try:
            spec = views.subscription_spec(trigger, broker, self._reach)
        except ValueError as error:
            facts = {"trigger": key_text(key(trigger)), "error": str(error)}
            log.info("trigger not served", extra=facts)
            return
        await addressable.subscribe(spec)
        self._subscribed[key(trigger)] = broker_key(trigger)
        mark = subscribed_mark(trigger)
        await self._mark(TRIGGERS, trigger, keys.SUBSCRIBED_ANNOTATION, mark)

    async def _unsubscribe_in(self, namespace_name: str) -> None:
        for place, addressable in self._logs.of(BROKER):
            if place.namespace == namespace_name:
                await self._unsubscribe_deleted((place.namespace, place.name), addressable)

    async def _leave(self, trigger_key: Key, broker: Key | None) -> None:
        """End a Trigger's subscription to another Broker than this one."""
        before = self._subscribed.get(trigger_key)
        if before is None or before == broker:
            return
        del self._subscribed[trigger_key]
        addressable = self._logs.find(_place(before))
        if addressable is not None:
            await self._unsubscribe_deleted(before, addressable)

    async def _unsubscribe_deleted(self, broker_key: Key, addressable: Addressable) -> None:
        """End the subscriptions of Triggers that are gone."""
        triggers = self._manager.by_index(TRIGGERS_BY_BROKER, key_text(broker_key))
        await addressable.keep_only({uid(each) for each in triggers if not is_deleting(each)})

    async def _mark(
        self, resource: Resource, obj: Object, annotation: str, value: str | None
    ) -> None:
        if status_annotation(obj, annotation) != value:
            await patch_status(self._manager, resource, obj, {"annotations": {annotation: value}})
