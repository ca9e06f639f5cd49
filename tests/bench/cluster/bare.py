"""A Deployment of the same pod without Hearth, and how long it takes to answer by itself."""

from __future__ import annotations

import asyncio
import copy
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Self

from hearth.kube.cache import WatchCache
from hearth.kube.client import KubeClient
from hearth.kube.meta import Object
from hearth.kube.resources import DEPLOYMENTS, PODS
from hearth.kube.views import Pod
from tests.bench.cluster.moments import Moments, Start

LABEL = "bench-bare"
_LOOK_SECONDS = 0.002
_LONGEST_SECONDS = 120.0


class Bare:
    """Bare twins of the Services' Deployments, watched through their pods."""

    def __init__(self, client: KubeClient, namespace: str, pods: WatchCache) -> None:
        self._client = client
        self._namespace = namespace
        self._pods = pods
        self._moments = Moments(pods, LABEL)
        self._changed = asyncio.Event()
        pods.on_change(lambda _old, _new: self._changed.set())

    @classmethod
    @asynccontextmanager
    async def running(cls, client: KubeClient, namespace: str) -> AsyncIterator[Self]:
        """Watch the pods of all twins for as long as the context lasts."""
        pods = WatchCache(client, PODS, namespace=namespace, label_selector=LABEL)
        watching = asyncio.create_task(pods.run())
        try:
            await pods.synced()
            yield cls(client, namespace, pods)
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    async def create(self, name: str, deployment: Object) -> Start:
        """Create the twin and return once its pod is ready by the kubelet's word."""
        twin = _twin(name, deployment)
        began = time.perf_counter()
        await self._client.create(DEPLOYMENTS, twin)
        await self._until(lambda: any(pod.is_ready for pod in self._of(name)))
        return self._moments.start(name, began=began)

    async def start(self, name: str) -> Start:
        """From scaling to 1 until the pod's IP answers a request."""
        self._moments.forget(name)
        began = time.perf_counter()
        await self._scale(name, 1)
        await self._until(lambda: any(pod.ip for pod in self._of(name)))
        [pod] = self._of(name)
        port = int(pod.containers[0]["ports"][0]["containerPort"])
        async with asyncio.timeout(_LONGEST_SECONDS):
            while not await _answers(pod.ip, port):
                await asyncio.sleep(_LOOK_SECONDS)
        return self._moments.start(name, began=began)

    async def scale_to_zero(self, name: str) -> None:
        """Return once the pod is gone."""
        await self._scale(name, 0)
        await self._until(lambda: not self._of(name))

    async def _scale(self, name: str, replicas: int) -> None:
        patch = {"spec": {"replicas": replicas}}
        await self._client.patch(DEPLOYMENTS, _twin_name(name), self._namespace, patch)

    def _of(self, name: str) -> list[Pod]:
        return [Pod(pod) for pod in self._pods.list() if pod["metadata"]["labels"][LABEL] == name]

    async def _until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(_LONGEST_SECONDS):
            while not condition():
                self._changed.clear()
                await self._changed.wait()


def _twin_name(name: str) -> str:
    return f"bare-{name}"


def _twin(name: str, deployment: Object) -> Object:
    """The same pod under other labels, so that nothing of Hearth's sees it."""
    spec = copy.deepcopy(deployment["spec"])
    marks = {LABEL: name}
    spec |= {"replicas": 1, "selector": {"matchLabels": marks}}
    spec["template"]["metadata"] = {"labels": marks}
    return {
        "apiVersion": DEPLOYMENTS.api_version,
        "kind": DEPLOYMENTS.kind,
        "metadata": {"name": _twin_name(name), "namespace": deployment["metadata"]["namespace"]},
        "spec": spec,
    }


async def _answers(host: str, port: int) -> bool:
    try:
        reader, writer = await asyncio.open_connection(host, port)
    except OSError:
        return False
    try:
        writer.write(b"GET / HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n")
        return (await reader.readline()).startswith(b"HTTP/1.1 200")
    except OSError:
        return False
    finally:
        writer.close()
