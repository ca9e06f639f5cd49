"""Observing and applying for the eventing reconcilers: the shell around their pure cores."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from eventing.api import keys
from eventing.reconcilers import broker as brokers
from eventing.reconcilers import trigger as triggers
from eventing.reconcilers.references import Enqueue, NotServed, References
from hearth.knative.destinations import (
    Reference,
    Resolution,
    Unresolved,
    not_found,
    reference_of,
    resolve,
)
from hearth.kube import meta
from hearth.kube.apply import apply_plan
from hearth.kube.cache import WatchCache
from hearth.kube.client import KubeClient
from hearth.kube.clock import Clock, wall_clock
from hearth.kube.controller import Controller
from hearth.kube.meta import Key, Object
from hearth.kube.plan import Event

MANAGER = "hearth-eventing"
_BY_BROKER = "broker"
_LOOK_AGAIN_SECONDS = 10.0


class BrokerController:
    """Keeps the status of Brokers of our class."""

    def __init__(
        self,
        client: KubeClient,
        cache: WatchCache,
        references: References,
        *,
        ingress_url: str,
        clock: Clock = wall_clock,
    ) -> None:
        self._client = client
        self._cache = cache
        self._references = references
        self._ingress_url = ingress_url
        self._clock = clock
        self.controller = Controller("broker", self._reconcile)
        self.controller.watches(cache)

    async def _reconcile(self, at: Key) -> float | None:
        broker = self._cache.get(*at)
        if broker is None or meta.is_deleting(broker):
            self._references.forget(("broker", at))
            return None
        if not brokers.is_ours(broker):
            return None
        lookup = _Lookup(self._references, ("broker", at), lambda: self.controller.queue.add(at))
        observed = await self._observe(broker, at, lookup)
        plan = brokers.reconcile(observed, now=self._clock())
        await apply_plan(self._client, plan, manager=MANAGER, record=_no_events)
        return lookup.look_again

    async def _observe(self, broker: Object, at: Key, lookup: _Lookup) -> brokers.Observed:
        spec = broker.get("spec") or {}
        sink = (spec.get("delivery") or {}).get("deadLetterSink")
        return brokers.Observed(
            broker=broker,
            missing_config=await self._missing_config(spec.get("config"), at[0], lookup),
            dead_letter_sink=await lookup.resolve(sink, at[0]) if sink else None,
            ingress_url=self._ingress_url,
        )

    async def _missing_config(
        self, config: dict[str, Any] | None, namespace: str, lookup: _Lookup
    ) -> str | None:
        if not config or config.get("kind") != "ConfigMap":
            return None
        reference = Reference(
            "v1", "ConfigMap", config.get("namespace") or namespace, config.get("name", "")
        )
        return reference.name if await lookup.get(reference) is None else None


class TriggerController:
    """Keeps the status of Triggers of Brokers of our class."""

    def __init__(
        self,
        client: KubeClient,
        cache: WatchCache,
        broker_cache: WatchCache,
        *,
        references: References,
        clock: Clock = wall_clock,
    ) -> None:
        self._client = client
        self._cache = cache
        self._brokers = broker_cache
        self._references = references
        self._clock = clock
        self.controller = Controller("trigger", self._reconcile)
        cache.add_index(_BY_BROKER, _broker_index)
        self.controller.watches(cache)
        self.controller.watches(broker_cache, self._triggers_of)

    def _triggers_of(self, broker: Object) -> Sequence[Key]:
        value = meta.key_text(meta.key(broker))
        return [meta.key(found) for found in self._cache.by_index(_BY_BROKER, value)]

    async def _reconcile(self, at: Key) -> float | None:
        trigger = self._cache.get(*at)
        if trigger is None or meta.is_deleting(trigger):
            self._references.forget(("trigger", at))
            return None
        lookup = _Lookup(self._references, ("trigger", at), lambda: self.controller.queue.add(at))
        observed = await self._observe(trigger, at, lookup)
        plan = triggers.reconcile(observed, now=self._clock())
        await apply_plan(self._client, plan, manager=MANAGER, record=_no_events)
        return lookup.look_again

    async def _observe(self, trigger: Object, at: Key, lookup: _Lookup) -> triggers.Observed:
        spec = trigger.get("spec") or {}
        sink = (spec.get("delivery") or {}).get("deadLetterSink")
        return triggers.Observed(
            trigger=trigger,
            broker=self._brokers.get(at[0], triggers.broker_name(trigger)),
            subscriber=await lookup.resolve(spec.get("subscriber") or {}, at[0]),
            dead_letter_sink=await lookup.resolve(sink, at[0]) if sink else None,
            dependency=await self._dependency(trigger, lookup),
        )

    async def _dependency(self, trigger: Object, lookup: _Lookup) -> triggers.Dependency | None:
        """The admission webhook has seen to it that the annotation is a reference."""
        text = meta.annotations(trigger).get(keys.DEPENDENCY_ANNOTATION)
        if text is None:
            return None
        given = json.loads(text)
        reference = Reference(
            given.get("apiVersion", ""),
            given.get("kind", ""),
            meta.namespace(trigger),
            given.get("name", ""),
        )
        found = await lookup.get(reference)
        if found is None or isinstance(found, Unresolved):
            return triggers.Dependency(None, not_found(reference))
        return triggers.Dependency(found)


class _Lookup:
    """Looks objects up on behalf of one key."""

    def __init__(self, references: References, by: object, enqueue: Enqueue) -> None:
        self._references = references
        self._by = by
        self._enqueue = enqueue
        self.look_again: float | None = None
        """Seconds after which to look again for a kind that is not served."""

    async def get(self, reference: Reference) -> Object | Unresolved | None:
        found = await self._references.get(reference, by=self._by, enqueue=self._enqueue)
        if isinstance(found, NotServed):
            self.look_again = _LOOK_AGAIN_SECONDS
        return found

    async def resolve(self, destination: dict[str, Any], namespace: str) -> Resolution:
        reference = reference_of(destination, namespace)
        found = await self.get(reference) if reference is not None else None
        return resolve(destination, reference, found)


def _broker_index(trigger: Object) -> Sequence[str]:
    return (meta.key_text((meta.namespace(trigger), triggers.broker_name(trigger))),)


def _no_events(event: Event) -> None:
    raise AssertionError(f"plans here have no events: {event.reason}")
