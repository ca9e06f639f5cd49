"""The watch cache and the client against the real API server."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from hearth.cluster.apiserver.testing import RunningServer, running_apiserver
from hearth.kube.access import Access
from hearth.kube.apply import apply_plan
from hearth.kube.cache import WatchCache
from hearth.kube.client import KubeClient
from hearth.kube.errors import AlreadyExists, Conflict, NotFound, Retryable, Unavailable
from hearth.kube.events import EventRecorder
from hearth.kube.meta import Object, name
from hearth.kube.plan import Create, Delete, Event, Plan, Update
from hearth.kube.resources import CONFIGMAPS, EVENTS


def a_configmap(title: str, **data: str) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": title, "namespace": "default"},
        "data": data,
    }


def no_event(event: Event) -> None:
    raise AssertionError(f"no event is expected: {event}")


@contextlib.asynccontextmanager
async def running_cache(client: KubeClient) -> AsyncIterator[WatchCache]:
    cache = WatchCache(client, CONFIGMAPS, namespace="default")
    task = asyncio.create_task(cache.run())
    try:
        async with asyncio.timeout(60):
            await cache.synced()
        yield cache
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(cache: WatchCache, condition: Callable[[], bool]) -> None:
    changed = asyncio.Event()
    cache.on_change(lambda _old, _new: changed.set())
    async with asyncio.timeout(60):
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
            record=no_event,
            seen=lambda _, obj: cache.put(obj),
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


@pytest.mark.parametrize("by", ["address", "socket"])
async def test_an_unreachable_server_is_unavailable(tmp_path: Path, by: str) -> None:
    nobody = tmp_path / "nobody.sock" if by == "socket" else None
    async with KubeClient(Access("https://127.0.0.1:1", socket=nobody)) as client:
        with pytest.raises(Unavailable, match="cannot be reached"):
            await client.get(CONFIGMAPS, "x", "default")


async def test_a_plan_whose_world_moved_on_is_to_be_made_again(client: KubeClient) -> None:
    made = await client.create(CONFIGMAPS, a_configmap("moving"))
    await client.update(CONFIGMAPS, made | {"data": {"a": "1"}})
    plan = Plan((Update(CONFIGMAPS, made | {"data": {}}),))
    with pytest.raises(Retryable):
        await apply_plan(client, plan, manager="t", record=no_event)


async def test_a_plan_deletes_what_may_be_gone_and_records_events(client: KubeClient) -> None:
    about = await client.create(CONFIGMAPS, a_configmap("about"))
    event = Event(about, "Normal", "Tested", "it was")
    plan = Plan((Delete(CONFIGMAPS, "default", "never-there"),), then=(event,))
    recorded: list[Event] = []
    await apply_plan(client, plan, manager="tests", record=recorded.append)
    assert recorded == [event]


async def test_recorded_events_are_written_in_the_background(client: KubeClient) -> None:
    about = await client.create(CONFIGMAPS, a_configmap("about"))
    recorder = EventRecorder(client, delay_seconds=0.0)
    task = asyncio.create_task(recorder.run())
    recorder.record(Event({**about, "metadata": {"namespace": "gone"}}, "Normal", "A", ""), "x")
    recorder.record(Event(about, "Normal", "Tested", "it was"), "tests")
    async with asyncio.timeout(60):
        while not (events := (await client.list(EVENTS, "default"))[0]):
            await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert [
        (e["reason"], e["message"], e["source"], e["involvedObject"]["name"]) for e in events
    ] == [("Tested", "it was", {"component": "tests"}, "about")]


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


# -- servers that break off, and servers that fall silent --------------------------------------


class ScriptedServer:
    """Speaks as much HTTP as a list and a watch need; ``watch`` says what becomes of a watch."""

    def __init__(self, watch: Callable[[asyncio.StreamWriter], Awaitable[None]]) -> None:
        self.watches: list[str] = []
        self.lists = 0
        self._watch = watch

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                target = head.split()[1].decode()
                if "watch=1" not in target:
                    self.lists += 1
                    body = b'{"items":[],"metadata":{"resourceVersion":"1"}}'
                    length = b"Content-Length: %d\r\n\r\n" % len(body)
                    writer.write(b"HTTP/1.1 200 OK\r\n" + length + body)
                    continue
                self.watches.append(target)
                writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                await self._watch(writer)
                return
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()


def an_event(title: str, version: int) -> bytes:
    obj = {"metadata": {"name": title, "namespace": "default", "resourceVersion": str(version)}}
    line = json.dumps({"type": "ADDED", "object": obj}).encode() + b"\n"
    return b"%x\r\n%s\r\n" % (len(line), line)


@contextlib.asynccontextmanager
async def scripted(
    watch: Callable[[asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[tuple[ScriptedServer, WatchCache]]:
    script = ScriptedServer(watch)
    server = await asyncio.start_server(script.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    access = Access(f"http://127.0.0.1:{port}")
    async with KubeClient(access, watch_silence_seconds=0.2) as client:
        cache = WatchCache(client, CONFIGMAPS, namespace="default")
        task = asyncio.create_task(cache.run())
        try:
            yield script, cache
            assert not task.done()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            server.close()
            await server.wait_closed()


async def test_a_watch_that_falls_silent_is_given_up_and_begun_anew() -> None:
    silent = asyncio.Event()

    async def watch(writer: asyncio.StreamWriter) -> None:
        if len(script.watches) == 1:
            await silent.wait()  # half open: the connection is there, and nothing comes
        writer.write(an_event("news", 2))
        await silent.wait()

    async with scripted(watch) as (script, cache):
        await until(cache, lambda: cache.get("default", "news") is not None)
        silent.set()
        assert len(script.watches) >= 2


async def test_the_server_is_asked_to_end_a_watch_in_five_to_ten_minutes() -> None:
    opened = asyncio.Event()

    async def watch(writer: asyncio.StreamWriter) -> None:
        opened.set()

    async with scripted(watch) as (script, _):
        async with asyncio.timeout(60):
            await opened.wait()
        query = parse_qs(urlsplit(script.watches[0]).query)
        assert 300 <= int(query["timeoutSeconds"][0]) <= 600


async def test_watches_that_are_closed_at_once_are_not_begun_in_a_hot_loop() -> None:
    enough = asyncio.Event()
    began = list[float]()

    async def watch(writer: asyncio.StreamWriter) -> None:
        began.append(asyncio.get_running_loop().time())
        writer.write(b"0\r\n\r\n")
        if len(began) == 5:
            enough.set()

    async with scripted(watch) as (_, _cache):
        async with asyncio.timeout(60):
            await enough.wait()
    pauses = [later - earlier for earlier, later in itertools.pairwise(began)]
    assert all(pause >= 0.02 for pause in pauses)
    assert pauses[-1] >= 0.1, "pauses must grow"


async def test_nor_are_those_that_end_after_an_event_each_time() -> None:
    enough = asyncio.Event()
    began = list[float]()

    async def watch(writer: asyncio.StreamWriter) -> None:
        began.append(asyncio.get_running_loop().time())
        writer.write(an_event("a", 1 + len(began)) + b"0\r\n\r\n")
        if len(began) == 5:
            enough.set()

    async with scripted(watch) as (_, _cache):
        async with asyncio.timeout(60):
            await enough.wait()
    assert began[-1] - began[0] >= 0.02 * (1 + 2 + 4 + 8)


async def test_a_version_that_is_always_gone_is_listed_anew_with_pauses() -> None:
    enough = asyncio.Event()
    began = list[float]()
    gone = {"type": "ERROR", "object": {"kind": "Status", "code": 410, "reason": "Expired"}}
    line = json.dumps(gone).encode() + b"\n"

    async def watch(writer: asyncio.StreamWriter) -> None:
        began.append(asyncio.get_running_loop().time())
        writer.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(line), line))
        if len(began) == 5:
            enough.set()

    async with scripted(watch) as (script, _cache):
        async with asyncio.timeout(60):
            await enough.wait()
        assert script.lists == 5
    assert began[-1] - began[0] >= 0.02 * (1 + 2 + 4 + 8)


@pytest.mark.parametrize("line", [b"{", b"[]\n", b'{"type":"ADDED"}\n', b"\xff\xfe\n"])
async def test_what_is_no_event_ends_the_watch_and_not_the_cache(line: bytes) -> None:
    async def watch(writer: asyncio.StreamWriter) -> None:
        if len(script.watches) == 1:
            writer.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(line), line))
        else:
            writer.write(an_event("next", 2))
            await writer.drain()

    async with scripted(watch) as (script, cache):
        await until(cache, lambda: cache.get("default", "next") is not None)
