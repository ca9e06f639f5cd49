"""Keeps the data plane in step with the Broker and Trigger objects.

Opens a log for each Broker whose class has an engine, subscribes its Triggers, and says so in a
status annotation, which the control plane waits for before it calls them ready: an event sent to
a ready Broker after its Trigger is ready is not missed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from time import monotonic

from eventing.api import keys
from eventing.engines.classes import Engines
from eventing.engines.seam import Engine, Refused
from eventing.runtime import views
from eventing.runtime.addressable import Addressable
from eventing.runtime.dispatcher import Services
from eventing.runtime.metrics import BrokerMetrics
from eventing.runtime.target import Address
from hearth.knative.resources import BROKERS, TRIGGERS
from hearth.kube.cache import WatchCache
from hearth.kube.client import KubeClient
from hearth.kube.controller import Controller
from hearth.kube.errors import NotFound
from hearth.kube.meta import Key, Object, is_deleting, key, key_text, name, namespace, uid
from hearth.kube.resources import Resource

log = logging.getLogger(__name__)

_DRAIN_POLL_SECONDS = 0.01
_BY_BROKER = "broker"


@dataclass(frozen=True, slots=True)
class _Open:
    """An open broker, and whose log it is."""

    log_key: str
    engine: Engine
    addressable: Addressable


class Brokers:
    """The brokers that are open, by namespace and name.

    Where ``dispatches`` is False, logs are opened for appending only: some dispatcher process
    subscribes the Triggers, marks statuses and removes logs.
    """

    def __init__(
        self,
        client: KubeClient,
        engines: Engines,
        *,
        services: Services,
        metrics: BrokerMetrics,
        gateway: Address | None,
        dispatches: bool = True,
        checkpoint_seconds: float,
    ) -> None:
        self._client = client
        self._engines = engines
        self._services = services
        self._metrics = metrics
        self._gateway = gateway
        self._dispatches = dispatches
        self._checkpoint_seconds = checkpoint_seconds
        self._open: dict[Key, _Open] = {}
        self._brokers = WatchCache(client, BROKERS)
        self._triggers = WatchCache(client, TRIGGERS)
        self._triggers.add_index(_BY_BROKER, _broker_index)
        self._broker_sync = Controller("broker-log", self._sync_broker)
        self._trigger_sync = Controller("trigger-cursor", self._sync_trigger)

    def find(self, broker_key: Key) -> Addressable | None:
        """Return the broker to append to; raise Refused where it exists but is not open yet."""
        opened = self._open.get(broker_key)
        if opened is not None:
            return opened.addressable
        broker = self._brokers.get(*broker_key)
        if broker is not None and self._engines.serves(views.class_of(broker)):
            raise Refused("the broker is being opened")
        return None

    async def run(self, serving: Callable[[], None]) -> None:
        """Follow the objects until cancelled; ``serving`` is called when in step at first."""
        async with asyncio.TaskGroup() as group:
            for cache in (self._brokers, self._triggers):
                group.create_task(cache.run(), name=f"watch-{cache.resource.plural}")
            await self._brokers.synced()
            await self._triggers.synced()
            if self._dispatches:
                await self._drop_orphans()
            await asyncio.gather(*(self._first_sync(key(each)) for each in self._brokers.list()))
            self._broker_sync.watches(self._brokers)
            self._trigger_sync.watches(self._triggers)
            group.create_task(self._broker_sync.run(), name="brokers")
            group.create_task(self._trigger_sync.run(), name="triggers")
            group.create_task(self._checkpoints(), name="checkpoints")
            serving()

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
            for broker_key, opened in list(self._open.items()):
                try:
                    await opened.addressable.checkpoint()
                except Exception:
                    log.exception("checkpoint failed", extra={"broker": key_text(broker_key)})

    async def _drop_orphans(self) -> None:
        """Remove logs of brokers deleted while nobody looked."""
        for broker_class, engine in self._engines.all().items():
            owned = {
                views.log_key(broker)
                for broker in self._brokers.list()
                if views.class_of(broker) == broker_class
            }
            for orphan in set(await engine.keys()) - owned:
                await engine.drop(orphan)

    # -- brokers -----------------------------------------------------------------------------

    async def _first_sync(self, broker_key: Key) -> None:
        """One broker that cannot be opened keeps no other from being served."""
        try:
            await self._sync_broker(broker_key)
        except Exception:
            log.exception("broker cannot be opened", extra={"broker": key_text(broker_key)})
            self._broker_sync.queue.retry(broker_key)

    async def _sync_broker(self, broker_key: Key) -> None:
        broker = self._brokers.get(*broker_key)
        broker_class = None if broker is None else views.class_of(broker)
        served = broker is not None and self._engines.serves(broker_class)
        await self._close_other(broker_key, views.log_key(broker) if broker and served else None)
        if broker is None or broker_class is None or not served:
            return
        if broker_key not in self._open:
            await self._open_broker(broker_key, broker, self._engines.of_class(broker_class))
        if self._dispatches:
            for trigger in self._triggers.by_index(_BY_BROKER, key_text(broker_key)):
                await self._sync_trigger(key(trigger))
            await self._mark(BROKERS, broker, keys.OPENED_ANNOTATION, "true")

    async def _open_broker(self, broker_key: Key, broker: Object, engine: Engine) -> None:
        log_key = views.log_key(broker)
        events = await engine.open(log_key)
        addressable = Addressable(
            broker_key, events, services=self._services, metrics=self._metrics
        )
        if self._dispatches:
            triggers = self._triggers.by_index(_BY_BROKER, key_text(broker_key))
            for orphan in set(await addressable.known()) - {uid(each) for each in triggers}:
                await addressable.unsubscribe(orphan)
        self._open[broker_key] = _Open(log_key, engine, addressable)
        log.info("broker opened", extra={"broker": key_text(broker_key)})

    async def _close_other(self, broker_key: Key, log_key: str | None) -> None:
        """Close and remove the log open under this name, unless it is the one named."""
        opened = self._open.get(broker_key)
        if opened is None or opened.log_key == log_key:
            return
        del self._open[broker_key]
        opened.addressable.close()
        self._metrics.forget(*broker_key)
        if self._dispatches:
            await opened.engine.drop(opened.log_key)
        log.info("broker closed, its events are dropped", extra={"broker": key_text(broker_key)})

    # -- triggers ----------------------------------------------------------------------------

    async def _sync_trigger(self, trigger_key: Key) -> None:
        trigger = self._triggers.get(*trigger_key)
        if not self._dispatches:
            return
        if trigger is None or is_deleting(trigger):
            await self._unsubscribe_deleted(trigger_key[0])
            return
        opened = self._open.get(views.broker_of(trigger))
        broker = self._brokers.get(*views.broker_of(trigger))
        if opened is None or broker is None:
            return  # comes again when the broker opens
        addressable = opened.addressable
        if not views.is_resolved(trigger) and addressable.subscription(uid(trigger)) is None:
            return  # nothing is kept for a Trigger that never had a subscriber
        try:
            spec = views.subscription_spec(trigger, broker, self._gateway)
        except ValueError as error:
            facts = {"trigger": key_text(trigger_key), "error": str(error)}
            log.info("trigger not served", extra=facts)
            return
        await addressable.subscribe(spec)
        mark = views.subscribed_mark(trigger)
        await self._mark(TRIGGERS, trigger, keys.SUBSCRIBED_ANNOTATION, mark)

    async def _unsubscribe_deleted(self, namespace_name: str) -> None:
        """End the subscriptions of Triggers that are gone from a namespace."""
        for broker_key, opened in list(self._open.items()):
            if broker_key[0] != namespace_name:
                continue
            for consumer_id in set(await opened.addressable.known()):
                if consumer_id not in self._trigger_uids(broker_key):
                    await opened.addressable.unsubscribe(consumer_id)

    def _trigger_uids(self, broker_key: Key) -> set[str]:
        triggers = self._triggers.by_index(_BY_BROKER, key_text(broker_key))
        return {uid(each) for each in triggers if not is_deleting(each)}

    async def _mark(self, resource: Resource, obj: Object, annotation: str, value: str) -> None:
        if views.status_annotation(obj, annotation) == value:
            return
        patch = {"status": {"annotations": {annotation: value}}}
        try:
            await self._client.patch(
                resource, name(obj), namespace(obj), patch, subresource="status"
            )
        except NotFound:
            return


def _broker_index(trigger: Object) -> Iterable[str]:
    return (key_text(views.broker_of(trigger)),)
