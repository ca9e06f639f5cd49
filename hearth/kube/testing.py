"""For tests of controllers: a client whose API server is a dictionary. No sockets, no time."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from typing import Any

import orjson

from hearth.kube.client import KubeClient, WatchEvent
from hearth.kube.controllerspec import Index, Lister, Source
from hearth.kube.errors import error_for
from hearth.kube.meta import Object, key, name, namespace, resource_version
from hearth.kube.resources import Resource


class FakeClient(KubeClient):
    """Keeps what is created, tells watches, and refuses what ``refusals`` says, by name."""

    def __init__(self) -> None:
        # No session is opened: every method that would need one is answered here.
        self.objects: dict[Resource, dict[tuple[str, str], Object]] = {}
        self.refusals: dict[str, dict[str, Any]] = {}
        self.written: list[tuple[str, str, str]] = []
        """Verb, kind and name of each write that was taken."""
        self._revision = 1
        self._watchers: list[tuple[Resource, asyncio.Queue[WatchEvent]]] = []

    def put(self, resource: Resource, obj: Object) -> Object:
        """Store an object, as another client's write would."""
        self._revision += 1
        obj = copy.deepcopy(obj)
        obj["metadata"]["resourceVersion"] = str(self._revision)
        obj["metadata"].setdefault("uid", f"uid-{self._revision}")
        known = self.objects.setdefault(resource, {})
        kind = "MODIFIED" if key(obj) in known else "ADDED"
        known[key(obj)] = obj
        self._tell(resource, kind, obj)
        return copy.deepcopy(obj)

    def remove(self, resource: Resource, namespace: str, name: str) -> None:
        """Delete an object, as another client would."""
        self._revision += 1
        obj = self.objects[resource].pop((namespace, name))
        obj["metadata"]["resourceVersion"] = str(self._revision)
        self._tell(resource, "DELETED", obj)

    def send(self, resource: Resource, event: WatchEvent) -> None:
        """Tell watches something of the test's own making."""
        for watched, queue in self._watchers:
            if watched == resource:
                queue.put_nowait(event)

    def _tell(self, resource: Resource, kind: str, obj: Object) -> None:
        self.send(resource, WatchEvent(kind, copy.deepcopy(obj)))

    async def list(self, resource: Resource, *args: Any, **options: Any) -> Any:
        """Return everything of a resource."""
        return copy.deepcopy(list(self.objects.get(resource, {}).values())), str(self._revision)

    async def watch(
        self,
        resource: Resource,
        *args: Any,
        is_known: Callable[[bytes], bool] = lambda line: False,
        **options: Any,
    ) -> AsyncIterator[WatchEvent]:
        """Yield changes until cancelled, but for those that are known."""
        queue: asyncio.Queue[WatchEvent] = asyncio.Queue()
        self._watchers.append((resource, queue))
        while True:
            event = await queue.get()
            if not is_known(orjson.dumps({"type": event.type, "object": event.object})):
                yield event

    async def get(
        self, resource: Resource, name: str, namespace: str | None = None, *, subresource: str = ""
    ) -> Object:
        """Return one object."""
        known = self.objects.get(resource, {}).get((namespace or "", name))
        if known is None:
            raise error_for({"code": 404, "reason": "NotFound", "message": f"{name} not found"})
        return copy.deepcopy(known)

    async def create(self, resource: Resource, obj: Object, **options: Any) -> Object:
        """Store an object, unless there is one or it is to be refused."""
        if key(obj) in self.objects.get(resource, {}):
            raise error_for({"code": 409, "reason": "AlreadyExists", "message": "already exists"})
        return self._write("create", resource, obj)

    async def update(self, resource: Resource, obj: Object, *, subresource: str = "") -> Object:
        """Replace an object, unless it was changed since it was read or is to be refused."""
        known = await self.get(resource, name(obj), namespace(obj))
        if resource_version(obj) not in ("", resource_version(known)):
            raise error_for({"code": 409, "reason": "Conflict", "message": "it was changed"})
        return self._write("update", resource, obj)

    async def patch(
        self, resource: Resource, name: str, namespace: str | None, patch: Any, **options: Any
    ) -> Object:
        """Merge the top level of a patch, unless it is to be refused."""
        known = self.objects[resource][(namespace or "", name)]
        return self._write("patch", resource, {**known, **patch})

    def _write(self, verb: str, resource: Resource, obj: Object) -> Object:
        refusal = self.refusals.get(name(obj))
        if refusal is not None:
            raise error_for(refusal)
        self.written.append((verb, resource.kind, name(obj)))
        return self.put(resource, obj)


def an_object(title: str, **fields: Any) -> Object:
    """Make a ConfigMap-like object of the namespace ``ns``."""
    labels = fields.pop("labels", {})
    return {"metadata": {"name": title, "namespace": "ns", "labels": labels}, **fields}


class FakeLister(Lister):
    """Reads from what it was given, by the functions of the indexes it is asked for."""

    def __init__(self, objects: Mapping[Source, Iterable[Object]]) -> None:
        self._objects = {source: list(held) for source, held in objects.items()}

    def get(self, source: Source, namespace: str, name: str) -> Object | None:
        """Return the object of that name."""
        return next((obj for obj in self.list(source) if key(obj) == (namespace, name)), None)

    def list(self, source: Source, namespace: str | None = None) -> Sequence[Object]:
        """Return all objects, or those of one namespace."""
        held = self._objects.get(source, [])
        return [obj for obj in held if namespace in (None, key(obj)[0])]

    def by_index(self, index: Index, value: str) -> Sequence[Object]:
        """Return the objects for which the index's function gives this value."""
        return [obj for obj in self.list(index.source) if value in index.function(obj)]

    def count(self, index: Index, value: str) -> int:
        """Return how many objects ``by_index`` would."""
        return len(self.by_index(index, value))
