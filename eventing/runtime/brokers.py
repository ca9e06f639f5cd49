"""Keeps the data plane in step with the Broker and Trigger objects.

Opens a log for each Broker whose class has an engine, subscribes its Triggers, and says so in a
status annotation, which the control plane waits for before it calls them ready: an event sent to
a ready Broker after its Trigger is ready is not missed.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass
from time import monotonic

from eventing.api import keys
from eventing.api.views import (
    BROKER_SOURCE,
    TRIGGER_SOURCE,
    TRIGGERS_BY_BROKER,
    broker_class,
    broker_key,
    log_key,
    status_annotation,
    subscribed_mark,
)
from eventing.engines.classes import Engines
from eventing.engines.seam import Engine, Refused
from eventing.runtime import views
from eventing.runtime.addressable import Addressable
from eventing.runtime.dispatcher import Services
from eventing.runtime.metrics import BrokerMetrics
from eventing.runtime.target import Address
from hearth.knative.resources import BROKERS, TRIGGERS
from hearth.kube.errors import NotFound
from hearth.kube.guards import caught
from hearth.kube.manager import Manager
from hearth.kube.meta import Key, Object, is_deleting, key, key_text, name, namespace, uid
from hearth.kube.plan import Patch, Plan
from hearth.kube.resources import Resource

log = logging.getLogger(__name__)

_DRAIN_POLL_SECONDS = 0.01


@dataclass(frozen=True, slots=True)
class _Open:
    """An open broker, and whose log it is."""

    log_key: str
    engine: Engine
    addressable: Addressable


class Brokers:
    """The brokers that are open, by namespace and name. The manager runs it.

    Where ``dispatches`` is False, logs are opened for appending only: some dispatcher process
    subscribes the Triggers, marks statuses and removes logs.
    """

    def __init__(
        self,
        manager: Manager,
        engines: Engines,
        *,
        services: Services,
        metrics: BrokerMetrics,
        gateway: Address | None,
        dispatches: bool = True,
        checkpoint_seconds: float,
    ) -> None:
        self._manager = manager
        self._engines = engines
        self._services = services
        self._metrics = metrics
        self._gateway = gateway
        self._dispatches = dispatches
        self._checkpoint_seconds = checkpoint_seconds
        self._open: dict[Key, _Open] = {}
        self._not_tried: set[Key] | None = None
        """Brokers of the first list that nobody tried to open yet; None before that list."""
        self._tried = asyncio.Event()
        manager.add_index(TRIGGERS_BY_BROKER)
        manager.add_controller("broker-log", self._sync_broker, source=BROKER_SOURCE)
        if dispatches:
            manager.add_controller("trigger-cursor", self._sync_trigger, source=TRIGGER_SOURCE)
            manager.add_runnable("orphans", self._drop_orphans)
            manager.add_runnable("checkpoints", self._checkpoints)

    def find(self, broker_key: Key) -> Addressable | None:
        """Return the broker to append to; raise Refused where it exists but is not open yet."""
        opened = self._open.get(broker_key)
        if opened is not None:
            return opened.addressable
        broker = self._manager.get(BROKER_SOURCE, *broker_key)
        if broker is not None and self._is_served(broker):
            raise Refused("the broker is being opened")
        return None

    def _is_served(self, broker: Object) -> bool:
        return not is_deleting(broker) and self._engines.serves(broker_class(broker))

    def synced(self) -> None:
        """Note that the manager has its first lists."""
        self._not_tried = {key(broker) for broker in self._manager.list(BROKER_SOURCE)}
        self._note_tried(None)

    async def opened(self) -> None:
        """Wait until all Brokers of the first list are open, but for those that failed to."""
        await self._tried.wait()

    def _note_tried(self, broker_key: Key | None) -> None:
        if self._not_tried is not None:
            self._not_tried -= {broker_key}
            if not self._not_tried:
                self._tried.set()

    async def close(self, *, grace_seconds: float) -> None:
        """Let deliveries under way end, then stop. The engines are the caller's to close."""
        open_brokers = [opened.addressable for opened in self._open.values()]
        for addressable in open_brokers:
            addressable.drain()
        deadline = monotonic() + grace_seconds
        # Bounded, and once in the life of a process: not worth an event.
        while monotonic() < deadline and any(b.busy for b in open_brokers):  # noqa: ASYNC110
            await asyncio.sleep(_DRAIN_POLL_SECONDS)
        for addressable in open_brokers:
            addressable.close()
        self._open.clear()

    async def _checkpoints(self) -> None:
        while True:
            await asyncio.sleep(self._checkpoint_seconds)
            for each, opened in list(self._open.items()):
                try:
                    await opened.addressable.checkpoint()
                except Exception:
                    caught("checkpoint", each)

    async def _drop_orphans(self) -> None:
        """Remove logs of Brokers deleted while nobody looked."""
        for engine_class, engine in self._engines.all().items():
            logs = set(await engine.keys())
            brokers = self._manager.list(BROKER_SOURCE)
            owned = {log_key(each) for each in brokers if broker_class(each) == engine_class}
            for orphan in logs - owned:
                await engine.drop(orphan)

    # -- brokers -----------------------------------------------------------------------------

    async def _sync_broker(self, broker_key: Key) -> None:
        try:
            await self._open_or_close(broker_key)
        finally:
            self._note_tried(broker_key)

    async def _open_or_close(self, broker_key: Key) -> None:
        broker = self._manager.get(BROKER_SOURCE, *broker_key)
        if broker is not None and not self._is_served(broker):
            broker = None
        await self._close_other(broker_key, log_key(broker) if broker else None)
        if broker is None:
            return
        if broker_key not in self._open:
            await self._open_broker(broker_key, broker)
        if self._dispatches:
            # First the Triggers: a Broker made anew is not ready before its new log has them.
            for trigger in self._manager.by_index(TRIGGERS_BY_BROKER, key_text(broker_key)):
                await self._sync_trigger(key(trigger))
            await self._mark(BROKERS, broker, keys.OPENED_ANNOTATION, "true")

    async def _open_broker(self, broker_key: Key, broker: Object) -> None:
        engine = self._engines.of_class(broker_class(broker) or "")
        events = await engine.open(log_key(broker))
        addressable = Addressable(
            broker_key, events, services=self._services, metrics=self._metrics
        )
        if self._dispatches:
            await self._unsubscribe_deleted(broker_key, addressable)
        self._open[broker_key] = _Open(log_key(broker), engine, addressable)
        log.info("broker opened", extra={"broker": key_text(broker_key)})

    async def _close_other(self, broker_key: Key, wanted_log: str | None) -> None:
        """Close and remove the log open under this name, unless it is the one named."""
        opened = self._open.get(broker_key)
        if opened is None or opened.log_key == wanted_log:
            return
        del self._open[broker_key]
        opened.addressable.close()
        self._metrics.forget(*broker_key)
        if self._dispatches:
            await opened.engine.drop(opened.log_key)
        log.info("broker closed, its events are dropped", extra={"broker": key_text(broker_key)})

    # -- triggers ----------------------------------------------------------------------------

    async def _sync_trigger(self, trigger_key: Key) -> None:
        trigger = self._manager.get(TRIGGER_SOURCE, *trigger_key)
        if trigger is None or is_deleting(trigger):
            await self._unsubscribe_in(trigger_key[0])
            return
        opened = self._open.get(broker_key(trigger))
        broker = self._manager.get(BROKER_SOURCE, *broker_key(trigger))
        if opened is None or broker is None:
            return  # comes again when the broker opens
        await self._subscribe(trigger, broker, opened.addressable)

    async def _subscribe(self, trigger: Object, broker: Object, addressable: Addressable) -> None:
        if not views.is_resolved(trigger) and addressable.subscription(uid(trigger)) is None:
            return  # nothing is kept for a Trigger that never had a subscriber
        try:
            spec = views.subscription_spec(trigger, broker, self._gateway)
        except ValueError as error:
            facts = {"trigger": key_text(key(trigger)), "error": str(error)}
            log.info("trigger not served", extra=facts)
            return
        await addressable.subscribe(spec)
        mark = subscribed_mark(trigger)
        await self._mark(TRIGGERS, trigger, keys.SUBSCRIBED_ANNOTATION, mark)

    async def _unsubscribe_in(self, namespace_name: str) -> None:
        for each, opened in list(self._open.items()):
            if each[0] == namespace_name:
                await self._unsubscribe_deleted(each, opened.addressable)

    async def _unsubscribe_deleted(self, broker_key: Key, addressable: Addressable) -> None:
        """End the subscriptions of Triggers that are gone."""
        known = set(await addressable.known())
        triggers = self._manager.by_index(TRIGGERS_BY_BROKER, key_text(broker_key))
        for deleted in known - {uid(each) for each in triggers if not is_deleting(each)}:
            await addressable.unsubscribe(deleted)

    async def _mark(self, resource: Resource, obj: Object, annotation: str, value: str) -> None:
        if status_annotation(obj, annotation) != value:
            patch = {"status": {"annotations": {annotation: value}}}
            change = Patch(resource, name(obj), namespace(obj), patch, subresource="status")
            with contextlib.suppress(NotFound):  # it went while we looked
                await self._manager.apply(Plan((change,)))
