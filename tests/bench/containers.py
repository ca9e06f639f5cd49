"""Containers by Podman against the same static program as a process, through ``hearth up``.

The image is made here and loaded into Podman's own storage; it is removed at the end. Each wake is
one request to a Service of its own at zero. Skipped, and said, where there is no Podman or no root.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import aiohttp

from hearth.cluster.node.images.store import ImageSpec, ImageStore
from hearth.cluster.node.runtime.containers.waiter import NAME
from hearth.cluster.node.runtime.engine.service import other_runtime
from hearth.knative.resources import KSERVICES
from hearth.kube.client import KubeClient
from hearth.kube.meta import Object
from hearth.kube.resources import CONFIGMAPS, PODS
from tests.bench.hearth import RunningHearth
from tests.bench.rows import Row, row
from tests.images import compiled_program, static_image

RUNS, STARTS, BURST, LIMIT, WARM_SECONDS = 30, 10, 100, 10, 5
IMAGE, PROCESS = "bench.hearth.dev/container:1", "bench.hearth.dev/process:1"


def service(name: str, image: str, limit: int = 0) -> Object:
    annotations = {"autoscaling.knative.dev/window": "6s"}
    spec = {"containerConcurrency": limit, "containers": [{"image": image}]}
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"template": {"metadata": {"annotations": annotations}, "spec": spec}},
    }


class Bench:
    """A Hearth with both images, and the questions asked of it."""

    def __init__(self, hearth: RunningHearth, client: KubeClient, http: aiohttp.ClientSession):
        self.hearth, self.client, self.http = hearth, client, http

    async def asleep(self) -> None:
        async with asyncio.timeout(120):
            while (await self.client.list(PODS, "default"))[0]:
                await asyncio.sleep(0.05)

    async def ask(self, name: str) -> int:
        host = {"Host": f"{name}.default.localhost:{self.hearth.port}"}
        url = f"http://127.0.0.1:{self.hearth.port}/"
        async with self.http.get(url, headers=host) as answer:
            await answer.read()
            return answer.status

    async def wakes(self, kind: str) -> list[float]:
        took = []
        for number in range(RUNS):
            began = time.perf_counter()
            if await self.ask(f"{kind}-{number}") != 200:
                raise RuntimeError(f"{kind}-{number} did not answer")
            took.append((time.perf_counter() - began) * 1000)
            await asyncio.sleep(0.2)
        return took

    async def create(self, *services: Object) -> None:
        """Makes Services and waits until all are ready, and at zero again."""
        for made in services:
            await self.client.create(KSERVICES, made)
        async with asyncio.timeout(120):
            while not all(map(_is_ready, (await self.client.list(KSERVICES, "default"))[0])):
                await asyncio.sleep(0.1)
        await self.asleep()

    async def burst(self, name: str) -> tuple[float, int]:
        began = time.perf_counter()
        answers = await asyncio.gather(
            *(self.ask(name) for _ in range(BURST)), return_exceptions=True
        )
        return time.perf_counter() - began, sum(answer != 200 for answer in answers)

    async def rate(self, name: str) -> float:
        count, until = 0, time.perf_counter() + WARM_SECONDS

        async def one() -> None:
            nonlocal count
            while time.perf_counter() < until:
                await self.ask(name)
                count += 1

        await asyncio.gather(*(one() for _ in range(16)))
        return count / WARM_SECONDS

    async def first_start(self, number: int) -> float:
        """From the request for a pod to its first answer: nothing was made for it before."""
        name = f"first-{number}"
        container = {"name": "main", "image": IMAGE, "ports": [{"containerPort": 8080}]}
        pod = {
            "metadata": {"name": name, "namespace": "default"},
            "spec": {"containers": [container]},
        }
        began = time.perf_counter()
        await self.client.create(PODS, {"apiVersion": "v1", "kind": "Pod", **pod})
        while not (ip := (await self._status(name)).get("podIP")):
            await asyncio.sleep(0.002)
        while True:
            with contextlib.suppress(aiohttp.ClientError):
                async with self.http.get(f"http://{ip}:8080/") as answer:
                    await answer.read()
                    break
            await asyncio.sleep(0.001)
        took = (time.perf_counter() - began) * 1000
        await self.client.delete(PODS, name, "default", grace_period_seconds=0)
        return took

    async def _status(self, name: str) -> Object:
        status: Object = (await self.client.get(PODS, name, "default")).get("status") or {}
        return status


def _is_ready(service: Object) -> bool:
    conditions = (service.get("status") or {}).get("conditions") or ()
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def podman(*words: str) -> str:
    command = ["podman", *other_runtime(), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def bare_run() -> float:
    """``podman run`` as a user types it: to the end of a program that ends at once."""
    limits = ("--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024")
    began = time.perf_counter()
    podman("run", "--rm", *limits, IMAGE, "exit", "0")
    return (time.perf_counter() - began) * 1000


def waiting() -> list[int]:
    """First processes of containers that wait for their programs."""
    return [
        int(path.parent.name)
        for path in Path("/proc").glob("[0-9]*/comm")
        if path.read_text() == f"{NAME}\n"
    ]


def waiting_bytes(*pids: int) -> float:
    """MiB that processes hold, each with its share of what others hold as well."""
    texts = (Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in pids)
    lines = (line for text in texts for line in text.splitlines() if line.startswith("Pss:"))
    return sum(int(line.split()[1]) for line in lines) / 1024


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


async def until_waiting(count: int) -> list[int]:
    async with asyncio.timeout(60):
        while len(held := waiting()) < count:
            await asyncio.sleep(0.5)
    return held


def add_process(hearth: RunningHearth, folder: Path) -> None:
    """The image's program as a command."""
    program = folder / "program"
    program.write_bytes(compiled_program())
    program.chmod(0o755)
    ImageStore(hearth.data_dir).add(PROCESS, ImageSpec((str(program),), ("serve",)))


