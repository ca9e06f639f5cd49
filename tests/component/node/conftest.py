"""A real API server and a real node in one loop, and real processes as pods."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hearth.cluster.apiserver.testing import RunningServer, running_apiserver
from hearth.cluster.node.images.store import ImageSpec, ImageStore
from hearth.cluster.node.main import NodeConfig, run
from hearth.cluster.node.runtime.api import Runtime
from hearth.kube.client import KubeClient
from hearth.kube.errors import NotFound
from hearth.kube.resources import EVENTS, PODS
from tests.component.node import engines
from tests.images import TestImage

Object = dict[str, Any]
SAMPLES = Path(__file__).resolve().parents[3] / "samples"
PATIENCE = 60.0


@dataclass(slots=True)
class Cluster:
    """A cluster of one node; pods run scripts of the image ``sh`` or ``python``."""

    server: RunningServer
    client: KubeClient
    images: ImageStore
    data_dir: Path

    async def create(self, name: str, script: str = "", **spec: Any) -> Object:
        """A pod of one container that runs a shell script; ``container`` adds to it."""
        args = [script.replace("$$", "$$$$")]  # Kubernetes makes one dollar of two
        container = {"name": "main", "image": "sh", "args": args} | spec.pop("container", {})
        return await self.client.create(PODS, self.pod(name, container, **spec))

    @staticmethod
    def pod(name: str, *containers: Object, **spec: Any) -> Object:
        labels = spec.pop("labels", {})
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "namespace": "default", "labels": labels},
            "spec": {
                "containers": list(containers),
                "restartPolicy": "Never",
                "terminationGracePeriodSeconds": 1,
                **spec,
            },
        }

    async def get(self, name: str) -> Object | None:
        try:
            return await self.client.get(PODS, name, "default")
        except NotFound:
            return None

    async def until(self, name: str, holds: Callable[[Object], Any]) -> Object:
        """Waits for a condition on a pod."""
        pod: Object | None = None
        try:
            async with asyncio.timeout(PATIENCE):
                while True:
                    pod = await self.get(name)
                    if pod is not None and holds(pod):
                        return pod
                    await asyncio.sleep(0.01)
        except TimeoutError:
            raise AssertionError(f"never came: {pod and pod.get('status')}") from None

    async def until_gone(self, name: str) -> None:
        async with asyncio.timeout(PATIENCE):
            while await self.get(name) is not None:
                await asyncio.sleep(0.01)

    async def until_folder_gone(self, name: str) -> None:
        async with asyncio.timeout(PATIENCE):
            while any((self.data_dir / "pods").glob(f"default_{name}_*")):
                await asyncio.sleep(0.01)

    async def until_event(self, name: str, reason: str) -> Object:
        async with asyncio.timeout(PATIENCE):
            while True:
                for event in (await self.client.list(EVENTS, "default"))[0]:
                    if event["involvedObject"]["name"] == name and event["reason"] == reason:
                        return event
                await asyncio.sleep(0.05)

    async def until_log(self, name: str, wanted: str, *, container: str = "main") -> str:
        """Waits until the log of the container holds some text."""
        pod = await self.until(name, lambda pod: pod["metadata"]["uid"])
        folder = self.data_dir / "pods" / f"default_{name}_{pod['metadata']['uid']}" / container
        text = ""
        try:
            async with asyncio.timeout(PATIENCE):
                while wanted not in text:
                    logs = sorted(folder.glob("*.log"))
                    text = "".join(path.read_text() for path in logs)
                    await asyncio.sleep(0.01)
        except TimeoutError:
            raise AssertionError(f"never logged {wanted!r}: {text!r}") from None
        return text

    async def delete(self, name: str, **options: Any) -> None:
        await self.client.delete(PODS, name, "default", **options)


def phase(pod: Object) -> str:
    return str((pod.get("status") or {}).get("phase"))


def state(pod: Object, index: int = 0, kind: str = "containerStatuses") -> Object:
    found: Object = (pod.get("status") or {}).get(kind, [{}] * (index + 1))[index].get("state", {})
    return found


def is_ready(pod: Object) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


@dataclass(frozen=True, slots=True)
class Look:
    """The questions tests ask of a pod."""

    phase: Callable[[Object], str] = phase
    state: Callable[..., Object] = state
    is_ready: Callable[[Object], bool] = is_ready


@pytest.fixture
def look() -> Look:
    return Look()


@contextlib.asynccontextmanager
async def running_node(config: NodeConfig, runtime: Runtime | None = None) -> AsyncIterator[None]:
    ready = asyncio.Event()
    task = asyncio.create_task(run(config, ready.set, runtime=runtime))
    waiting = asyncio.create_task(ready.wait())
    await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if task.done():
        task.result()
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@pytest.fixture
def node_runner() -> Callable[..., contextlib.AbstractAsyncContextManager[None]]:
    return running_node


@pytest.fixture
async def bare_cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    """An API server, images, and no node yet."""
    async with (
        running_apiserver(tmp_path) as server,
        KubeClient.from_kubeconfig(server.kubeconfig) as client,
    ):
        images = ImageStore(tmp_path)
        images.add("sh", ImageSpec(entrypoint=("/bin/sh", "-c")))
        images.add("python", ImageSpec(entrypoint=(sys.executable, "-c")))
        hello = (sys.executable, "-S", "-E", str(SAMPLES / "hello" / "server.py"))
        images.add("hello", ImageSpec(entrypoint=hello))
        yield Cluster(server, client, images, tmp_path)


@pytest.fixture
async def cluster(bare_cluster: Cluster) -> AsyncIterator[Cluster]:
    config = NodeConfig(
        kubeconfig=bare_cluster.server.kubeconfig,
        data_dir=bare_cluster.data_dir,
        node_name="node",
        http_proxy="http://127.0.0.1:9",
        stop_grace_seconds=0.5,
        termination_delay=0.01,
    )
    async with running_node(config):
        yield bare_cluster


@pytest.fixture(scope="session")
def docker_engine(static_layout: TestImage) -> Iterator[engines.Docker]:
    """Docker with the image ``app``."""
    with engines.docker(Path(tempfile.mkdtemp(prefix="hearth-docker-"))) as engine:
        engine.load(static_layout, "docker.io/library/app:1")
        yield engine


@pytest.fixture(scope="session")
def podman_engine(static_layout: TestImage) -> Iterator[engines.Podman]:
    """Podman with the image ``app``; what it mounts is not in a folder that pytest cleans."""
    with engines.podman(Path(tempfile.mkdtemp(prefix="hearth-podman-"))) as engine:
        engine.load(static_layout, "docker.io/library/app:1")
        yield engine
