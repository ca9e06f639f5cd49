"""Keeps the data plane in step with the Broker and Trigger objects.

Opens a log for each Broker served here, subscribes its Triggers, and says so in a status
annotation, which the control plane waits for before it calls them ready: an event sent to a ready
Broker after its Trigger is ready is not missed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from time import monotonic

from eventing.api import keys
from eventing.broker import views
from eventing.broker.engine import Engine, EventLog, Refused
from eventing.broker.metrics import BrokerMetrics
from eventing.broker.runtime import BrokerRuntime
from eventing.broker.subscription import Services
from eventing.broker.target import Address
from hearth.knative.resources import BROKERS, TRIGGERS
from hearth.kube.cache import WatchCache
from hearth.kube.client import KubeClient
from hearth.kube.controller import Controller
from hearth.kube.errors import NotFound
from hearth.kube.meta import Key, Object, is_deleting, key, name, namespace, uid
from hearth.kube.resources import Resource

log = logging.getLogger(__name__)

_SAVE_SECONDS = 0.1
_DRAIN_POLL_SECONDS = 0.01
_BY_BROKER = "broker"


class Registry:
    """The brokers that are open, by namespace and name."""

    def __init__(
        self,
        client: KubeClient,
        engine: Engine,
        *,
        services: Services,
        metrics: BrokerMetrics,
        gateway: Address | None,
    ) -> None:
        self._client = client
        self._engine = engine
        self._services = services
        self._metrics = metrics
        self._gateway = gateway
        self._open: dict[Key, tuple[str, BrokerRuntime]] = {}
        self._brokers = WatchCache(client, BROKERS)
        self._triggers = WatchCache(client, TRIGGERS)
        self._triggers.add_index(_BY_BROKER, _broker_index)
        self._broker_sync = Controller("broker-log", self._sync_broker)
        self._trigger_sync = Controller("trigger-cursor", self._sync_trigger)

    def find(self, at: Key) -> BrokerRuntime | None:
        """The broker to append to; raises Refused where it exists but is not open yet."""
        found = self._open.get(at)
        if found is not None:
            return found[1]
        broker = self._brokers.get(*at)
        if broker is not None and views.is_served(broker):
            raise Refused("the broker is being opened")
        return None

    async def run(self, serving: Callable[[], None]) -> None:
        """Follows the objects until cancelled; ``serving`` is called when in step at first."""
        async with asyncio.TaskGroup() as group:
            for cache in (self._brokers, self._triggers):
                group.create_task(cache.run(), name=f"watch-{cache.resource.plural}")
            await self._brokers.synced()
            await self._triggers.synced()
            await self._drop_orphans()
            await asyncio.gather(*(self._sync_broker(key(found)) for found in self._brokers.list()))
            self._broker_sync.watches(self._brokers)
            self._trigger_sync.watches(self._triggers)
            group.create_task(self._broker_sync.run(), name="brokers")
            group.create_task(self._trigger_sync.run(), name="triggers")
            group.create_task(self._save(), name="cursors")
            serving()

    async def close(self, *, grace_seconds: float) -> None:
        """Lets deliveries under way end, saves the cursors. The engine is the caller's to close."""
        runtimes = [runtime for _, runtime in self._open.values()]
        for runtime in runtimes:
            runtime.drain()
        deadline = monotonic() + grace_seconds
        # Bounded, and once in the life of a process: not worth an event.
        while monotonic() < deadline and any(r.busy for r in runtimes):  # noqa: ASYNC110
            await asyncio.sleep(_DRAIN_POLL_SECONDS)
        for runtime in runtimes:
            runtime.close()
        self._open.clear()

    async def _save(self) -> None:
        while True:
            await asyncio.sleep(_SAVE_SECONDS)
            for _, runtime in list(self._open.values()):
                runtime.save()

    async def _drop_orphans(self) -> None:
        """Logs of brokers deleted while nobody looked."""
        wanted = {views.log_key(found) for found in self._brokers.list()}
        for orphan in set(self._engine.keys()) - wanted:
            await self._engine.drop(orphan)

    # -- brokers -----------------------------------------------------------------------------

    async def _sync_broker(self, at: Key) -> None:
        broker = self._brokers.get(*at)
        served = broker is not None and views.is_served(broker)
        await self._close_other(at, views.log_key(broker) if broker and served else None)
        if broker is None or not served:
            return
        if at not in self._open:
            await self._open_broker(at, broker)
        for trigger in self._triggers.by_index(_BY_BROKER, _index_value(at)):
            await self._sync_trigger(key(trigger))
        await self._mark(BROKERS, broker, keys.OPENED_ANNOTATION, "true")

    async def _open_broker(self, at: Key, broker: Object) -> None:
        log_key = views.log_key(broker)
        events: EventLog = await self._engine.open(log_key)
        runtime = BrokerRuntime(at, events, services=self._services, metrics=self._metrics)
        triggers = self._triggers.by_index(_BY_BROKER, _index_value(at))
        for orphan in runtime.known() - {uid(found) for found in triggers}:
            runtime.unsubscribe(orphan)
        self._open[at] = log_key, runtime
        log.info("broker opened", extra={"broker": _index_value(at), "events": events.end})

    async def _close_other(self, at: Key, wanted: str | None) -> None:
        """Closes and drops the log open under this name, unless it is the wanted one."""
        found = self._open.get(at)
        if found is None or found[0] == wanted:
            return
        del self._open[at]
        log_key, runtime = found
        runtime.close()
        self._metrics.forget(*at)
        log.info("broker closed, its events are dropped", extra={"broker": _index_value(at)})
        await self._engine.drop(log_key)

    # -- triggers ----------------------------------------------------------------------------

    async def _sync_trigger(self, at: Key) -> None:
        trigger = self._triggers.get(*at)
        if trigger is None or is_deleting(trigger):
            self._unsubscribe_gone(at[0])
            return
        found = self._open.get(views.broker_of(trigger))
        broker = self._brokers.get(*views.broker_of(trigger))
        if found is None or broker is None:
            return  # comes again when the broker opens
        runtime = found[1]
        if not views.is_resolved(trigger) and runtime.subscription(uid(trigger)) is None:
            return  # nothing is kept for a Trigger that never had a subscriber
        try:
            view = views.trigger_view(trigger, broker, self._gateway)
        except ValueError as error:
            log.info("trigger not served", extra={"trigger": "/".join(at), "error": str(error)})
            return
        runtime.subscribe(view)
        mark = views.subscribed_mark(trigger)
        await self._mark(TRIGGERS, trigger, keys.SUBSCRIBED_ANNOTATION, mark)

    def _unsubscribe_gone(self, space: str) -> None:
        """Ends the subscriptions of Triggers that are gone from a namespace."""
        for at, (_, runtime) in self._open.items():
            if at[0] != space:
                continue
            present = {
                uid(found)
                for found in self._triggers.by_index(_BY_BROKER, _index_value(at))
                if not is_deleting(found)
            }
            for gone in runtime.known() - present:
                runtime.unsubscribe(gone)

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
    return (_index_value(views.broker_of(trigger)),)


def _index_value(at: Key) -> str:
    return f"{at[0]}/{at[1]}"


__all__ = ["Registry"]