@contextlib.contextmanager
def images(hearth: RunningHearth) -> Iterator[None]:
    with tempfile.TemporaryDirectory() as folder:
        add_process(hearth, Path(folder))
        said = podman("load", "-q", "-i", str(static_image(Path(folder)).archive()))
        podman("tag", said.rpartition(": ")[2], IMAGE)
        try:
            yield
        finally:
            podman("rmi", "-f", IMAGE)


async def measure(
    hearth: RunningHearth, rows_of: Callable[[Bench], Coroutine[Any, Any, list[Row]]]
) -> list[Row]:
    async with KubeClient.from_kubeconfig(hearth.kubeconfig) as client:
        grace = {"data": {"scale-to-zero-grace-period": "1s"}}
        await client.patch(CONFIGMAPS, "config-autoscaler", "knative-serving", grace)
        async with aiohttp.ClientSession() as http:
            return await rows_of(Bench(hearth, client, http))


async def short_rows(
    bench: Bench, by: str, *, wake: float, first: float | None = None, has_monitor: bool = False
) -> list[Row]:
    """First start, wake and memory, with goals in ms; a monitor's memory is its container's."""
    starts = [await bench.first_start(number) for number in range(STARTS)]
    await bench.create(*(service(f"p-{number}", PROCESS) for number in range(RUNS)))
    processes = await bench.wakes("p")
    await bench.asleep()
    await bench.create(*(service(f"c-{number}", IMAGE) for number in range(RUNS)))
    pid = (await until_waiting(RUNS))[0]
    memory = waiting_bytes(*(pid, parent_of(pid))[: 1 + has_monitor])
    wakes = await bench.wakes("c")
    own = statistics.median(processes)
    peers = {"process": own, "container": statistics.median(wakes)}
    beyond = [took - own for took in wakes]
    return [
        row(f"container by {by}: first start, image at hand", starts, "ms", at_most=first),
        row(f"container by {by}: wake beyond the process", beyond, "ms", at_most=wake, peers=peers),
        row(f"container by {by}: memory of one that waits", [memory], "MiB", at_most=3),
    ]


async def _rows(bench: Bench) -> list[Row]:
    first = [await bench.first_start(number) for number in range(STARTS)]
    await bench.create(*(service(f"p-{number}", PROCESS) for number in range(RUNS)))
    processes = await bench.wakes("p")
    await bench.asleep()
    await bench.create(*(service(f"c-{number}", IMAGE) for number in range(RUNS)))
    first_process = (await until_waiting(RUNS))[0]
    memory = waiting_bytes(first_process, parent_of(first_process))
    containers = await bench.wakes("c")
    await bench.create(service("b", IMAGE, LIMIT))
    seconds, failures = await bench.burst("b")
    rates = [await bench.rate(name) for name in ("p-0", "c-0", "c-0", "p-0")]
    return list(_told(first, processes, containers, memory, (seconds, failures), rates))


def _told(
    first: list[float],
    processes: list[float],
    containers: list[float],
    memory: float,
    burst: tuple[float, int],
    rates: list[float],
) -> Iterator[Row]:
    own = statistics.median(processes)
    beyond = [took - own for took in containers]
    peers = {"process": own, "container": statistics.median(containers)}
    yield row("container: wake beyond the same program as a process", beyond, "ms", at_most=25,
              peers=peers)  # fmt: skip
    bare = [bare_run() for _ in range(STARTS)]
    yield row("container: first start, image at hand", first, "ms", at_most=150,
              peers={"podman run": statistics.median(bare)})  # fmt: skip
    yield row("container: 100 requests at zero, at most 10 each", [burst[0]], "s", at_most=2)
    yield row("container: failures of those", [float(burst[1])], "requests", at_most=0)
    yield row("container: memory of one that waits", [memory], "MiB", at_most=3)
    ratio = (rates[1] + rates[2]) / (rates[0] + rates[3])
    yield row("container: warm requests against a process", [ratio], "x", at_least=0.95)


def rows() -> list[Row]:
    if os.geteuid() != 0 or shutil.which("podman") is None:
        print("skipped, containers take root and podman", file=sys.stderr)
        return []
    with RunningHearth("--runtime", "podman") as hearth, images(hearth):
        return asyncio.run(measure(hearth, _rows))
