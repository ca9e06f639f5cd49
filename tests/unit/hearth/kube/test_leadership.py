"""Two processes and one API server in memory: one works, the other is warm and takes over."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from hearth.kube import resources
from hearth.kube.client import KubeClient, WatchEvent
from hearth.kube.controllerspec import Source
from hearth.kube.election import Timing, holder_of
from hearth.kube.holders import Holders
from hearth.kube.leadership import ALONE, Elected, Leadership
from hearth.kube.manager import Manager
from hearth.kube.meta import Key, Object
from hearth.kube.resources import LEASES, PODS
from hearth.kube.testing import FakeClient, an_object
from tests.waiting import until

OBJECTS = Source(resources.CONFIGMAPS)
SHORT = Timing(lease_duration=1.0, renew_deadline=0.8, retry_period=0.1)
LEASE = ("ns", "control.00-of-01")


@dataclass
class Process:
    """A replica of a component: a manager with one controller that notes what it works on."""

    name: str
    client: KubeClient
    buckets: tuple[str, ...] = (LEASE[1],)
    worked_on: list[Key] = field(default_factory=list)
    task: asyncio.Task[None] | None = None
    timing: Timing = SHORT
    holders: Holders | None = None

    def __post_init__(self) -> None:
        self.leadership: Leadership = Elected(
            self.client,
            namespace="ns",
            buckets=self.buckets,
            identity=self.name,
            timing=self.timing,
            holders=self.holders,
        )
        self.manager = Manager(self.client, name="tests", leadership=self.leadership)
        self.manager.add_controller("example", self._work, source=OBJECTS)

    async def _work(self, key: Key) -> None:
        self.worked_on.append(key)

    def leads(self, title: str = "a") -> bool:
        return self.leadership.leads(("ns", title))

    def start(self) -> None:
        self.task = asyncio.create_task(self.manager.run())

    async def stop(self) -> None:
        assert self.task is not None
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


class Severed(FakeClient):
    """A client of the same server, whose requests get lost once ``is_cut``."""

    is_cut = False

    def __init__(self, server: FakeClient) -> None:
        super().__init__()
        self._origin = server
        self.objects = server.objects

    async def list(self, resource: resources.Resource, *args: Any, **options: Any) -> Any:
        return await self._origin.list(resource)

    async def watch(
        self, resource: resources.Resource, *args: Any, **options: Any
    ) -> AsyncIterator[WatchEvent]:
        async for event in self._origin.watch(resource):
            if not self.is_cut:
                yield event

    def _write(self, verb: str, resource: resources.Resource, obj: Object) -> Object:
        if self.is_cut:
            raise TimeoutError
        return self._origin._write(verb, resource, obj)


@contextlib.asynccontextmanager
async def running(*processes: Process) -> AsyncIterator[None]:
    for process in processes:
        process.start()
    try:
        yield
    finally:
        for process in processes:
            await process.stop()


def holder(client: FakeClient) -> str:
    return holder_of(client.objects.get(LEASES, {}).get(LEASE))


async def test_a_process_alone_leads_and_writes_nothing() -> None:
    client = FakeClient()
    client.put(resources.CONFIGMAPS, an_object("a"))
    alone = Process("a", client)
    alone.manager = Manager(client, name="tests")
    alone.manager.add_controller("example", alone._work, source=OBJECTS)
    assert alone.manager.leadership is ALONE
    async with running(alone):
        await until(lambda: alone.worked_on == [("ns", "a")])
    assert client.written == []


async def test_one_works_and_the_other_has_warm_caches() -> None:
    client = FakeClient()
    client.put(resources.CONFIGMAPS, an_object("a"))
    one, two = Process("one", client), Process("two", client)
    async with running(one, two):
        await until(lambda: one.worked_on or two.worked_on)
        leader, follower = (one, two) if one.leads() else (two, one)
        client.put(resources.CONFIGMAPS, an_object("b"))
        await until(lambda: ("ns", "b") in leader.worked_on)
        await until(lambda: follower.manager.get(OBJECTS, "ns", "b"))
        assert not follower.leads()
        assert follower.worked_on == []


async def test_after_an_orderly_end_the_next_one_leads_at_once_and_looks_at_everything() -> None:
    client = FakeClient()
    client.put(resources.CONFIGMAPS, an_object("a"))
    one, two = Process("one", client), Process("two", client)
    one.start()
    await until(one.leads)
    async with running(two):
        await until(lambda: two.manager.get(OBJECTS, "ns", "a"))
        started = asyncio.get_running_loop().time()
        await one.stop()
        await until(lambda: two.worked_on == [("ns", "a")])
        assert asyncio.get_running_loop().time() - started < SHORT.lease_duration / 2
        assert holder(client) == "two"


async def test_a_lease_is_released_though_its_last_renewal_got_no_answer() -> None:
    client = FakeClient()
    elected = Elected(client, namespace="ns", buckets=[LEASE[1]], identity="a", timing=SHORT)
    task = asyncio.create_task(elected.run())
    await until(lambda: elected.leads(("ns", "x")))
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    client.put(LEASES, client.objects[LEASES][LEASE])
    await elected.release()
    assert holder(client) == ""


async def test_a_leader_that_cannot_renew_stops_before_another_begins() -> None:
    server = FakeClient()
    cut = Severed(server)
    one, two = Process("one", cut), Process("two", server)
    one.start()
    await until(one.leads)
    noticed: list[bool] = []
    one.leadership.on_change(lambda: noticed.append(two.leads()))
    async with running(two):
        await until(lambda: two.manager._caches[OBJECTS].is_synced)
        cut.is_cut = True
        await until(lambda: not one.leads())
        assert not two.leads()
        await until(two.leads)
    await one.stop()
    assert noticed == [False]


LONG = Timing(lease_duration=600.0, renew_deadline=400.0, retry_period=100.0)


def a_pod(client: FakeClient, pod: str) -> Process:
    """A replica that is a pod of the cluster."""
    client.put(PODS, an_object(pod))
    return Process(f"{pod}_10.0.0.1:80", client, timing=LONG, holders=Holders(client, "ns", pod))


async def kill(process: Process) -> None:
    """Nothing is released."""
    process.leadership.release = _nothing  # type: ignore[method-assign]
    await process.stop()


async def _nothing() -> None:
    pass


async def test_a_leader_whose_pod_is_gone_is_not_waited_for() -> None:
    client = FakeClient()
    one, two = a_pod(client, "one"), a_pod(client, "two")
    one.start()
    await until(one.leads)
    async with running(two):
        await until(lambda: two.manager._caches[OBJECTS].is_synced)
        await kill(one)
        assert not two.leads()
        client.remove(PODS, "ns", "one")
        await until(two.leads)
        assert holder(client) == two.name


async def test_nor_by_one_that_comes_when_it_is_gone_already() -> None:
    client = FakeClient()
    one = a_pod(client, "one")
    one.start()
    await until(one.leads)
    await kill(one)
    client.remove(PODS, "ns", "one")
    two = a_pod(client, "two")
    async with running(two):
        await until(two.leads)


async def test_a_leader_whose_pod_is_there_is_waited_for() -> None:
    client = FakeClient()
    one, two = a_pod(client, "one"), a_pod(client, "two")
    one.start()
    await until(one.leads)
    bid = two.leadership._bids[LEASE[1]]  # type: ignore[attr-defined]
    async with running(two):
        await until(lambda: not bid.is_doubtful)
        await asyncio.sleep(0)
        assert one.leads() and not two.leads()
        client.put(PODS, an_object("three"))
        client.remove(PODS, "ns", "three")
        assert not bid.is_doubtful
    await one.stop()


async def test_several_buckets_are_shared_by_whoever_is_there() -> None:
    client = FakeClient()
    names = tuple(f"control.{number:02d}-of-04" for number in range(4))
    titles = [f"object-{number}" for number in range(40)]
    for title in titles:
        client.put(resources.CONFIGMAPS, an_object(title))
    one, two = Process("one", client, names), Process("two", client, names)
    async with running(one, two):
        await until(lambda: len(set(one.worked_on) | set(two.worked_on)) == len(titles))
        assert not set(one.worked_on) & set(two.worked_on)
        assert all(one.leads(title) != two.leads(title) for title in titles)
        assert len(client.objects[LEASES]) == 4
