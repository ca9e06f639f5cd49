"""What pods are told when an engine dies, its disk is full or a registry cuts a pull."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hearth.cluster.node.main import NodeConfig
from hearth.cluster.node.runtime.bundles.runc import find_program
from hearth.cluster.node.runtime.engine.sockets import Found
from hearth.kube.resources import PODS
from hearth.oci.packing import Entry
from tests.component.keda.servers import missing
from tests.component.node import engines
from tests.component.node.test_ahead import put_image
from tests.images import Registry, TestImage, is_root, make_test_image, static_entries
from tests.ports import free_port

Cluster = Any
Look = Any
Object = dict[str, Any]
Runner = Callable[..., contextlib.AbstractAsyncContextManager[None]]


def config_of(cluster: Cluster, found: Found) -> NodeConfig:
    return NodeConfig(
        kubeconfig=cluster.server.kubeconfig,
        data_dir=cluster.data_dir,
        node_name="node",
        engine=found,
        stop_grace_seconds=0.5,
        termination_delay=0.01,
    )


def app(*words: str, **fields: Any) -> Object:
    return {"name": "main", "image": "app:1", "args": list(words), **fields}


def status(pod: Object) -> Object:
    found: list[Object] = (pod.get("status") or {}).get("containerStatuses") or [{}]
    return found[0]


def waiting(pod: Object) -> Object:
    found: Object = status(pod).get("state", {}).get("waiting", {})
    return found


async def failed_pull(cluster: Cluster, name: str) -> Object:
    """The pod, once its image could not be pulled and it says why."""
    reasons = ("ErrImagePull", "CreateContainerError")
    pod: Object = await cluster.until(name, lambda pod: waiting(pod).get("reason") in reasons)
    return pod


@pytest.fixture(scope="session", params=["docker", "podman"])
def engine(request: pytest.FixtureRequest) -> engines.Engine:
    found: engines.Engine = request.getfixturevalue(f"{request.param}_engine")
    return found


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> TestImage:
    """12 MiB that cannot be packed."""
    folder = tmp_path_factory.mktemp("large")
    ballast = [Entry("ballast", os.urandom(12 << 20))]
    return make_test_image(
        folder, "large", static_entries(), ballast, entrypoint=("/program",), cmd=("forever",)
    )


class Line:
    """A way to a registry that ends once it has carried so many bytes of answers."""

    def __init__(self, registry: Registry, most: int) -> None:
        self.registry, self.left = registry, most

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner, outer = await asyncio.open_connection("127.0.0.1", self.registry.port)
        there = asyncio.create_task(self._carry(reader, outer, counts=False))
        back = asyncio.create_task(self._carry(inner, writer, counts=True))
        await asyncio.wait({there, back}, return_when=asyncio.FIRST_COMPLETED)
        for task in (there, back):
            task.cancel()
        await asyncio.gather(there, back, return_exceptions=True)
        for each in (outer, writer):
            each.transport.abort()

    async def _carry(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, counts: bool
    ) -> None:
        with contextlib.suppress(OSError):
            while self.left > 0 and (data := await reader.read(65536)):
                writer.write(data)
                await writer.drain()
                self.left -= len(data) * counts


async def test_a_pull_that_is_cut_half_way(
    bare_cluster: Cluster,
    node_runner: Runner,
    look: Look,
    image_registry: Registry,
    large: TestImage,
    engine: engines.Engine,
) -> None:
    """It is told, another pod runs meanwhile, and what came of it is in nobody's way."""
    kind = type(engine).__name__.lower()
    await asyncio.to_thread(image_registry.push, large, "large:1")
    line, port = Line(image_registry, 4 << 20), free_port()
    image = f"127.0.0.1:{port}/large:1"
    found = Found(kind, str(engine.socket), is_root=True)
    async with (
        await asyncio.start_server(line.serve, "127.0.0.1", port),
        node_runner(config_of(bare_cluster, found)),
    ):
        await bare_cluster.client.create(PODS, bare_cluster.pod("cut", app(image=image)))
        await bare_cluster.client.create(PODS, bare_cluster.pod("beside", app("forever")))
        await bare_cluster.until("beside", look.is_ready)
        pod = await failed_pull(bare_cluster, "cut")
        assert waiting(pod)["message"]
        assert (await bare_cluster.until_event("cut", "Failed"))["message"]
        line.left = 1 << 40
        await bare_cluster.client.create(PODS, bare_cluster.pod("whole", app(image=image)))
        await bare_cluster.until("whole", look.is_ready)


async def test_a_docker_that_begins_anew(
    bare_cluster: Cluster,
    node_runner: Runner,
    look: Look,
    static_layout: TestImage,
) -> None:
    """It ends its containers; pods begin them once it is back, and processes never notice."""
    folder = Path(tempfile.mkdtemp(prefix="hearth-docker-"))
    pod = bare_cluster.pod("pair", app("forever"))
    pod["spec"]["containers"].append({**app("forever"), "name": "other"})
    pod["spec"]["restartPolicy"] = "Always"
    try:
        async with contextlib.AsyncExitStack() as later, contextlib.AsyncExitStack() as stack:
            with engines.docker_daemon(folder) as engine:
                engine.load(static_layout, "docker.io/library/app:1")
                found = Found("docker", str(engine.socket), is_root=True)
                await stack.enter_async_context(node_runner(config_of(bare_cluster, found)))
                await bare_cluster.client.create(PODS, pod)
                await bare_cluster.create("process", "sleep 100")
                before = await bare_cluster.until("pair", look.is_ready)
            later.enter_context(engines.docker_daemon(folder))
            after = await bare_cluster.until(
                "pair", lambda pod: look.is_ready(pod) and status(pod)["restartCount"] == 1
            )
            assert status(before)["containerID"] != status(after)["containerID"]
            assert status(await bare_cluster.get("process"))["restartCount"] == 0
            await stack.aclose()
            assert engine.run("ps", "-aq") == ""
            assert "hearth-" not in engine.run("network", "ls")
    finally:
        await asyncio.to_thread(engines.remove, folder)


@contextlib.contextmanager
def small_disk(folder: Path, size: str) -> Iterator[None]:
    """A file system of that size at ``folder``."""
    folder.mkdir(exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "hearth-test", str(folder)]
    if not is_root() or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("without the right to mount there is no disk that is full")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path) -> None:
    """To the last byte."""
    with contextlib.suppress(OSError), (folder / "filler").open("wb", buffering=0) as file:
        while file.write(bytes(4096)):
            pass


async def test_containers_without_an_engine_whose_disk_is_full(
    bare_cluster: Cluster,
    node_runner: Runner,
    look: Look,
    static_layout: TestImage,
    image_registry: Registry,
    large: TestImage,
) -> None:
    """A pull that does not fit is told; what is there already begins all the same."""
    command = find_program() if is_root() else ""
    if not command:
        missing("without root and runc no disk was filled")
    image = await asyncio.to_thread(image_registry.push, large, "large:1")
    folder = bare_cluster.data_dir / "containers"
    with small_disk(folder, "8m"):
        put_image(bare_cluster.data_dir, static_layout)
        found = Found("runc", command=command, is_root=True)
        async with node_runner(config_of(bare_cluster, found)):
            await bare_cluster.client.create(PODS, bare_cluster.pod("large", app(image=image)))
            pod = await failed_pull(bare_cluster, "large")
            assert "No space left on device" in waiting(pod)["message"]
            fill(folder)
            await bare_cluster.client.create(PODS, bare_cluster.pod("small", app("forever")))
            await bare_cluster.until("small", look.is_ready)
