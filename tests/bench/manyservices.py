"""What a thousand Services cost: to make one more, to hold them, to begin anew with them.

Times are seen by one watch of all Services, writes in the store (without the node's Lease),
processor time and memory are those of all of Hearth's processes; memory when they are idle, and
have given back what they had for work.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sqlite3
import time
from collections.abc import Awaitable, Callable

from hearth.cli.status import memory_bytes
from hearth.knative.resources import KSERVICES
from hearth.kube.client import KubeClient
from hearth.kube.conditions import Conditions
from hearth.kube.errors import ApiError
from hearth.kube.meta import Object, name
from hearth.kube.resources import CONFIGMAPS, PODS
from tests.bench.hearth import RunningHearth
from tests.bench.rows import Row, percentile, row
from tests.bench.services import a_service
from tests.bench.targets import cpu_seconds

COUNT, BURST, AT_ONCE, RUNS = 1_000, 200, 8, 30
STEADY_SECONDS, SETTLE_SECONDS = 60.0, 15.0


class Fleet:
    """The Services of one Hearth, and when each became Ready."""

    def __init__(self, hearth: RunningHearth, client: KubeClient) -> None:
        self._hearth = hearth
        self._client = client
        self._ready: dict[str, asyncio.Future[float]] = {}

    async def watch(self) -> None:
        """Note who becomes Ready, until cancelled."""
        version = ""
        while True:
            found, version = await self._client.list(KSERVICES, "default")
            for obj in found:
                self._note(obj)
            async for event in self._client.watch(KSERVICES, "default", resource_version=version):
                self._note(event.object)

    def _note(self, obj: Object) -> None:
        waits = self._ready.get(name(obj))
        if waits is not None and not waits.done() and Conditions.of(obj).is_true("Ready"):
            waits.set_result(time.monotonic())

    async def create(self, title: str) -> float:
        """Seconds from the request to Ready."""
        ready = self._ready[title] = asyncio.get_running_loop().create_future()
        began = time.monotonic()
        await self._client.create(KSERVICES, a_service(title))
        done: float = await asyncio.wait_for(ready, 120)
        return done - began

    async def create_many(self, titles: list[str], at_once: int) -> list[float]:
        """So many at a time."""
        limit = asyncio.Semaphore(at_once)

        async def one(title: str) -> float:
            async with limit:
                return await self.create(title)

        return list(await asyncio.gather(*map(one, titles)))

    async def one_by_one(self, prefix: str) -> list[float]:
        """Milliseconds of one after the other, each removed again."""
        took = []
        for number in range(RUNS):
            title = f"{prefix}-{number}"
            took.append(await self.create(title) * 1000)
            await self._client.delete(KSERVICES, title, "default")
        await self.asleep()
        return took

    async def asleep(self) -> None:
        """Until no pod is there."""

        async def none_there() -> bool:
            return not (await self._client.list(PODS, "default"))[0]

        await until(none_there, 180)

    async def version(self) -> int:
        """Of the whole store: each write is one more."""
        return int((await self._client.list(CONFIGMAPS, "knative-serving"))[1])

    def spent(self) -> float:
        """Processor seconds so far of all processes."""
        return sum(map(cpu_seconds, self._hearth.pids().values()))

    def held(self) -> float:
        """KB in memory, of all processes."""
        return sum(map(memory_bytes, self._hearth.pids().values())) / 1000

    async def restart(self, component: str) -> float:
        """Kill a process; seconds until one takes Services again and makes the next one Ready."""
        before = self._hearth.pids()[component]
        began = time.monotonic()
        os.kill(before, signal.SIGKILL)
        await until(self._takes_services, 60)
        await self.create(f"after-{component}-{before}")
        return time.monotonic() - began

    async def writes(self, seconds: float) -> int:
        """How many there are in some seconds in which nobody asks for anything."""
        before = await self.version()
        await asyncio.sleep(seconds)
        return self._written_since(before)

    async def writes_of_restart(self, component: str) -> int:
        """Kill a process; what the next one writes."""
        before = await self.version()
        os.kill(self._hearth.pids()[component], signal.SIGKILL)
        await until(self._takes_services, 60)
        await asyncio.sleep(SETTLE_SECONDS)
        return self._written_since(before)

    def _written_since(self, version: int) -> int:
        """All but renewals of the node's Lease, which kubelet writes as often (each 10 s)."""
        (state,) = self._hearth.data_dir.rglob("state.db")
        with contextlib.closing(sqlite3.connect(f"file:{state}?mode=ro", uri=True)) as store:
            text = "select count(*) from revision where id > ? and key not like 'leases.%'"
            return int(store.execute(text, (version,)).fetchone()[0])

    async def _takes_services(self) -> bool:
        try:
            await self._client.create(KSERVICES, a_service("nobody"), dry_run=True)
        except ApiError:
            return False
        return True


async def until(condition: Callable[[], Awaitable[bool]], seconds: float) -> None:
    """Return once a condition holds."""
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(0.2)


async def _measure(hearth: RunningHearth) -> list[Row]:
    async with KubeClient.from_kubeconfig(hearth.kubeconfig) as client:
        fleet = Fleet(hearth, client)
        watch = asyncio.ensure_future(fleet.watch())
        try:
            return await _rows(fleet)
        finally:
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)


async def _rows(fleet: Fleet) -> list[Row]:
    await fleet.create_many([f"few-{i}" for i in range(10)], AT_ONCE)
    few = await fleet.one_by_one("at-ten")
    await asyncio.sleep(SETTLE_SECONDS)
    empty, spent = fleet.held(), fleet.spent()
    began = time.monotonic()
    await fleet.create_many([f"burst-{i}" for i in range(BURST)], BURST)
    burst = time.monotonic() - began
    until_ready = (fleet.spent() - spent) / BURST * 1000
    await fleet.create_many([f"many-{i}" for i in range(COUNT - BURST - 10)], AT_ONCE)
    spent = (fleet.spent() - spent) / (COUNT - 10) * 1000
    await fleet.asleep()
    many = await fleet.one_by_one("at-thousand")
    await asyncio.sleep(SETTLE_SECONDS)
    held = (fleet.held() - empty) / (COUNT - 10)
    steady = await fleet.writes(STEADY_SECONDS)
    restarted = await fleet.writes_of_restart("control")
    again = await fleet.restart("control")
    tail = [percentile(few, 0.95), percentile(many, 0.95)]
    return [
        row(f"create to Ready, p95, {COUNT:,} Services there", tail[1:], "ms", at_most=500),
        row("the same, of that with 10 there", [tail[1] / tail[0]], "x", at_most=1.5),
        row(f"{BURST} Services created at once: all Ready", [burst], "s", at_most=12),
        row("memory per idle Service, all processes", [held], "KB", at_most=120),
        row(f"processor time per Service, of {BURST} at once", [until_ready], "ms", at_most=40),
        row("the same, of all, most of them asleep again", [spent], "ms", at_most=40),
        row(f"writes in {STEADY_SECONDS:g} s with {COUNT:,} Services", [steady], "", at_most=0),
        row("control killed: writes", [restarted], "", at_most=0),
        row(f"control killed with {COUNT:,} Services: next one Ready", [again], "s", at_most=3),
    ]


def rows() -> list[Row]:
    with RunningHearth() as hearth:
        return asyncio.run(_measure(hearth))
