"""Watches over real HTTPS: what is seen, by whom, from where on, and after a restart."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from hearth.cluster.apiserver.testing import RunningServer, running_apiserver
from hearth.cluster.operations import watchers
from hearth.cluster.rest.handlers import watching
from hearth.cluster.store import store
from hearth.kube.client import KubeClient
from hearth.kube.resources import CONFIGMAPS

Object = dict[str, Any]
PATH = "/api/v1/namespaces/default/configmaps"


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[RunningServer]:
    async with running_apiserver(tmp_path) as running:
        yield running


@pytest.fixture
async def client(server: RunningServer) -> AsyncIterator[KubeClient]:
    async with KubeClient.from_kubeconfig(server.kubeconfig) as found:
        yield found


def a_session(server: RunningServer) -> aiohttp.ClientSession:
    context = ssl.create_default_context(cafile=str(server.ca_cert))
    headers = {"Authorization": f"Bearer {server.token}"}
    connector = aiohttp.TCPConnector(ssl=context, limit=200)
    return aiohttp.ClientSession(server.url, headers=headers, connector=connector)


class Watch:
    """One open watch."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self._answer = answer

    async def next(self) -> tuple[str, Object]:
        async with asyncio.timeout(60):
            line = await self._answer.content.readline()
        assert line, "the watch has ended"
        event = orjson.loads(line)
        return event["type"], event["object"]

    async def names(self, count: int) -> list[tuple[str, str]]:
        found = [await self.next() for _ in range(count)]
        return [(kind, obj["metadata"]["name"]) for kind, obj in found]

    async def rest(self) -> bytes:
        async with asyncio.timeout(60):
            return await self._answer.content.read()


@asynccontextmanager
async def watching_with(
    session: aiohttp.ClientSession,
    path: str = PATH,
    accept: str = "application/json",
    **params: Any,
) -> AsyncIterator[Watch]:
    query = {"watch": "1"} | {name: str(value) for name, value in params.items()}
    async with session.get(path, params=query, headers={"Accept": accept}) as answer:
        assert answer.status == 200, await answer.text()
        yield Watch(answer)


def a_config_map(name: str, **labels: str) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "default", "labels": labels},
    }


async def test_a_watch_without_version_begins_with_what_is_there(
    server: RunningServer, client: KubeClient
) -> None:
    await client.create(CONFIGMAPS, a_config_map("a"))
    async with a_session(server) as session, watching_with(session) as watch:
        assert await watch.names(2) == [("ADDED", "a"), ("ADDED", "kube-root-ca.crt")]
        await client.create(CONFIGMAPS, a_config_map("b"))
        await client.patch(CONFIGMAPS, "b", "default", {"data": {"x": "1"}})
        await client.delete(CONFIGMAPS, "b", "default")
        assert await watch.names(3) == [("ADDED", "b"), ("MODIFIED", "b"), ("DELETED", "b")]


async def test_a_watch_from_a_version_sees_what_came_after_it(
    server: RunningServer, client: KubeClient
) -> None:
    first = await client.create(CONFIGMAPS, a_config_map("a"))
    await client.create(CONFIGMAPS, a_config_map("b"))
    version = first["metadata"]["resourceVersion"]
    async with (
        a_session(server) as session,
        watching_with(session, resourceVersion=version) as watch,
    ):
        await client.create(CONFIGMAPS, a_config_map("c"))
        assert await watch.names(2) == [("ADDED", "b"), ("ADDED", "c")]


async def test_changes_older_than_memory_come_from_the_disk(
    server: RunningServer, client: KubeClient
) -> None:
    first = await client.create(CONFIGMAPS, a_config_map("a"))
    await client.patch(CONFIGMAPS, "a", "default", {"metadata": {"labels": {"x": "y"}}})
    await client.delete(CONFIGMAPS, "a", "default")
    server.api.store._history.floor = server.api.store.revision
    version = first["metadata"]["resourceVersion"]
    async with (
        a_session(server) as session,
        watching_with(session, resourceVersion=version, labelSelector="!x") as watch,
    ):
        kind, obj = await watch.next()
        assert (kind, obj["metadata"]["name"]) == ("DELETED", "a")
        assert "labels" not in obj["metadata"]  # as it was when it was last selected


async def test_leaving_a_selection_is_a_deletion(server: RunningServer, client: KubeClient) -> None:
    async with a_session(server) as session, watching_with(session, labelSelector="a=b") as watch:
        await client.create(CONFIGMAPS, a_config_map("x", a="b"))
        await client.patch(CONFIGMAPS, "x", "default", {"metadata": {"labels": {"a": "c"}}})
        changed = await client.patch(
            CONFIGMAPS, "x", "default", {"metadata": {"labels": {"a": "b"}}}
        )
        assert await watch.names(2) == [("ADDED", "x"), ("DELETED", "x")]
        kind, obj = await watch.next()
        assert kind == "ADDED"
        assert obj["metadata"]["resourceVersion"] == changed["metadata"]["resourceVersion"]


