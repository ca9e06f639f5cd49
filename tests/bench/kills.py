"""Acknowledged writes and events over ``kill -9`` of each process, 20 times each, under load."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from bisect import bisect_right
from collections import Counter
from pathlib import Path

import aiohttp

from hearth.knative.resources import BROKERS, KSERVICES, TRIGGERS
from hearth.kube.client import KubeClient, retry_until_available
from hearth.kube.errors import AlreadyExists, ApiError
from hearth.kube.meta import Object, name
from hearth.kube.resources import CONFIGMAPS
from tests.bench.hearth import RunningHearth
from tests.bench.rows import Row, row

KILLS = 20
COMPONENTS = ("api", "cluster", "control", "activator", "broker")
_PAUSE = 0.4
_SINK = Path(__file__).with_name("recording_sink.py")


def _objects(record: Path) -> list[tuple[object, Object]]:
    env = [{"name": "RECORD", "value": str(record)}]
    service = {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": "sink", "namespace": "default"},
        "spec": {"template": {"spec": {"containers": [{"image": "bench/sink", "env": env}]}}},
    }
    broker = {
        "apiVersion": "eventing.knative.dev/v1",
        "kind": "Broker",
        "metadata": {"name": "default", "namespace": "default"},
        "spec": {"delivery": {"retry": 100, "backoffPolicy": "linear", "backoffDelay": "PT0.1S"}},
    }
    reference = {"apiVersion": "serving.knative.dev/v1", "kind": "Service", "name": "sink"}
    trigger = {
        "apiVersion": "eventing.knative.dev/v1",
        "kind": "Trigger",
        "metadata": {"name": "all", "namespace": "default"},
        "spec": {"broker": "default", "subscriber": {"ref": reference}},
    }
    return [(KSERVICES, service), (BROKERS, broker), (TRIGGERS, trigger)]


async def _ready(client: KubeClient, resource: object, wanted: str) -> Object:
    async with asyncio.timeout(60):
        while True:
            found = await client.get(resource, wanted, "default")  # type: ignore[arg-type]
            conditions = (found.get("status") or {}).get("conditions") or ()
            if any(c["type"] == "Ready" and c["status"] == "True" for c in conditions):
                return found
            await asyncio.sleep(0.05)


class _Load:
    """Writes and events, each remembered only once it was acknowledged."""

    def __init__(self, client: KubeClient, http: aiohttp.ClientSession, url: str) -> None:
        self._client, self._http, self._url = client, http, url
        self.written: set[str] = set()
        self.sent: set[str] = set()

    async def write(self, worker: int) -> None:
        number = 0
        while True:
            number += 1
            title = f"kept-{worker}-{number}"
            metadata = {"name": title, "namespace": "default"}
            body: Object = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
            with contextlib.suppress(ApiError):
                with contextlib.suppress(AlreadyExists):
                    await self._client.create(CONFIGMAPS, body)
                self.written.add(title)
            await asyncio.sleep(0.005)

    async def send(self, worker: int) -> None:
        number = 0
        while True:
            number += 1
            event = f"{worker}-{number}"
            headers = {
                "ce-specversion": "1.0",
                "ce-id": event,
                "ce-source": "bench",
                "ce-type": "bench",
            }
            with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                async with self._http.post(self._url, data=b"x" * 200, headers=headers) as answer:
                    if answer.status == 202:
                        self.sent.add(event)
            await asyncio.sleep(0.005)


async def _measure(hearth: RunningHearth) -> list[Row]:
    record = hearth.data_dir / "received.txt"
    record.touch()
    hearth.command(
        "image", "add", "bench/sink", "--workdir", str(hearth.data_dir), "--",
        sys.executable, str(_SINK),
    )  # fmt: skip
    timeout = aiohttp.ClientTimeout(total=5)
    async with (
        KubeClient.from_kubeconfig(hearth.kubeconfig) as client,
        aiohttp.ClientSession(timeout=timeout) as http,
    ):
        for resource, obj in _objects(record):
            await client.create(resource, obj)  # type: ignore[arg-type]
        await _ready(client, KSERVICES, "sink")
        await _ready(client, TRIGGERS, "all")
        broker = await _ready(client, BROKERS, "default")
        load = _Load(client, http, broker["status"]["address"]["url"])
        tasks = [asyncio.create_task(load.write(n)) for n in range(4)]
        tasks += [asyncio.create_task(load.send(n)) for n in range(4)]
        marks: list[int] = []
        for component in COMPONENTS:
            for _ in range(KILLS):
                marks.append(record.read_text().count("\n"))
                pid = hearth.pids().get(component)
                if pid:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                await asyncio.sleep(_PAUSE)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return await _count(client, load, record, marks)


def most_repeated(received: list[str], marks: list[int]) -> int:
    """The most deliveries of events that had come before, from one mark to the next one."""
    seen: set[str] = set()
    repeated: Counter[int] = Counter()
    for number, event in enumerate(received):
        if event in seen:
            repeated[bisect_right(marks, number)] += 1
        seen.add(event)
    return max(repeated.values(), default=0)


async def _count(client: KubeClient, load: _Load, record: Path, marks: list[int]) -> list[Row]:
    await retry_until_available(client, seconds=30)
    items, _ = await client.list(CONFIGMAPS, "default", limit=1000)
    lost_writes = load.written - {name(item) for item in items}
    deadline = time.monotonic() + 120
    missing = set(load.sent)
    while missing and time.monotonic() < deadline:
        missing = load.sent - set(record.read_text().split())
        await asyncio.sleep(0.2)
    received = record.read_text().split()
    kills = KILLS * len(COMPONENTS)
    title = f"over {kills} kills"
    return [
        row(f"acknowledged writes lost {title}", [len(lost_writes)], "", at_most=0),
        row(f"acknowledged writes {title}", [len(load.written)], ""),
        row(f"acknowledged events lost {title}", [len(missing)], "", at_most=0),
        row(f"acknowledged events {title}", [len(load.sent)], ""),
        row("of them delivered more than once", [len(received) - len(set(received))], ""),
        row("delivered once more after one kill, at most", [most_repeated(received, marks)], ""),
    ]


def rows() -> list[Row]:
    with RunningHearth() as hearth:
        return asyncio.run(_measure(hearth))
