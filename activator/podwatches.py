"""Pods that are watched themselves: those of revisions, and those of namespaces that have routes.

Their own word is there before any EndpointSlice: with an address the activator may probe a pod,
before a kubelet says that it is ready, and a pod that ends gets nothing more as soon as it is
known. A namespace is watched while a route of KEDA's HTTP add-on leads there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from activator.endpoints import selects, trimmed, trimmed_with_probes
from hearth.kube.cache import Change, WatchCache
from hearth.kube.client import KubeClient
from hearth.kube.meta import Key, Object, key, labels, namespace
from hearth.kube.resources import PODS
from serving.api import keys


@dataclass(frozen=True, slots=True)
class Watched:
    """Pods among which are all of a Service."""

    pods: Iterable[Object]
    # They say how to see that they are ready, and others may have made endpoints besides.
    are_anybodys: bool


class PodWatches:
    """The caches; ``services`` is that of the Services whose pods these are."""

    def __init__(self, client: KubeClient, services: WatchCache) -> None:
        self._client = client
        self._services = services
        services.add_index("selector", _clause_of_service)
        self.revisions = WatchCache(client, PODS, label_selector=keys.REVISION_UID, keep=trimmed)
        self.revisions.add_index("revision", _revision_of_pod)
        self._of_namespace: dict[str, tuple[WatchCache, asyncio.Task[None]]] = {}
        self._callbacks: list[Change] = []
        # All pods of a namespace are known from now on.
        self.listed: Callable[[str], None] = lambda namespace: None

    def on_change(self, callback: Change) -> None:
        """Call back for every change of a pod."""
        self._callbacks.append(callback)
        self.revisions.on_change(callback)

    def behind(self, service: Object) -> Watched | None:
        """What is known of the pods of a Service; None where slices have the word."""
        for revision in _revision_selected(service):
            return Watched(self.revisions.by_index("revision", revision), are_anybodys=False)
        if not _selector(service) or namespace(service) not in self._of_namespace:
            return None
        cache, _ = self._of_namespace[namespace(service)]
        if not cache.is_synced:
            return None
        (clause,) = _clause_of_service(service)
        return Watched(cache.by_index("label", clause), are_anybodys=True)

    def services_of(self, pod: Object) -> Iterator[Key]:
        """The Services that select a pod."""
        for clause in _clauses_of_pod(pod):
            for service in self._services.by_index("selector", clause):
                if selects(service, pod):
                    yield key(service)

    def follow(self, namespaces: frozenset[str]) -> None:
        """Watch all pods of these namespaces, and of no others."""
        for left in self._of_namespace.keys() - namespaces:
            self._of_namespace.pop(left)[1].cancel()
        for new in namespaces - self._of_namespace.keys():
            cache = WatchCache(
                self._client,
                PODS,
                namespace=new,
                label_selector=f"!{keys.REVISION_UID}",
                keep=trimmed_with_probes,
            )
            cache.add_index("label", _clauses_of_pod)
            for callback in self._callbacks:
                cache.on_change(callback)
            task = asyncio.create_task(self._watch(new, cache), name=f"watch-pods-{new}")
            self._of_namespace[new] = cache, task

    async def _watch(self, namespace: str, cache: WatchCache) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(cache.run(), name=f"cache-pods-{namespace}")
            await cache.synced()
            self.listed(namespace)

    async def run(self) -> None:
        """Keep all in step until cancelled."""
        try:
            await self.revisions.run()
        finally:
            tasks = [task for _, task in self._of_namespace.values()]
            self.follow(frozenset())
            await asyncio.gather(*tasks, return_exceptions=True)


def _revision_of_pod(pod: Object) -> list[str]:
    return [f"{namespace(pod)}/{labels(pod).get(keys.REVISION_UID)}"]


def _revision_selected(service: Object) -> list[str]:
    """The revision whose pods a Service selects, by uid: such Services are made for revisions."""
    chosen = _selector(service).get(keys.REVISION_UID)
    return [f"{namespace(service)}/{chosen}"] if chosen else []


def _clause_of_service(service: Object) -> list[str]:
    """One clause of the selector finds the candidates among many Services."""
    clauses = sorted(
        _selector(service).items(), key=lambda each: (each[0] != keys.REVISION_UID, each)
    )
    return [f"{namespace(service)}/{label}={value}" for label, value in clauses[:1]]


def _clauses_of_pod(pod: Object) -> list[str]:
    return [f"{namespace(pod)}/{label}={value}" for label, value in labels(pod).items()]


def _selector(service: Object) -> dict[str, str]:
    return (service.get("spec") or {}).get("selector") or {}
