"""The stage of the demo: a Hearth in a temporary folder, its API and its gateway."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import aiohttp
import yaml

from hearth.cli import samples
from hearth.keda.api.keys import SCALEDOBJECTS
from hearth.knative.resources import (
    BROKERS,
    CLUSTERDOMAINCLAIMS,
    DOMAINMAPPINGS,
    KSERVICES,
    REVISIONS,
    SINKBINDINGS,
    TRIGGERS,
)
from hearth.knative.views import KnativeView
from hearth.kube import meta
from hearth.kube.cache import WatchCache
from hearth.kube.client import KubeClient
from hearth.kube.meta import Object
from hearth.kube.resources import (
    DEPLOYMENTS,
    PERSISTENTVOLUMECLAIMS,
    PODS,
    SERVICES,
    Resource,
)
from hearth.timeouts import time_limit

NAMESPACE = "default"
_CACHED = (
    *(KSERVICES, PODS, REVISIONS, DEPLOYMENTS, BROKERS, TRIGGERS),
    *(DOMAINMAPPINGS, SCALEDOBJECTS),
)
_APPLIED = (
    *(KSERVICES, BROKERS, TRIGGERS, SINKBINDINGS, DEPLOYMENTS, SERVICES),
    *(PERSISTENTVOLUMECLAIMS, CLUSTERDOMAINCLAIMS, DOMAINMAPPINGS, SCALEDOBJECTS),
)
_KINDS = {(resource.api_version, resource.kind): resource for resource in _APPLIED}


class Failed(Exception):
    """A step did not hold; the text says what was expected and what happened."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of a service, and the seconds it took."""

    status: int
    body: str
    headers: dict[str, str]
    seconds: float


