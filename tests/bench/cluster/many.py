"""A thousand Services: how soon each is Ready, what they weigh, and what a restart costs.

They are made without pods (``initial-scale: 0``), since no single node has room for a thousand.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from hearth.kube.client import KubeClient
from hearth.kube.errors import ApiError
from hearth.kube.resources import CONFIGMAPS
from hearth.kube.views import Pod
from tests.bench.cluster.installation import NAMESPACES, Installation, Used
from tests.bench.cluster.served import Served
from tests.bench.cluster.writes import Writes
from tests.bench.rows import Row, percentile, row

SETTLE_SECONDS = 30.0
_ASLEEP = {"autoscaling.knative.dev/initial-scale": "0"}


async def measured(
    client: KubeClient, installation: Installation, served: Served, *, number: int, rate: float
) -> list[Row]:
    """Rows for a number of Services made at a rate of so many a second."""
    async with _zero_is_allowed(client):
        before = await installation.used()
        took = await _make(served, number, rate)
        await asyncio.sleep(SETTLE_SECONDS)
        cpu, weight = _growth(before, await installation.used())
        restart = await _restart(client, installation, served)
    title = f"{number} Services at {rate:g}/s"
    return [
        row(f"{title}: create to Ready, p95", [percentile(took, 0.95)], "s", at_most=2),
        row(f"{title}: create to Ready, median", took, "s"),
        row(f"{title}: CPU of all pods for each", [cpu / number * 1e3], "ms"),
        row(f"{title}: memory of all pods for each", [weight / number / 1e3], "KB", at_most=150),
        *restart,
    ]


def _growth(before: Used, after: Used) -> tuple[float, float]:
    """CPU seconds and bytes that were added meanwhile."""
    pods = after.keys()
    cpu = sum(after[pod][0] - before[pod][0] for pod in pods)
    memory = sum(after[pod][1] - before[pod][1] for pod in pods)
    return cpu, memory


async def _make(served: Served, number: int, rate: float) -> list[float]:
    loop = asyncio.get_running_loop()
    began, took = loop.time(), list[float]()

    async def make(which: int) -> None:
        await asyncio.sleep(max(0.0, began + which / rate - loop.time()))
        took.append((await served.create(f"many-{which}", _ASLEEP)).whole / 1000)
        if len(took) % 100 == 0:
            print(f"many: {len(took)} ready", file=sys.stderr, flush=True)

    async with asyncio.TaskGroup() as group:
        for which in range(number):
            group.create_task(make(which))
    return took


async def _restart(client: KubeClient, installation: Installation, served: Served) -> list[Row]:
    """All controls are ended at once; then a new Service tells when they have caught up."""
    writes = Writes(client)
    before, began = await writes.by_hearth(), time.perf_counter()
    for pod in await installation.pods("control"):
        await installation.kill(pod)
    while not any(Pod(pod).is_ready for pod in await installation.pods("control")):
        await asyncio.sleep(0.05)
    started = time.perf_counter()
    await _until_taken(served, "after-restart")
    caught_up = time.perf_counter()
    alone = await _writes_of_one(served, writes)
    await asyncio.sleep(SETTLE_SECONDS)
    spent = await writes.by_hearth() - before - 2 * alone
    return [
        row("controls restarted: writes for what was there", [float(spent)], "", at_most=0),
        row("controls restarted: until one is ready", [started - began], "s"),
        row("controls restarted: then until a new Service is Ready", [caught_up - started], "s",
            at_most=5),
    ]  # fmt: skip


async def _writes_of_one(served: Served, writes: Writes) -> int:
    before = await writes.by_hearth()
    await served.create("one-more", _ASLEEP)
    await asyncio.sleep(2.0)
    return await writes.by_hearth() - before


async def _until_taken(served: Served, name: str) -> None:
    async with asyncio.timeout(120):
        while True:
            try:
                await served.create(name, _ASLEEP)
                return
            except ApiError:  # no webhook answers yet
                await asyncio.sleep(0.05)


@asynccontextmanager
async def _zero_is_allowed(client: KubeClient) -> AsyncIterator[None]:
    key = "allow-zero-initial-scale"
    found = await client.get(CONFIGMAPS, "config-autoscaler", NAMESPACES[0])
    was = (found.get("data") or {}).get(key)
    await client.patch(CONFIGMAPS, "config-autoscaler", NAMESPACES[0], {"data": {key: "true"}})
    try:
        yield
    finally:
        await client.patch(CONFIGMAPS, "config-autoscaler", NAMESPACES[0], {"data": {key: was}})
