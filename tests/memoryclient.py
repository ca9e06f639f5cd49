"""A client of an API server in memory (``tests.memoryapi``)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

from hearth.kube.client import KubeClient, WatchEvent
from hearth.kube.meta import Object, copied, labels, version_number
from hearth.kube.patch import MERGE_PATCH
from hearth.kube.resources import Resource
from hearth.kube.selectors import EVERYTHING, parse_label_selector
from tests.memoryapi import MemoryApi, fault


class MemoryClient(KubeClient):
    """A client of such a server. ``user`` is who writes."""

    def __init__(self, api: MemoryApi, user: str) -> None:
        # No session is opened: every method that would need one is answered here.
        self.api = api
        self.user = user

    async def close(self) -> None:
        """There is nothing to close."""

    async def write(self, work: Callable[[], Object], resource: Resource) -> Object:
        """Carry out a write: where one gets lost or ends its writer, that is here."""
        await asyncio.sleep(0)
        done: Object = copied(work())
        return done

    async def request(self, method: str, path: str, **options: Any) -> Object:
        raise fault(404, "NotFound", f"{method} {path}")

    async def get(
        self, resource: Resource, name: str, namespace: str | None = None, *, subresource: str = ""
    ) -> Object:
        found: Object = copied(self.api.the(resource, namespace or "", name))
        return found

    async def list(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        label_selector: str | None = None,
        field_selector: str | None = None,
        limit: int | None = None,
    ) -> tuple[list[Object], str]:
        selector = parse_label_selector(label_selector) if label_selector else EVERYTHING
        found = [obj for obj in self.api.all(resource) if selector.matches(labels(obj))]
        return copied(found), str(self.api.version)

    async def watch(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        resource_version: str,
        label_selector: str | None = None,
        **options: Any,
    ) -> AsyncIterator[WatchEvent]:
        selector = parse_label_selector(label_selector) if label_selector else EVERYTHING
        version = int(resource_version)
        while True:
            news = self.api.kept[resource].news
            for event in self.api.since(resource, version, selector):
                version = version_number(event.object)
                yield event
            await news.wait()

    async def create(self, resource: Resource, obj: Object, **options: Any) -> Object:
        return await self.write(lambda: self.api.create(resource, obj, self.user), resource)

    async def update(self, resource: Resource, obj: Object, *, subresource: str = "") -> Object:
        return await self.write(
            lambda: self.api.update(resource, obj, self.user, subresource), resource
        )

    async def patch(
        self,
        resource: Resource,
        name: str,
        namespace: str | None,
        patch: Any,
        *,
        content_type: str = MERGE_PATCH,
        subresource: str = "",
    ) -> Object:
        assert content_type == MERGE_PATCH, content_type
        where = namespace or "", name
        return await self.write(
            lambda: self.api.patch(resource, where, patch, self.user, subresource), resource
        )

    async def delete(
        self,
        resource: Resource,
        name: str,
        namespace: str | None = None,
        *,
        uid: str | None = None,
        **options: Any,
    ) -> Object:
        def work() -> Object:
            self.api.delete(resource, (namespace or "", name), self.user, uid)
            return {}

        return await self.write(work, resource)