async def test_initial_events_end_with_a_bookmark(
    server: RunningServer, client: KubeClient
) -> None:
    await client.create(CONFIGMAPS, a_config_map("a"))
    params = {
        "sendInitialEvents": "true",
        "resourceVersionMatch": "NotOlderThan",
        "allowWatchBookmarks": "true",
    }
    async with a_session(server) as session, watching_with(session, **params) as watch:
        assert await watch.names(2) == [("ADDED", "a"), ("ADDED", "kube-root-ca.crt")]
        kind, obj = await watch.next()
        assert kind == "BOOKMARK"
        assert obj["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
        assert int(obj["metadata"]["resourceVersion"]) == server.api.store.revision


async def test_bookmarks_move_a_quiet_watch_on(
    server: RunningServer, client: KubeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "BOOKMARK_SECONDS", 0.05)
    params = {"allowWatchBookmarks": "true", "labelSelector": "none=none"}
    async with a_session(server) as session, watching_with(session, **params) as watch:
        made = await client.create(CONFIGMAPS, a_config_map("a"))
        version = int(made["metadata"]["resourceVersion"])
        while True:
            kind, obj = await watch.next()
            assert kind == "BOOKMARK"
            if int(obj["metadata"]["resourceVersion"]) >= version:
                break


async def test_a_watch_ends_when_its_time_is_over(server: RunningServer) -> None:
    params: dict[str, Any] = {"timeoutSeconds": 1, "labelSelector": "none=none"}
    async with a_session(server) as session, watching_with(session, **params) as watch:
        assert await watch.rest() == b""


async def test_tables_name_their_columns_once(server: RunningServer, client: KubeClient) -> None:
    accept = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
    async with a_session(server) as session, watching_with(session, accept=accept) as watch:
        _, first = await watch.next()
        await client.create(CONFIGMAPS, a_config_map("a"))
        _, second = await watch.next()
    assert first["columnDefinitions"][0]["name"] == "Name"
    assert second["columnDefinitions"] is None
    assert second["rows"][0]["cells"][0] == "a"


async def test_a_watcher_that_does_not_read_is_closed(
    server: RunningServer, client: KubeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watchers, "MAX_CHANGES", 3)
    backlog = watchers.Backlog()
    stop = server.api.store.listen("configmaps", backlog.put)
    for n in range(5):
        await client.create(CONFIGMAPS, a_config_map(f"c{n}"))
    stop()
    assert backlog.closed
    assert not backlog.waiting


async def test_a_watch_from_too_many_changes_ago_is_told_to_list_anew(
    server: RunningServer, client: KubeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "MAX_REPLAY_BYTES", 2000)
    first = await client.create(CONFIGMAPS, a_config_map("a"))
    for n in range(10):
        patch = {"metadata": {"labels": {"n": str(n)}}}
        await client.patch(CONFIGMAPS, "a", "default", patch)
    server.api.store._history.floor = server.api.store.revision
    version = first["metadata"]["resourceVersion"]
    async with (
        a_session(server) as session,
        watching_with(session, resourceVersion=version) as watch,
    ):
        kind, status = await watch.next()
        assert (kind, status["code"], status["reason"]) == ("ERROR", 410, "Expired")


async def test_fifty_watchers_see_the_same(server: RunningServer, client: KubeClient) -> None:
    version = server.api.store.revision
    async with a_session(server) as session:

        async def follow() -> list[tuple[str, str]]:
            async with watching_with(session, resourceVersion=version) as watch:
                return await watch.names(10)

        tasks = [asyncio.create_task(follow()) for _ in range(50)]
        for n in range(10):
            await client.create(CONFIGMAPS, a_config_map(f"c{n}"))
        found = await asyncio.gather(*tasks)
    assert all(names == [("ADDED", f"c{n}") for n in range(10)] for names in found)


async def test_a_watch_goes_on_after_a_restart(tmp_path: Path) -> None:
    async with (
        running_apiserver(tmp_path) as server,
        KubeClient.from_kubeconfig(server.kubeconfig) as client,
    ):
        seen = await client.create(CONFIGMAPS, a_config_map("a"))
        await client.create(CONFIGMAPS, a_config_map("b"))
        await client.delete(CONFIGMAPS, "a", "default")
    version = seen["metadata"]["resourceVersion"]
    async with (
        running_apiserver(tmp_path) as server,
        KubeClient.from_kubeconfig(server.kubeconfig) as client,
        a_session(server) as session,
        watching_with(session, resourceVersion=version) as watch,
    ):
        await client.create(CONFIGMAPS, a_config_map("c"))
        assert await watch.names(3) == [("ADDED", "b"), ("DELETED", "a"), ("ADDED", "c")]


async def test_open_watches_end_with_the_server(tmp_path: Path) -> None:
    async with running_apiserver(tmp_path) as server, a_session(server) as session:
        answer = await session.get(PATH, params={"watch": "1"})
        await answer.content.readline()
        closing = asyncio.create_task(answer.content.read())
        server.api.watchers.close_all()
        async with asyncio.timeout(60):
            await closing
        answer.close()
