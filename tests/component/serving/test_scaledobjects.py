"""A ScaledObject on a Knative Service: operator and autoscaler together, one decision for both."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from hearth.keda.api.keys import SCALEDOBJECTS
from hearth.keda.install import install
from hearth.keda.operator.main import OperatorConfig, run
from hearth.kube.resources import HPAS, PODS
from serving.api.stats import Frame, Stat
from tests.component.serving.test_autoscaling import (
    NAMESPACE,
    REVISION,
    Cluster,
    came_up,
    cluster,
    eventually,
    fell_asleep,
)

__all__ = ["cluster"]
KEY = (NAMESPACE, REVISION)
TRIGGER = {
    "type": "kubernetes-workload",
    "name": "work",
    "metadata": {"podSelector": "app=work", "value": "2"},
}


@asynccontextmanager
async def an_operator(cluster: Cluster) -> AsyncIterator[None]:
    config = OperatorConfig(
        cluster.kubeconfig,
        stats_token="secret",
        autoscaler=("127.0.0.1", cluster.stats.port),
    )
    ready = asyncio.Event()
    task = asyncio.create_task(run(config, ready.set))
    try:
        async with asyncio.timeout(30):
            await ready.wait()
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def a_scaledobject(cluster: Cluster, **more: Any) -> None:
    target = {"apiVersion": "serving.knative.dev/v1", "kind": "Service", "name": "hello"}
    bounds = {"pollingInterval": 1, "cooldownPeriod": 0, "maxReplicaCount": 4}
    await cluster.client.create(
        SCALEDOBJECTS,
        {
            "apiVersion": SCALEDOBJECTS.api_version,
            "kind": SCALEDOBJECTS.kind,
            "metadata": {"name": "orders", "namespace": NAMESPACE},
            "spec": {"scaleTargetRef": target, "triggers": [TRIGGER], **bounds, **more},
        },
    )


async def work(cluster: Cluster, *names: str) -> None:
    """Pods that the trigger counts, of nobody else's concern."""
    for name in names:
        metadata = {"name": name, "namespace": NAMESPACE, "labels": {"app": "work"}}
        spec = {"containers": [{"name": "a", "image": "true"}]}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
        await cluster.client.create(PODS, pod)


async def is_up(cluster: Cluster) -> bool:
    await cluster.make_ready()
    return await cluster.active() == "True"


async def wishes(cluster: Cluster) -> list[int]:
    return [share.pods for share in cluster.plane.multiscaler.deciders[KEY].wishes]


def explained(cluster: Cluster) -> dict[str, Any]:
    told = cluster.plane.explaining.of(*KEY)
    assert told is not None
    return dict(told["explanations"][0])


async def test_triggers_and_requests_are_one_decision(cluster: Cluster) -> None:
    await install(cluster.client)
    await came_up(cluster)
    await fell_asleep(cluster)
    names = [f"work-{number}" for number in range(6)]
    async with an_operator(cluster):
        await a_scaledobject(cluster)
        await eventually(lambda: wishes(cluster), [0])
        assert await cluster.replicas() == 0
        await work(cluster, *names)
        await eventually(cluster.replicas, 3)  # ceil(6 / 2), from zero in one step
        told = explained(cluster)
        assert (told["wish"], told["decidedBy"]) == (3, "default/orders")
        (step,) = (step for step in told["steps"] if step["rule"] == "s0-workload-default")
        assert (step["pods"], step["text"]) == (3, "6, 2 aimed at per pod")
        # Requests that need more than that get it, and keep it.
        stat = Stat(*KEY, 300.0, 0, 300)
        cluster.plane.multiscaler.receive("a", Frame(0, (stat,), is_poke=True), cluster.now)
        await eventually(cluster.replicas, 5)
        assert explained(cluster)["decidedBy"] != "default/orders"
        cluster.plane.multiscaler.disconnect("a")
        await eventually(lambda: is_up(cluster), True)
    # The operator is gone: what it wished for stays.
    for _ in range(60):
        cluster.now += 2
        cluster.plane.multiscaler.tick(cluster.now)
    await eventually(cluster.replicas, 3)
    for name in names:
        await cluster.client.delete(PODS, name, NAMESPACE, grace_period_seconds=0)
    async with an_operator(cluster):
        await eventually(lambda: wishes(cluster), [0])
        await fell_asleep(cluster)
        await cluster.client.delete(SCALEDOBJECTS, "orders", NAMESPACE)
        await eventually(lambda: wishes(cluster), [])
    assert (await cluster.client.list(HPAS, NAMESPACE))[0] == []


async def test_a_formula_may_be_about_both(cluster: Cluster) -> None:
    await install(cluster.client)
    await came_up(cluster)
    await fell_asleep(cluster)
    modifiers = {"formula": "min(requests, 2) + ceil(work / 2)", "target": "1"}
    async with an_operator(cluster):
        await a_scaledobject(cluster, advanced={"scalingModifiers": modifiers})
        await work(cluster, "work-0", "work-1", "work-2")
        await eventually(cluster.replicas, 2)  # ceil(3 / 2), from zero
        # Requests need five; two of them count.
        stat = Stat(*KEY, 300.0, 0, 300)
        cluster.plane.multiscaler.receive("a", Frame(0, (stat,), is_poke=True), cluster.now)
        await eventually(cluster.replicas, 4)
        assert explained(cluster)["decidedBy"] == "default/orders"
