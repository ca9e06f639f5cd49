"""A cluster that is not ours, on one machine: what of it Hearth may rely on, and nothing more.

The API server is the one-machine Kubernetes'; there is no node of ours. Pods have an address of
their own (127.77.x.x) and the port that they declare, no annotation of Hearth's, a kubelet that is
slow to say that they are ready, and no EndpointSlices at all: on a cluster those come late. The
control plane and the activator run as their own entry points start them.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import itertools
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from activator.main import ActivatorConfig
from activator.main import run as run_activator
from hearth.cluster.apiserver.testing import running_apiserver
from hearth.cluster.controllers.main import CONTROLLERS
from hearth.knative.resources import KSERVICES
from hearth.kube.cache import WatchCache
from hearth.kube.client import KubeClient
from hearth.kube.conditions import Conditions
from hearth.kube.errors import NotFound
from hearth.kube.manager import Manager
from hearth.kube.meta import Object, is_deleting, key, name
from hearth.kube.resources import CONFIGMAPS, PODS
from hearth.kube.views import Pod
from serving.main import ServingConfig
from serving.main import run as run_serving
from tests.ports import free_port

WAIT_SECONDS = 60.0
PRE_STOP_SECONDS = 1
_MOMENT = "2026-11-20T16:40:00Z"
_addresses = itertools.count(256)


def _own_address(port: int) -> socket.socket:
    """A socket of the pods' network; other tests that run meanwhile have addresses of it too."""
    while True:
        high, low = divmod(next(_addresses), 256)
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((f"127.77.{high}.{low}", port))
            sock.listen()
        except OSError as error:
            sock.close()
            if error.errno != errno.EADDRINUSE:
                raise
        else:
            return sock


