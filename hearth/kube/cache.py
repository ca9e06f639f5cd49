"""A watch cache: the current objects of one resource, kept by list and watch.

What client-go calls an informer. Readers get shared objects that they must not change. Callbacks
run on the loop right after the store changed and must be quick: they put keys on a queue.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Sequence

from hearth.kube.client import KubeClient, WatchEvent
from hearth.kube.errors import ApiError, Gone
from hearth.kube.meta import Key, Object, key, resource_version
from hearth.kube.resources import Resource

log = logging.getLogger(__name__)

Change = Callable[[Object | None, Object | None], None]
"""Called with the object before and after: (None, new), (old, new) or (old, None)."""
IndexFunction = Callable[[Object], Iterable[str]]

_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 5.0


class WatchCache:
    """Lists and watches one resource; ``run()`` keeps it current until cancelled."""

    def __init__(
        self,
        client: KubeClient,
        resource: Resource,
        *,
        namespace: str | None = None,
        label_selector: str | None = None,
        field_selector: str | None = None,
    ) -> None:
        self.resource = resource
        self._client = client
        self._namespace = namespace
        self._label_selector = label_selector
        self._field_selector = field_selector
        self._objects: dict[Key, Object] = {}
        self._indexes: dict[str, tuple[IndexFunction, dict[str, dict[Key, Object]]]] = {}
        self._callbacks: list[Change] = []
        self._version = ""
        self._synced = asyncio.Event()

    # -- reading ---------------------------------------------------------------------------

    def get(self, namespace: str, name: str) -> Object | None:
        return self._objects.get((namespace, name))

    def list(self, namespace: str | None = None) -> Sequence[Object]:
        if namespace is None:
            return list(self._objects.values())
        return [obj for (space, _), obj in self._objects.items() if space == namespace]

    def by_index(self, index: str, value: str) -> Sequence[Object]:
        return list(self._indexes[index][1].get(value, {}).values())

    def __len__(self) -> int:
        return len(self._objects)

    async def synced(self) -> None:
        """Waits for the first complete list."""
        await self._synced.wait()

    # -- wiring ----------------------------------------------------------------------------

    def add_index(self, name: str, function: IndexFunction) -> None:
        """Makes ``by_index(name, value)`` answer the objects for which function gives value."""
        self._indexes[name] = (function, {})
        for obj in self._objects.values():
            self._reindex(None, obj)

    def on_change(self, callback: Change) -> None:
        """Calls back for every change from now on, and now for what is there already."""
        self._callbacks.append(callback)
        for obj in list(self._objects.values()):
            callback(None, obj)

    def put(self, obj: Object) -> None:
        """Takes over the answer to a write of our own, so that the writer sees it at once.

        Resource versions of one server grow and are compared as numbers. What the watch has
        passed already is left alone: the object may have been changed or deleted since.
        """
        version = int(resource_version(obj))
        if not self._synced.is_set() or version <= int(self._version or 0):
            return
        known = self._objects.get(key(obj))
        if known is None or int(resource_version(known)) < version:
            self._store(key(obj), obj)

    # -- keeping current -------------------------------------------------------------------

    async def run(self) -> None:
        """Lists, then watches; resumes after a broken stream, lists anew after 410."""
        pause = _FIRST_PAUSE
        while True:
            try:
                if not self._version:
                    await self._relist()
                async for event in self._events():
                    self._handle(event)
                    pause = _FIRST_PAUSE
                continue
            except Gone:
                self._version = ""
                continue
            except ApiError as error:
                log.debug(
                    "watch interrupted",
                    extra={"resource": self.resource.plural, "error": error.message},
                )
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    def _events(self) -> AsyncIterator[WatchEvent]:
        return self._client.watch(
            self.resource,
            self._namespace,
            resource_version=self._version,
            label_selector=self._label_selector,
            field_selector=self._field_selector,
        )

    async def _relist(self) -> None:
        items, version = await self._client.list(
            self.resource,
            self._namespace,
            label_selector=self._label_selector,
            field_selector=self._field_selector,
            limit=1000,
        )
        fresh = {key(item): item for item in items}
        for gone in self._objects.keys() - fresh.keys():
            self._store(gone, None)
        for at, obj in fresh.items():
            known = self._objects.get(at)
            if known is None or resource_version(known) != resource_version(obj):
                self._store(at, obj)
        self._version = version
        self._synced.set()

    def _handle(self, event: WatchEvent) -> None:
        self._version = resource_version(event.object)
        if event.type == "DELETED":
            self._store(key(event.object), None)
        elif event.type != "BOOKMARK":
            known = self._objects.get(key(event.object))
            if known is None or int(resource_version(known)) < int(self._version):
                self._store(key(event.object), event.object)

    def _store(self, at: Key, new: Object | None) -> None:
        if new is not None:
            # Half of an object, and nobody here reads it. An update without it keeps the server's.
            new["metadata"].pop("managedFields", None)
        old = self._objects.pop(at, None) if new is None else self._objects.get(at)
        if new is not None:
            self._objects[at] = new
        self._reindex(old, new)
        if old is None and new is None:
            return
        for callback in self._callbacks:
            callback(old, new)

    def _reindex(self, old: Object | None, new: Object | None) -> None:
        for function, entries in self._indexes.values():
            if old is not None:
                for value in function(old):
                    bucket = entries.get(value)
                    if bucket is not None:
                        bucket.pop(key(old), None)
                        if not bucket:
                            del entries[value]
            if new is not None:
                for value in function(new):
                    entries.setdefault(value, {})[key(new)] = new


def put_into(caches: Iterable[WatchCache]) -> Callable[[Resource, Object], None]:
    """A ``seen`` callback for ``apply_plan``: answers go into the cache of their resource."""
    by_resource = {cache.resource: cache for cache in caches}

    def seen(resource: Resource, obj: Object) -> None:
        cache = by_resource.get(resource)
        if cache is not None:
            cache.put(obj)

    return seen
