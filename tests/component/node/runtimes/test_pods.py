"""Whole pods on every runtime: the node knows no more of it than the seam."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from hearth.cluster.node.main import NodeConfig
from hearth.kube.resources import NODES, PODS

Cluster = Any
Look = Any
Harness = Any  # of conftest
Object = dict[str, Any]


@pytest.fixture
async def cluster(
    bare_cluster: Cluster,
    harness: Harness,
    node_runner: Callable[..., contextlib.AbstractAsyncContextManager[None]],
) -> AsyncIterator[Cluster]:
    config = NodeConfig(
        kubeconfig=bare_cluster.server.kubeconfig,
        data_dir=bare_cluster.data_dir,
        node_name="node",
        stop_grace_seconds=0.5,
        termination_delay=0.01,
    )
    async with node_runner(config, harness.runtime()):
        yield bare_cluster


def container(harness: Harness, *program: str, **fields: Any) -> Object:
    words = harness.program(*program)
    return {"name": "main", "image": harness.image, "command": words, **fields}


def first(pod: Object, kind: str = "containerStatuses") -> Object:
    statuses: list[Object] = (pod.get("status") or {}).get(kind) or [{}]
    return statuses[0]


def is_backing_off(pod: Object, kind: str = "containerStatuses") -> bool:
    waiting = first(pod, kind).get("state", {}).get("waiting", {})
    return bool(waiting.get("reason") == "CrashLoopBackOff")


async def test_work_that_ends(cluster: Cluster, look: Look, harness: Harness) -> None:
    init = container(harness, "exit", "0") | {"name": "init"}
    main = container(harness, "print", "done")
    await cluster.client.create(PODS, cluster.pod("job", main, initContainers=[init]))
    await cluster.until("job", lambda pod: look.phase(pod) == "Succeeded")
    await cluster.until_log("job", "done")
    await cluster.delete("job")
    await cluster.until_gone("job")


async def test_a_server_that_is_deleted(cluster: Cluster, look: Look, harness: Harness) -> None:
    await cluster.client.create(PODS, cluster.pod("server", container(harness, "forever")))
    pod = await cluster.until("server", look.is_ready)
    node = await cluster.client.get(NODES, "node")
    version = node["status"]["nodeInfo"]["containerRuntimeVersion"]
    scheme = version.partition("://")[0]
    assert version == harness.runtime().version
    assert first(pod)["containerID"].startswith(f"{scheme}://")
    await cluster.delete("server")
    await cluster.until_gone("server")


async def test_crashes_wait_longer(cluster: Cluster, look: Look, harness: Harness) -> None:
    main = container(harness, "exit", "3")
    await cluster.client.create(PODS, cluster.pod("crash", main, restartPolicy="Always"))
    pod = await cluster.until("crash", is_backing_off)
    assert first(pod)["lastState"]["terminated"]["exitCode"] == 3
    assert first(pod)["restartCount"] == 1
    await cluster.until_event("crash", "BackOff")


# -- what cannot be started ---------------------------------------------------------------------


async def test_a_program_that_is_not_there_backs_off(cluster: Cluster, harness: Harness) -> None:
    main = container(harness, "missing")
    await cluster.client.create(PODS, cluster.pod("absent", main, restartPolicy="Always"))
    pod = await cluster.until("absent", is_backing_off)
    last = first(pod)["lastState"]["terminated"]
    assert (last["exitCode"], last["reason"]) == (128, "StartError")
    assert "no such file or directory" in last["message"]
    assert first(pod)["restartCount"] == 1
    assert "Error: exec:" in (await cluster.until_event("absent", "Failed"))["message"]
    await cluster.until_event("absent", "BackOff")
    await cluster.delete("absent")
    await cluster.until_gone("absent")
    await cluster.until_folder_gone("absent")


async def test_an_init_container_that_is_not_there_backs_off(
    cluster: Cluster, harness: Harness
) -> None:
    init = container(harness, "missing") | {"name": "init"}
    main = container(harness, "forever")
    pod = cluster.pod("absent", main, initContainers=[init], restartPolicy="Always")
    await cluster.client.create(PODS, pod)
    await cluster.until("absent", lambda pod: is_backing_off(pod, "initContainerStatuses"))
    await cluster.delete("absent", grace_period_seconds=0)  # by force: nothing of it stays
    await cluster.until_gone("absent")
    await cluster.until_folder_gone("absent")


async def test_a_program_that_is_not_there_may_never_come(
    cluster: Cluster, look: Look, harness: Harness
) -> None:
    await cluster.client.create(PODS, cluster.pod("absent", container(harness, "missing")))
    pod = await cluster.until("absent", lambda pod: look.phase(pod) == "Failed")
    assert first(pod)["state"]["terminated"]["reason"] == "StartError"


async def test_a_start_that_fails_in_a_way_nobody_foresaw(
    cluster: Cluster, look: Look, harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is a failed start like any other, and the next one may succeed."""
    start, failures = type(harness.runtime()).start, iter([True, True])

    async def failing(self: Any, request: Any) -> Any:
        if next(failures, False):
            raise KeyError("never foreseen")
        return await start(self, request)

    monkeypatch.setattr(type(harness.runtime()), "start", failing)
    monkeypatch.setattr("hearth.cluster.node.pod.records.FIRST_BACKOFF", 0.05)
    main = container(harness, "forever")
    await cluster.client.create(PODS, cluster.pod("odd", main, restartPolicy="Always"))
    pod = await cluster.until("odd", look.is_ready)
    assert first(pod)["restartCount"] == 2
    assert first(pod)["lastState"]["terminated"]["message"] == "'never foreseen'"


async def test_a_start_that_hangs_is_cut_short_by_a_deletion(
    cluster: Cluster, harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the pull of a large image may."""
    started = asyncio.Event()

    async def hanging(self: Any, request: Any) -> Any:
        started.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(type(harness.runtime()), "start", hanging)
    await cluster.client.create(PODS, cluster.pod("slow", container(harness, "forever")))
    await started.wait()
    await cluster.delete("slow")
    await cluster.until_gone("slow")
    await cluster.until_folder_gone("slow")