@dataclass
class RunningPod:
    """What a container does: answers with its pod's name, and holds requests back when told."""

    title: str
    ip: str
    asked: list[str] = field(default_factory=list)
    in_flight: int = 0
    hold: asyncio.Event = field(default_factory=asyncio.Event)
    server: asyncio.Server | None = None
    writers: set[asyncio.StreamWriter] = field(default_factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection's requests, those for /held only once ``hold`` is set."""
        self.writers.add(writer)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                path = head.split()[1].decode()
                self.asked.append(path)
                self.in_flight += 1
                if path == "/held":
                    await self.hold.wait()
                self.in_flight -= 1
                body = self.title.encode()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            self.writers.discard(writer)
            writer.close()

    async def listen(self, sock: socket.socket) -> None:
        """Begin to serve."""
        self.server = await asyncio.start_server(self.serve, sock=sock)

    def close(self) -> None:
        """End as a process does: no listener and no connection is left."""
        if self.server is not None:
            self.server.close()
        for writer in self.writers:
            writer.close()


class Kubelet:
    """Runs pods as servers of this process. ``ready`` lets it say that a pod is ready."""

    def __init__(self, client: KubeClient) -> None:
        self.running: dict[str, RunningPod] = {}
        self.ready = asyncio.Event()
        self._client = client
        self._pods = WatchCache(client, PODS)
        self._seen: set[str] = set()
        self._ending: set[str] = set()
        self._group: asyncio.TaskGroup | None = None
        self._pods.on_change(self._changed)

    async def run(self) -> None:
        """Until cancelled."""
        try:
            async with asyncio.TaskGroup() as self._group:
                self._group.create_task(self._pods.run())
        finally:
            for running in self.running.values():
                running.close()

    def _changed(self, _old: Object | None, new: Object | None) -> None:
        if new is None or self._group is None:
            return
        title = name(new)
        if title not in self._seen:
            self._seen.add(title)
            self._group.create_task(self._start(new))
        elif is_deleting(new) and title not in self._ending:
            self._ending.add(title)
            self._group.create_task(self._end(new, self.running[title]))

    async def _start(self, pod: Object) -> None:
        [port, *_] = Pod(pod).containers[0].get("ports") or [{"containerPort": 0}]
        sock = _own_address(port["containerPort"])
        running = self.running[name(pod)] = RunningPod(name(pod), sock.getsockname()[0])
        await running.listen(sock)
        with contextlib.suppress(NotFound):
            await self._bind(pod)
            await self._tell(pod, running.ip, ready="False")
            await self.ready.wait()
            await self._tell(pod, running.ip, ready="True")

    async def _bind(self, pod: Object) -> None:
        space, title = key(pod)
        target = {"apiVersion": "v1", "kind": "Node", "name": "elsewhere"}
        body = {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": title, "namespace": space},
            "target": target,
        }
        await self._client.request("POST", PODS.path(space, title, "binding"), body=body)

    async def _tell(self, pod: Object, ip: str, *, ready: str) -> None:
        condition = {"type": "Ready", "status": ready, "lastTransitionTime": _MOMENT}
        status = {"phase": "Running", "podIP": ip, "conditions": [condition]}
        space, title = key(pod)
        await self._client.patch(PODS, title, space, {"status": status}, subresource="status")

    async def _end(self, pod: Object, running: RunningPod) -> None:
        """The hook, then SIGTERM: no new connection, and what is in flight is answered."""
        hooks = Pod(pod).containers[0].get("lifecycle") or {}
        if "preStop" in hooks:
            await asyncio.sleep(hooks["preStop"]["sleep"]["seconds"])
        assert running.server is not None
        running.server.close()
        while running.in_flight:
            await asyncio.sleep(0.01)
        self.running.pop(name(pod)).close()
        with contextlib.suppress(NotFound):
            await self._client.delete(PODS, name(pod), key(pod)[0], grace_period_seconds=0)


class ApiServer:
    """One that can go away for a while, and keeps its address and what it stored."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = 0
        self._stack = AsyncExitStack()

    async def start(self) -> Path:
        """Serve; return the kubeconfig."""
        context = running_apiserver(self._folder, port=self._port)
        server = await self._stack.enter_async_context(context)
        self._port = int(server.url.rpartition(":")[2])
        return server.kubeconfig

    async def stop(self) -> None:
        """Go away, with every watch."""
        await self._stack.aclose()


class Foreign:
    """The cluster with Hearth on it, as a test sees it."""

    def __init__(self, api: ApiServer, client: KubeClient, kubelet: Kubelet, *, port: int) -> None:
        self.api = api
        self.client = client
        self.kubelet = kubelet
        self._port = port

    async def deploy(self, title: str, **annotations: str) -> None:
        """Create a Service and wait until it is Ready."""
        own = {f"autoscaling.knative.dev/{k.replace('_', '-')}": v for k, v in annotations.items()}
        spec = {"containers": [{"image": "elsewhere/app:1"}], "timeoutSeconds": 20}
        template = {"metadata": {"annotations": own}, "spec": spec}
        service = {
            "apiVersion": KSERVICES.api_version,
            "kind": KSERVICES.kind,
            "metadata": {"name": title, "namespace": "default"},
            "spec": {"template": template},
        }
        await self.client.create(KSERVICES, service)

        async def is_ready() -> bool:
            return Conditions.of(await self.client.get(KSERVICES, title, "default")).is_true(
                "Ready"
            )

        await self.until(is_ready)

    async def get(self, title: str, path: str = "/") -> tuple[int, str]:
        """One request through the gateway: status and body."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            lines = (f"GET {path} HTTP/1.1", f"Host: {title}.default.example.com")
            writer.write("\r\n".join([*lines, "Connection: close", "", ""]).encode())
            data = await asyncio.wait_for(reader.read(), WAIT_SECONDS)
        finally:
            writer.close()
        head, _, body = data.partition(b"\r\n\r\n")
        return int(head.split(b" ")[1]), body.decode()

    async def pods(self) -> list[Object]:
        """All pods."""
        return (await self.client.list(PODS, "default"))[0]

    async def until(self, condition: Callable[[], Awaitable[bool]]) -> None:
        """Look until it is so."""
        async with asyncio.timeout(WAIT_SECONDS):
            while not await condition():
                await asyncio.sleep(0.01)


async def kubernetes_controllers(client: KubeClient) -> None:
    """Kubernetes' own, but the one for EndpointSlices."""
    manager = Manager(client, name="kube-controller-manager")
    for spec in CONTROLLERS:
        if spec.name != "endpointslice":
            manager.add(spec, lambda: None)
    await manager.run()


@pytest.fixture
async def foreign(tmp_path: Path) -> AsyncIterator[Foreign]:
    """A foreign cluster, Hearth running on it; services may start at zero."""
    async with AsyncExitStack() as stack:
        api = ApiServer(tmp_path / "api")
        kubeconfig = await api.start()
        stack.push_async_callback(api.stop)
        client = await stack.enter_async_context(KubeClient.from_kubeconfig(kubeconfig))
        kubelet, gateway, stats = Kubelet(client), free_port(), free_port()
        serving = ServingConfig(
            kubeconfig,
            stats_port=stats,
            domain="example.com",
            pre_stop_seconds=PRE_STOP_SECONDS,
        )
        activator = ActivatorConfig(
            kubeconfig,
            port=gateway,
            internal_port=free_port(),
            stats_address=f"127.0.0.1:{stats}",
            drain_seconds=1.0,
        )
        controls, serves = asyncio.Event(), asyncio.Event()
        await _started(stack, kubelet.run(), kubernetes_controllers(client))
        await _started(stack, run_serving(serving, controls.set))
        async with asyncio.timeout(WAIT_SECONDS):
            await controls.wait()
        await _started(stack, run_activator(activator, serves.set))
        async with asyncio.timeout(WAIT_SECONDS):
            await serves.wait()
        settings = {"data": {"allow-zero-initial-scale": "true"}}
        await client.patch(CONFIGMAPS, "config-autoscaler", "knative-serving", settings)
        yield Foreign(api, client, kubelet, port=gateway)


async def _started(stack: AsyncExitStack, *mains: Any) -> None:
    for main in mains:
        stack.push_async_callback(_ended, asyncio.ensure_future(main))


async def _ended(task: asyncio.Future[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