@dataclass(slots=True)
class Stage:
    """Everything a step needs. Use as an async context manager around the steps."""

    data_dir: Path
    events: str = "local"
    """What can keep events: ``local``, or ``nats``, whose server runs then as well."""
    client: KubeClient = field(init=False)
    port: int = 0
    started_in: float = 0.0
    _http: aiohttp.ClientSession = field(init=False)
    _caches: dict[Resource, WatchCache] = field(default_factory=dict)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def __aenter__(self) -> Self:
        began = time.monotonic()
        await asyncio.to_thread(self.hearth, "up", "--detach", *self._options())
        self.started_in = time.monotonic() - began
        state = json.loads((self.data_dir / "state.json").read_text())
        self.port = state["ports"]["gateway"]
        self.client = KubeClient.from_kubeconfig(
            Path(state["kubeconfig"]), user_agent="hearth-demo"
        )
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            timeout=aiohttp.ClientTimeout(total=30),
        )
        for resource in _CACHED:
            cache = WatchCache(self.client, resource)
            cache.on_change(lambda _old, _new: self._changed.set())
            self._caches[resource] = cache
            self._tasks.append(asyncio.create_task(cache.run()))
        for cache in self._caches.values():
            await cache.synced()
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._http.close()
        await self.client.close()
        await asyncio.to_thread(self.hearth, "down")

    def _options(self) -> tuple[str, ...]:
        return ("--port", "0", *(() if self.events == "local" else ("--events", self.events)))

    def hearth(self, *arguments: str) -> None:
        """Runs the command on this Hearth; Failed with what it says where that fails."""
        command = [sys.executable, "-m", "hearth.cli", *arguments]
        done = subprocess.run(
            [*command, "--data-dir", str(self.data_dir)],
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
        if done.returncode != 0:
            raise Failed(f"hearth {arguments[0]}: {done.stdout}{done.stderr}".strip())

    # -- the API -----------------------------------------------------------------------------------

    async def apply(self, sample: str) -> None:
        """Applies the objects of a sample file, server-side."""
        for obj in yaml.safe_load_all((samples.folder() / sample).read_text()):
            await self.apply_object(obj)

    async def apply_object(self, obj: Object) -> None:
        """Applies one object, in the demo's namespace unless it names another one."""
        resource = _KINDS[(obj["apiVersion"], obj["kind"])]
        if resource.namespaced:
            obj["metadata"].setdefault("namespace", NAMESPACE)
        await self.client.apply(resource, obj, field_manager="hearth-demo")

    def objects(self, resource: Resource) -> list[Object]:
        """Lists the watched objects of a kind."""
        return list(self._caches[resource].list(NAMESPACE))

    def pods(self, service: str) -> list[Object]:
        """Lists the pods of a service."""
        label = "serving.knative.dev/service"
        return [p for p in self.objects(PODS) if meta.labels(p).get(label) == service]

    def is_ready(self, resource: Resource, name: str) -> bool:
        """Tells whether an object is Ready as it is written now."""
        obj = self._caches[resource].get(NAMESPACE, name)
        if obj is None:
            return False
        return KnativeView(obj).ready_status == "True"

    async def until(
        self, condition: Callable[[], bool], what: str, *, seconds: float = 30
    ) -> float:
        """Waits for a condition on the watched objects; returns the seconds it took, or Failed."""
        began = time.monotonic()
        try:
            async with time_limit(seconds):
                while not condition():
                    await self.change()
        except TimeoutError:
            raise Failed(f"{what}: not within {seconds:.0f} s") from None
        return time.monotonic() - began

    async def change(self) -> None:
        """Waits until a watched object changes."""
        self._changed.clear()
        await self._changed.wait()

    # -- the gateway -------------------------------------------------------------------------------

    def url(self, service: str) -> str:
        """The address of a service for a browser on this machine."""
        return f"http://{service}.{NAMESPACE}.localhost:{self.port}"

    async def get(self, service: str, path: str = "/") -> Answer:
        """Sends one request through the gateway; names below localhost need no resolver here."""
        host = f"{service}.{NAMESPACE}.localhost:{self.port}"
        began = time.perf_counter()
        url = f"http://127.0.0.1:{self.port}{path}"
        async with self._http.get(url, headers={"Host": host}) as response:
            body = await response.text()
            seconds = time.perf_counter() - began
            return Answer(response.status, body, dict(response.headers), seconds)

    async def post(self, host: str, path: str, data: Any) -> tuple[int, Any]:
        """Posts JSON to a host of the gateway; returns the status and the JSON of the answer."""
        url, headers = self._at(host, path)
        async with self._http.post(url, json=data, headers=headers) as response:
            return response.status, await response.json()

    async def told(self, host: str, path: str) -> AsyncIterator[tuple[str, Any]]:
        """Yields server-sent events, their names and JSON, until the connection ends."""
        url, headers = self._at(host, path)
        name = ""
        whole = aiohttp.ClientTimeout(total=None)
        async with self._http.get(url, headers=headers, timeout=whole) as response:
            async for line in response.content:
                field, _, value = line.decode().rstrip().partition(": ")
                if field == "event":
                    name = value
                elif field == "data":
                    yield name, json.loads(value)

    def _at(self, host: str, path: str) -> tuple[str, Mapping[str, str]]:
        return f"http://127.0.0.1:{self.port}{path}", {"Host": f"{host}.localhost:{self.port}"}

    async def broker_url(self, name: str) -> str:
        """Where a broker takes events."""
        broker = self._caches[BROKERS].get(NAMESPACE, name)
        return str((broker or {})["status"]["address"]["url"])

    async def send_event(self, url: str, attributes: dict[str, str], data: Any) -> int:
        """Sends one event in binary mode; returns the status of the answer."""
        headers = {f"ce-{k}": v for k, v in attributes.items()}
        async with self._http.post(url, json=data, headers=headers) as response:
            return response.status

    async def received(self, service: str) -> list[dict[str, Any]]:
        """Asks a service of samples/events for the events it got."""
        answer = await self.get(service, "/received")
        events: list[dict[str, Any]] = json.loads(answer.body)
        return events
