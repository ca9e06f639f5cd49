"""Wishes of others, over the real wire, beside the control plane with a real API server."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from hearth.keda.wishing import WishSender
from hearth.knative import resources as knative
from hearth.knative.autoscalers import OneAutoscaler
from hearth.kube.errors import Conflict, NotFound
from hearth.kube.meta import annotations as annotations_of
from hearth.kube.plan import Patch
from hearth.kube.resources import DEPLOYMENTS
from hearth.kube.tokens import Tokens
from serving.api import keys
from serving.api.wishes import Wish, WishTrigger
from serving.autoscaler.server import StatsServer
from serving.wishing import Wishing
from tests.component.serving.test_autoscaling import (
    NAMESPACE,
    REVISION,
    Cluster,
    a_service,
    came_up,
    cluster,
    eventually,
    fell_asleep,
)

__all__ = ["cluster"]
TRIGGERS = (WishTrigger("s0-redis-jobs", 42.0, 10.0, 5),)


def a_wish(replicas: int | None, **facts: Any) -> Wish:
    return Wish("Service", NAMESPACE, "hello", "default/orders", replicas, **facts)


@asynccontextmanager
async def a_sender(port: int) -> AsyncIterator[WishSender]:
    sender = WishSender(OneAutoscaler(("127.0.0.1", port)), tokens=Tokens("secret"))
    task = asyncio.create_task(sender.run())
    try:
        yield sender
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def asleep(cluster: Cluster) -> Cluster:
    await came_up(cluster)
    await fell_asleep(cluster)
    return cluster


async def test_a_service_at_zero_gets_all_that_is_wished_for_in_one_step(asleep: Cluster) -> None:
    async with a_sender(asleep.stats.port) as sender:
        sender.wish(a_wish(5, triggers=TRIGGERS))
        await eventually(asleep.replicas, 5)
        told = asleep.plane.explaining.of(NAMESPACE, "hello")
        assert told is not None
        (explanation,) = told["explanations"]
        assert (explanation["wish"], explanation["decidedBy"]) == (5, "default/orders")
        assert {"s0-redis-jobs", "default/orders"} <= {s["rule"] for s in explanation["steps"]}
        await eventually(asleep.active, "Unknown")
        await eventually(lambda: ready(asleep), True)
        await eventually(asleep.active, "True")
    await fell_not_asleep(asleep)  # the sender is gone, its wish is not
    async with a_sender(asleep.stats.port) as sender:
        sender.wish(a_wish(0))
        await eventually(lambda: shares(asleep), [0])
        await fell_asleep(asleep)
        sender.wish(a_wish(None))
        await eventually(lambda: shares(asleep), [])
        await eventually(lambda: named(asleep), "")


async def ready(cluster: Cluster) -> bool:
    await cluster.make_ready()
    return cluster.plane.ready_pods((NAMESPACE, REVISION)) == 5


async def shares(cluster: Cluster) -> list[int]:
    decider = cluster.plane.multiscaler.deciders[(NAMESPACE, REVISION)]
    return [share.pods for share in decider.wishes]


async def fell_not_asleep(cluster: Cluster) -> None:
    for _ in range(40):
        cluster.now += 2
        cluster.plane.multiscaler.tick(cluster.now)
    assert cluster.plane.desired((NAMESPACE, REVISION)) == 5
    assert await cluster.replicas() == 5


async def test_a_new_autoscaler_waits_for_the_word_of_each_source(asleep: Cluster) -> None:
    plane, key = asleep.plane, (NAMESPACE, REVISION)
    plane.wishing.take([a_wish(5)])
    await eventually(asleep.replicas, 5)
    await eventually(lambda: named(asleep), "default/orders")
    await eventually(lambda: ready(asleep), True)
    # As after a start: nothing is known but what is stored, and nobody speaks.
    plane.wishing = Wishing(
        plane.manager,
        plane.multiscaler,
        clock=lambda: asleep.now,
        failed=lambda key: None,
        foretold=lambda *about: (),
        asked=lambda obj: 5,
        write=lambda patch: writes.append(patch),
    )
    writes: list[Patch] = []
    plane.multiscaler.remove(key)
    plane.change_settings(plane.settings)
    assert await shares(asleep) == [5]
    await fell_not_asleep(asleep)
    (explanation,) = (plane.explaining.of(*key) or {})["explanations"]
    (step,) = (step for step in explanation["steps"] if step["rule"] == "default/orders")
    assert "it has not spoken since" in step["text"]
    assert writes == []
    plane.wishing.take([a_wish(2)])
    assert await shares(asleep) == [2]
    plane.wishing.take([a_wish(None)])
    assert await shares(asleep) == []
    assert [patch.patch["metadata"]["annotations"][keys.WISHED_BY] for patch in writes] == [None]


async def named(cluster: Cluster) -> str:
    return annotations_of(await cluster.get(knative.PODAUTOSCALERS, REVISION)).get(
        keys.WISHED_BY, ""
    )


async def test_a_wish_goes_where_traffic_goes(cluster: Cluster) -> None:
    await came_up(cluster)
    await changed(
        cluster,
        {"revisionName": REVISION, "percent": 75},
        {"latestRevision": True, "percent": 25},
    )
    async with a_sender(cluster.stats.port) as sender:
        sender.wish(a_wish(4))
        await eventually(lambda: replicas(cluster), (3, 1))
        await changed(
            cluster,
            {"latestRevision": True, "percent": 100},
            {"revisionName": REVISION, "percent": 0, "tag": "old"},
        )
        await eventually(lambda: of_second(cluster), 4)
        await eventually(lambda: shares(cluster), [])


async def changed(cluster: Cluster, *traffic: dict[str, Any]) -> None:
    """Another template, and where requests go between the revisions."""
    found = await cluster.get(knative.KSERVICES, "hello")
    template = a_service(**{"example.com/version": "2"})["spec"]["template"]
    spec = {"template": template, "traffic": list(traffic)}
    await cluster.client.update(knative.KSERVICES, {**found, "spec": spec})

    async def is_so() -> bool:
        with contextlib.suppress(Conflict, NotFound):  # pods come and go meanwhile
            await cluster.make_ready()
        route = await cluster.get(knative.ROUTES, "hello")
        served = (route.get("status") or {}).get("traffic") or ()
        return [target["percent"] for target in served] == [each["percent"] for each in traffic]

    await eventually(is_so, True)


async def of_second(cluster: Cluster) -> int:
    return (await replicas(cluster))[1]


async def replicas(cluster: Cluster) -> tuple[int, int]:
    second = await cluster.get(DEPLOYMENTS, "hello-00002-deployment")
    return await cluster.replicas(), second["spec"]["replicas"]


async def test_who_starts_anew_is_told_again(tmp_path: Path, cluster: Cluster) -> None:
    heard: list[Wish] = []

    def a_server() -> StatsServer:
        return StatsServer(cluster.plane.multiscaler, tokens=Tokens("secret"), wish=heard.extend)

    async def last() -> Wish | None:
        return heard[-1] if heard else None

    first = a_server()
    await first.start("127.0.0.1", 0)
    port = first.port
    async with a_sender(port) as sender:
        sender.wish(a_wish(3))
        await eventually(last, a_wish(3))
        assert sender.is_reachable
        await first.close()
        heard.clear()
        second = a_server()
        await second.start("127.0.0.1", port)
        try:
            await eventually(last, a_wish(3))
        finally:
            await second.close()
