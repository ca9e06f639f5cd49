"""The watch cache and the client against the real API server."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from hearth.cluster.apiserver.testing import RunningServer, running_apiserver
from hearth.kube.cache import WatchCache, put_into
from hearth.kube.client import KubeClient
from hearth.kube.errors import AlreadyExists, Conflict, NotFound, Retryable, Unavailable
from hearth.kube.meta import Object, name
from hearth.kube.plan import Create, Delete, Event, Plan, Update, apply_plan
from hearth.kube.resources import CONFIGMAPS, EVENTS


def a_configmap(title: str, **data: str) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": title, "namespace": "default"},
        "data": data,
    }


@contextlib.asynccontextmanager
async def running_cache(client: KubeClient) -> AsyncIterator[WatchCache]:
    cache = WatchCache(client, CONFIGMAPS, namespace="default")
    task = asyncio.create_task(cache.run())
    try:
        async with asyncio.timeout(10):
            await cache.synced()
        yield cache
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(cache: WatchCache, condition: Callable[[], bool]) -> None:
    changed = asyncio.Event()
    cache.on_change(lambda _old, _new: changed.set())
    async with asyncio.timeout(10):
        while not condition():
            changed.clear()
            await changed.wait()


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[RunningServer]:
    async with running_apiserver(tmp_path) as found:
        yield found


@pytest.fixture
async def client(server: RunningServer) -> AsyncIterator[KubeClient]:
    async with KubeClient.from_kubeconfig(server.kubeconfig, user_agent="tests") as found:
        yield found


async def test_follows_what_happens(client: KubeClient) -> None:
    await client.create(CONFIGMAPS, a_configmap("before", a="1"))
    async with running_cache(client) as cache:
        assert cache.get("default", "before") is not None
        made = await client.create(CONFIGMAPS, a_configmap("after"))
        await until(cache, lambda: cache.get("default", "after") is not None)
        made["data"] = {"b": "2"}
        await client.update(CONFIGMAPS, made)
        await until(cache, lambda: (cache.get("default", "after") or {}).get("data") == {"b": "2"})
        await client.delete(CONFIGMAPS, "after", "default")
        await until(cache, lambda: cache.get("default", "after") is None)


async def test_an_index_follows_too(client: KubeClient) -> None:
    async with running_cache(client) as cache:
        cache.add_index("first", lambda obj: [(obj.get("data") or {}).get("first", "")])
        made = await client.create(CONFIGMAPS, a_configmap("one", first="x"))
        await until(cache, lambda: bool(cache.by_index("first", "x")))
        made["data"]["first"] = "y"
        await client.update(CONFIGMAPS, made)
        await until(cache, lambda: bool(cache.by_index("first", "y")))
        assert cache.by_index("first", "x") == []


async def test_a_write_of_our_own_is_seen_at_once_and_never_twice(client: KubeClient) -> None:
    async with running_cache(client) as cache:
        seen: list[str] = []
        cache.on_change(lambda _old, new: seen.append(name(new)) if new else None)
        seen.clear()
        await apply_plan(
            client,
            Plan((Create(CONFIGMAPS, a_configmap("ours")),)),
            manager="tests",
            seen=put_into([cache]),
        )
        assert cache.get("default", "ours") is not None
        await client.create(CONFIGMAPS, a_configmap("later"))
        await until(cache, lambda: cache.get("default", "later") is not None)
        assert seen.count("ours") == 1


async def test_a_late_answer_does_not_bring_back_what_was_deleted(client: KubeClient) -> None:
    async with running_cache(client) as cache:
        made = await client.create(CONFIGMAPS, a_configmap("gone"))
        await until(cache, lambda: cache.get("default", "gone") is not None)
        await client.delete(CONFIGMAPS, "gone", "default")
        await until(cache, lambda: cache.get("default", "gone") is None)
        cache.put(made)
        assert cache.get("default", "gone") is None


async def test_resumes_after_the_server_was_away(tmp_path: Path) -> None:
    async with running_apiserver(tmp_path) as server:
        port = int(server.url.rpartition(":")[2])
        kubeconfig = server.kubeconfig
        client = KubeClient.from_kubeconfig(kubeconfig)
        cache = WatchCache(client, CONFIGMAPS, namespace="default")
        task = asyncio.create_task(cache.run())
        await cache.synced()
    async with running_apiserver(tmp_path, port=port):
        async with KubeClient.from_kubeconfig(kubeconfig) as other:
            await other.create(CONFIGMAPS, a_configmap("meanwhile"))
        await until(cache, lambda: cache.get("default", "meanwhile") is not None)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await client.close()


async def test_errors_have_their_own_types(client: KubeClient) -> None:
    made = await client.create(CONFIGMAPS, a_configmap("typed"))
    with pytest.raises(AlreadyExists):
        await client.create(CONFIGMAPS, a_configmap("typed"))
    with pytest.raises(NotFound):
        await client.get(CONFIGMAPS, "none", "default")
    await client.update(CONFIGMAPS, made | {"data": {"a": "1"}})
    with pytest.raises(Conflict):
        await client.update(CONFIGMAPS, made | {"data": {"a": "2"}})


async def test_an_unreachable_server_is_unavailable(server: RunningServer) -> None:
    async with KubeClient.from_kubeconfig(server.kubeconfig) as client:
        client._server = "https://127.0.0.1:1"
        with pytest.raises(Unavailable, match="cannot be reached"):
            await client.get(CONFIGMAPS, "x", "default")


async def test_a_plan_whose_world_moved_on_is_to_be_made_again(client: KubeClient) -> None:
    made = await client.create(CONFIGMAPS, a_configmap("moving"))
    await client.update(CONFIGMAPS, made | {"data": {"a": "1"}})
    with pytest.raises(Retryable):
        await apply_plan(client, Plan((Update(CONFIGMAPS, made | {"data": {}}),)), manager="t")


async def test_a_plan_deletes_what_may_be_gone_and_records_events(client: KubeClient) -> None:
    about = await client.create(CONFIGMAPS, a_configmap("about"))
    plan = Plan(
        (Delete(CONFIGMAPS, "default", "never-there"),),
        requeue_after=3,
        then=(Event(about, "Normal", "Tested", "it was"),),
    )
    assert await apply_plan(client, plan, manager="tests") == 3
    events, _ = await client.list(EVENTS, "default")
    found = [e for e in events if e["reason"] == "Tested"]
    assert [(e["message"], e["involvedObject"]["name"]) for e in found] == [("it was", "about")]


async def test_managed_fields_are_left_out_and_not_lost(client: KubeClient) -> None:
    await client.create(CONFIGMAPS, a_configmap("owned", a="1"), field_manager="first")
    async with running_cache(client) as cache:
        cached = cache.get("default", "owned")
        assert cached is not None and "managedFields" not in cached["metadata"]
        await client.update(CONFIGMAPS, cached | {"data": {"a": "1", "b": "2"}})
    stored = await client.get(CONFIGMAPS, "owned", "default")
    assert {entry["manager"] for entry in stored["metadata"]["managedFields"]} == {
        "first",
        "tests",
    }
