"""Objects that others refer to: looked up through caches that start with the first reference.

Whoever looked an object up is enqueued again when it changes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from hearth.knative.destinations import Reference, Unresolved
from hearth.kube.cache import WatchCache
from hearth.kube.client import KubeClient
from hearth.kube.errors import NotFound, Unavailable
from hearth.kube.meta import Key, Object, key
from hearth.kube.resources import Resource

_SYNC_SECONDS = 10.0
Enqueue = Callable[[], None]


class NotServed(Unresolved):
    """The kind itself is not there (yet); nobody tells when it comes."""


class References:
    """``run`` must be running; it owns the caches' tasks."""

    def __init__(self, client: KubeClient) -> None:
        self._client = client
        self._caches: dict[Resource, WatchCache] = {}
        self._interest: dict[tuple[Resource, Key], dict[object, Enqueue]] = {}
        self._group: asyncio.TaskGroup | None = None
        self._stopped = asyncio.Event()

    def provide(self, cache: WatchCache) -> None:
        """Uses a cache that somebody else runs."""
        self._caches[cache.resource] = cache
        self._follow(cache)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            self._group = group
            await self._stopped.wait()

    async def get(
        self, reference: Reference, *, by: object, enqueue: Enqueue
    ) -> Object | Unresolved | None:
        """The object; None when there is none; NotServed when there is no such kind.

        ``enqueue`` is called at every change of it from now on, once for each ``by``.
        """
        resource = reference.resource
        cache = self._caches.get(resource)
        if cache is None:
            if not await self._is_served(resource):
                return NotServed(
                    f"failed to get lister for {resource.group}/{resource.version}, "
                    f"Resource={resource.plural}: the server could not find the requested resource"
                )
            cache = self._start(resource)
        try:
            async with asyncio.timeout(_SYNC_SECONDS):
                await cache.synced()
        except TimeoutError:
            raise Unavailable(
                {"message": f"{resource.plural} cannot be listed", "code": 503}
            ) from None
        at = (reference.namespace, reference.name)
        self._interest.setdefault((resource, at), {})[by] = enqueue
        return cache.get(*at)

    async def _is_served(self, resource: Resource) -> bool:
        try:
            await self._client.request("GET", resource.path(), query={"limit": "1"})
        except NotFound:
            return False
        return True

    def _start(self, resource: Resource) -> WatchCache:
        found = self._caches.get(resource)  # another one may have been as quick
        if found is not None:
            return found
        if self._group is None:
            raise RuntimeError("references are not being followed")
        cache = WatchCache(self._client, resource)
        self._caches[resource] = cache
        self._follow(cache)
        self._group.create_task(cache.run(), name=f"watch-{resource.plural}")
        return cache

    def _follow(self, cache: WatchCache) -> None:
        def changed(old: Object | None, new: Object | None) -> None:
            obj = new if new is not None else old
            if obj is not None:
                for enqueue in list(self._interest.get((cache.resource, key(obj)), {}).values()):
                    enqueue()

        cache.on_change(changed)

    def forget(self, by: object) -> None:
        """Somebody is gone and need not be enqueued again."""
        for interested in self._interest.values():
            interested.pop(by, None)
