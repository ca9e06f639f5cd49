"""Watches a deployment until it serves or fails, and finds the last words of what failed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from hearth.functions.deploying.progress import (
    Progress,
    Seen,
    newest_revision,
    progress,
)
from hearth.knative.resources import KSERVICES, REVISIONS
from hearth.kube import meta
from hearth.kube.cache import WatchCache
from hearth.kube.client import KubeClient
from hearth.kube.errors import ApiError
from hearth.kube.meta import Object
from hearth.kube.resources import PODS
from hearth.timeouts import time_limit

Tell = Callable[[Progress], None]

_LAST_LINES = 15


class Watch:
    """Sees a Service with its newest revision and that one's pods, as they change."""

    def __init__(self, client: KubeClient, name: str, namespace: str, older: str = "") -> None:
        """Watch a Service; ``older`` is a revision that is not the one that was asked for."""
        self._older = older
        self._client, self._name, self._namespace = client, name, namespace
        mine = f"serving.knative.dev/service={name}"
        named = f"metadata.name={name}"
        self._services = WatchCache(client, KSERVICES, namespace=namespace, field_selector=named)
        self._revisions = WatchCache(client, REVISIONS, namespace=namespace, label_selector=mine)
        self._pods = WatchCache(client, PODS, namespace=namespace, label_selector=mine)
        self._changed = asyncio.Event()

    async def until_over(self, generation: int, seconds: float, tell: Tell) -> Progress:
        """Return how it ended, or how far it was when the time was up; tell of each step."""
        latest: Progress | None = None
        caches = (self._services, self._revisions, self._pods)
        watching = [asyncio.create_task(cache.run()) for cache in caches]
        try:
            async with time_limit(seconds):
                for cache in caches:
                    await cache.synced()
                    cache.on_change(lambda _old, _new: self._changed.set())
                while True:
                    self._changed.clear()
                    now = self._progress(generation)
                    if now is not None and now != latest:
                        latest = now
                        tell(now)
                    if now is not None and now.is_over:
                        return now
                    await self._changed.wait()
        except TimeoutError:
            return latest or progress(Seen({"metadata": {"generation": generation}}))
        finally:
            for task in watching:
                task.cancel()
            await asyncio.gather(*watching, return_exceptions=True)

    def _progress(self, generation: int) -> Progress | None:
        """None while the caches have not yet seen what was written."""
        service = self._services.get(self._namespace, self._name)
        if service is None or meta.generation(service) < generation:
            return None
        name = self._revision(service)
        revision = self._revisions.get(self._namespace, name) if name else None
        pods = [each for each in self._pods.list() if _revision_of(each) == name]
        return progress(Seen(service, revision, pods))

    def _revision(self, service: Object) -> str:
        """The revision that was asked for; "" while only an older one is there."""
        name = newest_revision(service)
        return "" if name == self._older else name

    async def last_words(self) -> list[str]:
        """Return the last lines that the newest revision's pods have printed, if any."""
        mine = f"serving.knative.dev/service={self._name}"
        try:
            service = await self._client.get(KSERVICES, self._name, self._namespace)
            pods, _ = await self._client.list(PODS, self._namespace, label_selector=mine)
        except ApiError:
            return []
        name = self._revision(service)
        for pod in sorted(pods, key=meta.name):
            if _revision_of(pod) == name:
                for previous in ("false", "true"):
                    lines = await self._log(pod, previous)
                    if lines:
                        return lines
        return []

    async def _log(self, pod: Object, previous: str) -> list[str]:
        container = pod["spec"]["containers"][0]["name"]
        query = {"container": container, "tailLines": str(_LAST_LINES), "previous": previous}
        try:
            lines = self._client.logs(meta.name(pod), self._namespace, query=query)
            return [line.decode("utf-8", "replace") async for line in lines]
        except ApiError:
            return []


def _revision_of(pod: Object) -> str:
    return str(meta.labels(pod).get("serving.knative.dev/revision") or "")
