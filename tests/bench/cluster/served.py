"""Services of Hearth on the cluster: made, asked, asleep."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Self

import aiohttp

from hearth.knative.resources import KSERVICES
from hearth.kube.cache import WatchCache
from hearth.kube.client import KubeClient
from hearth.kube.conditions import Conditions
from hearth.kube.meta import Object
from hearth.kube.resources import DEPLOYMENTS, PODS
from tests.bench.cluster.moments import Moments, Start

NAMESPACE = "hearth-bench"
_SERVICE = "serving.knative.dev/service"
_LONGEST_SECONDS = 300.0


class Served:
    """The Services of the benchmark, watched as a user's tools would."""

    def __init__(
        self, client: KubeClient, session: aiohttp.ClientSession, gateway: str, image: str
    ) -> None:
        self._client = client
        self._session = session
        self._gateway = gateway
        self._image = image
        self._services = WatchCache(client, KSERVICES, namespace=NAMESPACE)
        self._pods = WatchCache(client, PODS, namespace=NAMESPACE, label_selector=_SERVICE)
        self._moments = Moments(self._pods, _SERVICE)
        self._changed = asyncio.Event()
        for cache in (self._services, self._pods):
            cache.on_change(lambda _old, _new: self._changed.set())

    @classmethod
    @asynccontextmanager
    async def running(cls, client: KubeClient, gateway: str, image: str) -> AsyncIterator[Self]:
        """Watch for as long as the context lasts."""
        async with aiohttp.ClientSession() as session:
            served = cls(client, session, gateway, image)
            caches = (served._services, served._pods)
            watching = [asyncio.create_task(cache.run()) for cache in caches]
            try:
                for cache in caches:
                    await cache.synced()
                yield served
            finally:
                for task in watching:
                    task.cancel()
                await asyncio.gather(*watching, return_exceptions=True)

    async def create(self, name: str, annotations: Mapping[str, str] | None = None) -> Start:
        """Create a Service and return once it is Ready."""
        began = time.perf_counter()
        await self._client.create(KSERVICES, _service(name, self._image, annotations or {}))
        await self._until(lambda: Conditions.of(self._get(name)).is_true("Ready"))
        return self._moments.start(name, began=began)

    async def ask(self, name: str) -> Start:
        """From a request to its answer, by a pod that is started for it."""
        self._moments.forget(name)
        headers = {"Host": self.host(name)}
        began = time.perf_counter()
        async with self._session.get(f"http://{self._gateway}/", headers=headers) as answer:
            await answer.read()
            if answer.status != 200:
                raise RuntimeError(f"{name} answered {answer.status}")
        return self._moments.start(name, began=began)

    def host(self, name: str) -> str:
        """The host by which the gateway knows it."""
        return str(self._get(name)["status"]["url"]).removeprefix("http://")

    async def deployment(self, name: str) -> Object:
        """The Deployment of its revision."""
        revision = self._get(name)["status"]["latestReadyRevisionName"]
        return await self._client.get(DEPLOYMENTS, f"{revision}-deployment", NAMESPACE)

    async def asleep(self) -> None:
        """Return once no Service has a pod."""
        await self._until(lambda: not len(self._pods))

    def _get(self, name: str) -> Object:
        return self._services.get(NAMESPACE, name) or {}

    async def _until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(_LONGEST_SECONDS):
            while not condition():
                self._changed.clear()
                await self._changed.wait()


def _service(name: str, image: str, annotations: Mapping[str, str]) -> Object:
    return {
        "apiVersion": KSERVICES.api_version,
        "kind": KSERVICES.kind,
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "template": {
                "metadata": {
                    "annotations": {"autoscaling.knative.dev/window": "6s", **annotations}
                },
                "spec": {
                    "containers": [{"image": image, "imagePullPolicy": "IfNotPresent"}],
                    "timeoutSeconds": 10,
                },
            }
        },
    }
