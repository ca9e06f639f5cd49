"""KEDA's kinds on one machine: how soon a trigger makes pods, a queue from zero, many at rest.

``reactions``: a request for a Deployment at zero behind an InterceptorRoute, and a server that is
asked for a number each second and begins to say 1; both until a watch shows the pod. ``queue``:
jobs of 20 ms off a Redis list by ten workers at most; ideal is what ten that are there need.
``many``: ScaledObjects at rest that ask that same server each 30 s.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path
from typing import Any

import aiohttp
import yaml
from aiohttp import web

from hearth.cli.status import memory_bytes
from hearth.keda.api.keys import INTERCEPTORROUTES, SCALEDOBJECTS
from hearth.kube.cache import WatchCache
from hearth.kube.client import KubeClient
from hearth.kube.meta import Object
from hearth.kube.resources import DEPLOYMENTS, PODS, SERVICES, Resource
from tests.bench.hearth import RunningHearth
from tests.bench.rows import Row, row
from tests.bench.targets import cpu_seconds
from tests.ports import free_port

RUNS = 15
JOBS, WORKERS, JOB_SECONDS = 10_000, 10, 0.02
MANY, POLL_SECONDS, WATCHED_SECONDS = 1_000, 30, 60.0

_SAMPLES = Path(__file__).resolve().parents[2] / "samples"
_KINDS: dict[str, Resource] = {
    "Deployment": DEPLOYMENTS,
    "Service": SERVICES,
    "ScaledObject": SCALEDOBJECTS,
    "InterceptorRoute": INTERCEPTORROUTES,
}


def _sample(name: str) -> list[Object]:
    return list(yaml.safe_load_all((_SAMPLES / name).read_text()))


def _of_kind(objects: Iterable[Object], kind: str) -> Object:
    return next(each for each in objects if each["kind"] == kind)


async def _create(client: KubeClient, objects: Iterable[Object]) -> None:
    for each in objects:
        each["metadata"].setdefault("namespace", "default")
        await client.create(_KINDS[each["kind"]], each)


def a_polled(name: str, url: str, every: int) -> list[Object]:
    """A Deployment at zero, and what scales it by a number that a server tells."""
    labels = {"app": name}
    container = {"name": "c", "image": "hearth.dev/samples/hello"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    trigger = {"url": url, "valueLocation": "value", "targetValue": "1"}
    return [
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": name},
            "spec": {"replicas": 0, "selector": {"matchLabels": labels}, "template": template},
        },
        {
            "apiVersion": "keda.sh/v1alpha1",
            "kind": "ScaledObject",
            "metadata": {"name": name},
            "spec": {
                "scaleTargetRef": {"name": name},
                "pollingInterval": every,
                "cooldownPeriod": 0,
                "maxReplicaCount": 1,
                "triggers": [{"type": "metrics-api", "metadata": trigger}],
            },
        },
    ]


class Number:
    """A server that tells a number, and notes when it first told another than 0."""

    def __init__(self) -> None:
        self.value = 0
        self.told_at = 0.0
        self.asked = 0

    async def answer(self, _request: web.Request) -> web.Response:
        self.asked += 1
        if self.value and not self.told_at:
            self.told_at = time.perf_counter()
        return web.json_response({"value": self.value})

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        app = web.Application()
        app.router.add_get("/", self.answer)
        runner, port = web.AppRunner(app, access_log=None), free_port()
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", port).start()
            yield f"http://127.0.0.1:{port}/"
        finally:
            await runner.cleanup()


class Pods:
    """A watch of pods: when the first of some appeared, and when none is left."""

    def __init__(self, client: KubeClient) -> None:
        self.cache = WatchCache(client, PODS)
        self._changed = asyncio.Event()
        self.cache.on_change(lambda _old, _new: self._changed.set())

    def of(self, app: str) -> int:
        labels = (pod["metadata"].get("labels", {}) for pod in self.cache.list())
        return sum(each.get("app") == app for each in labels)

    async def until(self, holds: Callable[[], bool], seconds: float = 120) -> float:
        async with asyncio.timeout(seconds):
            while not holds():
                self._changed.clear()
                await self._changed.wait()
        return time.perf_counter()


@contextlib.asynccontextmanager
async def _watched(hearth: RunningHearth) -> AsyncIterator[tuple[KubeClient, Pods]]:
    async with KubeClient.from_kubeconfig(hearth.kubeconfig) as client:
        pods = Pods(client)
        watching = asyncio.create_task(pods.cache.run())
        await pods.cache.synced()
        try:
            yield client, pods
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)


# -- one request, one number ----------------------------------------------------------------------


async def _http(hearth: RunningHearth) -> tuple[list[float], list[float]]:
    """Milliseconds from a request to its pod, and to its answer."""
    objects = _sample("http-add-on/interceptorroute.yaml")
    _of_kind(objects, "ScaledObject")["spec"].update({"cooldownPeriod": 1, "pollingInterval": 1})
    host = _of_kind(objects, "InterceptorRoute")["spec"]["rules"][0]["hosts"][0]
    wanted, answered = [], []
    async with _watched(hearth) as (client, pods), aiohttp.ClientSession() as http:
        await _create(client, objects)
        url, headers = f"http://127.0.0.1:{hearth.port}/", {"Host": host}
        await _served(http, url, headers)
        for _ in range(RUNS):
            await pods.until(lambda: not pods.of("sample-app"))
            began = time.perf_counter()
            seen = asyncio.create_task(pods.until(lambda: bool(pods.of("sample-app"))))
            async with http.get(url, headers=headers) as answer:
                await answer.read()
            answered.append((time.perf_counter() - began) * 1000)
            wanted.append((await seen - began) * 1000)
    return wanted, answered


async def _served(http: aiohttp.ClientSession, url: str, headers: dict[str, str]) -> None:
    async with asyncio.timeout(60):
        while True:
            async with http.get(url, headers=headers) as answer:
                if answer.status == 200:
                    return
            await asyncio.sleep(0.05)


async def _polled(hearth: RunningHearth) -> list[float]:
    """Milliseconds from the answer to a poll to the pod that it makes wanted."""
    number = Number()
    took = []
    async with _watched(hearth) as (client, pods), number.serving() as url:
        await _create(client, a_polled("polled", url, 1))
        for _ in range(RUNS):
            await pods.until(lambda: not pods.of("polled"))
            number.told_at, number.value = 0.0, 1
            seen = await pods.until(lambda: bool(pods.of("polled")))
            took.append((seen - number.told_at) * 1000)
            number.value = 0
    return took


def reactions() -> Iterable[Row]:
    with RunningHearth() as hearth:
        wanted, answered = asyncio.run(_http(hearth))
        yield row("KEDA: request for a Deployment at zero until its pod", wanted, "ms", at_most=50)
        yield row("KEDA: the same until its answer", answered, "ms")
        took = asyncio.run(_polled(hearth))
        yield row("KEDA: answer to a poll until the pod", took, "ms", at_most=20)


# -- a queue --------------------------------------------------------------------------------------


@contextlib.contextmanager
def _redis() -> Any:
    """A Redis of its own: its port."""
    folder, port = tempfile.mkdtemp(prefix="hearth-bench-redis-"), free_port()
    command = ["redis-server", "--port", str(port), "--save", "", "--dir", folder]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        while _asked(port, "ping") != "PONG":
            time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait(30)
        shutil.rmtree(folder, ignore_errors=True)


def _asked(port: int, *words: str) -> str:
    done = subprocess.run(
        ["redis-cli", "-p", str(port), *words], capture_output=True, text=True, check=False
    )
    return done.stdout.strip()


async def _drained(hearth: RunningHearth, port: int) -> tuple[float, float]:
    """Seconds until all jobs are done, and until no worker is left."""
    objects = _sample("keda/worker.yaml")
    container = _of_kind(objects, "Deployment")["spec"]["template"]["spec"]["containers"][0]
    container["env"] = [
        {"name": "REDIS", "value": f"127.0.0.1:{port}"},
        {"name": "LIST", "value": "jobs"},
        {"name": "SECONDS", "value": str(JOB_SECONDS)},
    ]
    scaled = _of_kind(objects, "ScaledObject")["spec"]
    scaled.update({"maxReplicaCount": WORKERS, "pollingInterval": 1, "cooldownPeriod": 1})
    async with _watched(hearth) as (client, pods):
        await _create(client, objects)
        await asyncio.to_thread(_asked, port, "lpush", "jobs", *map(str, range(JOBS)))
        began = time.perf_counter()
        async with asyncio.timeout(300):
            while int(await asyncio.to_thread(_asked, port, "get", "jobs:done") or 0) < JOBS:
                await asyncio.sleep(0.05)
        done = time.perf_counter() - began
        return done, await pods.until(lambda: not pods.of("worker")) - began


def queue() -> Iterable[Row]:
    if shutil.which("redis-server") is None:
        print(
            "keda:queue: skipped, there is no redis-server (Debian: apt-get install redis-server)"
        )
        return
    with _redis() as port, RunningHearth() as hearth:
        done, gone = asyncio.run(_drained(hearth, port))
        counted = int(_asked(port, "get", "jobs:done"))
    ideal = JOBS * JOB_SECONDS / WORKERS
    work = f"{JOBS:,} jobs of {JOB_SECONDS * 1000:.0f} ms"
    yield row(
        f"KEDA: {work} from zero by {WORKERS} workers, by ideal",
        [done / ideal],
        "x",
        at_most=1.2,
        peers={"s": done, "ideal, s": ideal, "no worker left after, s": gone, "done": counted},
    )


# -- many at rest ---------------------------------------------------------------------------------


async def _rest(hearth: RunningHearth) -> tuple[float, float, float]:
    """Of the process that scales: MiB, share of a core in percent, polls a second."""
    number = Number()
    async with KubeClient.from_kubeconfig(hearth.kubeconfig) as client, number.serving() as url:
        for each in range(MANY):
            await _create(client, a_polled(f"many-{each}", url, POLL_SECONDS))
        async with asyncio.timeout(300):
            while number.asked < MANY:
                await asyncio.sleep(0.2)
        await asyncio.sleep(POLL_SECONDS)
        pid = hearth.pids()["keda"]
        used, asked = cpu_seconds(pid), number.asked
        await asyncio.sleep(WATCHED_SECONDS)
        share = (cpu_seconds(pid) - used) / WATCHED_SECONDS * 100
        return memory_bytes(pid) / 2**20, share, (number.asked - asked) / WATCHED_SECONDS


def many() -> Iterable[Row]:
    with RunningHearth() as hearth:
        memory, share, polls = asyncio.run(_rest(hearth))
    what = f"KEDA: {MANY:,} ScaledObjects polled each {POLL_SECONDS} s"
    yield row(f"{what}: memory of the process", [memory], "MiB", at_most=150)
    yield row(f"{what}: CPU, of one core", [share], "%", at_most=15, peers={"polls/s": polls})


PARTS = {"reactions": reactions, "queue": queue, "many": many}


def rows() -> Iterable[Row]:
    for part in PARTS.values():
        yield from part()
