"""The page's server on a real socket, before a real API server; neighbours are stood in for."""

from __future__ import annotations

import asyncio
import secrets
import socket
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import orjson
import pytest
import pytest_asyncio

from eventing import install as eventing
from hearth.cluster.apiserver.credentials import component_token
from hearth.cluster.apiserver.testing import RunningServer, running_apiserver
from hearth.knative.resources import BROKERS, KSERVICES
from hearth.kube import meta
from hearth.kube.client import KubeClient
from hearth.kube.errors import Forbidden
from hearth.kube.kubeconfig import access_of
from hearth.kube.resources import CONFIGMAPS, PODS, SECRETS
from hearth.ui import app, streams, watching
from hearth.ui import main as page
from hearth.ui.main import PageConfig, run
from hearth.ui.neighbours import CannotAsk, Json, Neighbours
from hearth.ui.sessions import Role, Sessions
from serving import install as serving
from tests.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="module")

SECRET = "secret"
_SEND_BUFFER, _DEAF_BUFFER = 16 * 1024, 4 * 1024
"""Of the kernel, so that little is sent to who takes nothing; it doubles what it is asked for."""
HERE = {"host": "hearth.localhost"}
WRITES = HERE | {"x-hearth-page": "1"}
Tables = dict[str, dict[str, Any]]


@dataclass
class Stage(Neighbours):
    """What the page sees of the processes beside it."""

    counted: int = 0
    broker_asked: list[tuple[str, str, Json | None]] = field(default_factory=list)
    readings_taken: int = 0
    silent: bool = False

    async def readings(self) -> Mapping[str, str]:
        self.readings_taken += 1
        if self.silent:
            raise CannotAsk("rates of requests are not known: nobody answers")
        labels = 'kn_service_name="hello",kn_revision_name="hello-1",k8s_namespace_name="default"'
        name = "kn_serving_invocation_duration_seconds_bucket"
        code = 'http_response_status_code="2xx"'
        return {"activator": f'{name}{{{labels},{code},le="+Inf"}} {self.counted}.0'}

    async def broker(self, method: str, target: str, body: Json | None = None) -> Json:
        self.broker_asked.append((method, target, body))
        if target.startswith("/graph"):
            return {"seconds": 10.0, "nodes": [], "edges": []}
        return {"failures": [], "events": [{}, {}], "journeys": [], "kept": True, "lost": 0}

    async def explanations(self, namespace: str, name: str) -> Sequence[Json]:
        return [{"namespace": namespace, "name": name}]


@dataclass
class World:
    client: KubeClient
    server: RunningServer
    stage: Stage
    url: str
    http: aiohttp.ClientSession

    async def cookie(self, role: Role = Role.WRITER) -> dict[str, str]:
        """A session, by the way that a browser takes."""
        code = Sessions(SECRET).code(role, nonce=secrets.token_hex(8), now=time.time())
        async with self.http.post("/login", json={"code": code}, headers=WRITES) as answer:
            assert answer.status == 200
            return {name: morsel.value for name, morsel in answer.cookies.items()}

    async def ask(
        self, path: str, role: Role = Role.WRITER, *, json: Any = None
    ) -> tuple[int, Any]:
        """Asked by somebody with a session; written where there is a body."""
        cookies = await self.cookie(role)
        method, head = ("GET", HERE) if json is None else ("POST", WRITES)
        async with self.http.request(
            method, path, json=json, headers=head, cookies=cookies
        ) as answer:
            return answer.status, orjson.loads(await answer.read())

    @asynccontextmanager
    async def viewer(self, last_id: str = "") -> AsyncIterator[Viewer]:
        head = HERE | ({"last-event-id": last_id} if last_id else {})
        cookies = await self.cookie(Role.READER)
        async with self.http.get("/api/stream", headers=head, cookies=cookies) as answer:
            assert answer.status == 200
            yield Viewer(answer)

    @asynccontextmanager
    async def deaf_viewer(self) -> AsyncIterator[socket.socket]:
        """One that takes nothing until its socket is read from."""
        [(name, value)] = (await self.cookie(Role.READER)).items()
        address = urlsplit(self.url)
        head = f"GET /api/stream HTTP/1.1\r\nhost: {HERE['host']}\r\ncookie: {name}={value}\r\n\r\n"
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _DEAF_BUFFER)
            sock.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_connect(sock, (address.hostname, address.port))
            await loop.sock_sendall(sock, head.encode())
            yield sock


class Viewer:
    """A page that looks: keeps what it was told."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self._answer = answer
        self.tables: Tables = {}
        self.last_id = ""
        self.told: list[str] = []
        self.bytes = 0

    async def next(self) -> str:
        """Take the next event in; return its name."""
        fields: dict[str, str] = {}
        while (line := (await self._answer.content.readline()).decode().rstrip("\n")) or not fields:
            self.bytes += len(line)
            name, _, value = line.partition(": ")
            fields[name] = value
            if name == "retry":
                await self._answer.content.readline()
                fields.clear()
        data = orjson.loads(fields["data"])
        if fields["event"] == "snapshot":
            self.tables = data["tables"]
        for table, rows in data.get("rows", {}).items():
            self.tables.setdefault(table, {}).update(rows)
        self.last_id = fields.get("id", self.last_id)
        self.told.append(fields["event"])
        return fields["event"]

    async def until(self, table: str, key: str, **wanted: Any) -> Any:
        """Look until a row is as it is wanted."""
        async with asyncio.timeout(60):
            while True:
                row = self.tables.get(table, {}).get(key)
                if row is not None and wanted.items() <= row.items():
                    return row
                await self.next()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningServer]:
    """With the kinds of Knative; each test has what it makes in it taken away."""
    async with running_apiserver(tmp_path_factory.mktemp("api")) as running:
        async with KubeClient.from_kubeconfig(running.kubeconfig) as client:
            await serving.install(client)
            await eventing.install(client)
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def world(server: RunningServer) -> AsyncIterator[World]:
    stage, jar = Stage(), aiohttp.DummyCookieJar()
    async with (
        KubeClient.from_kubeconfig(server.kubeconfig) as client,
        serving_page(server.data_dir, stage) as url,
        aiohttp.ClientSession(url, cookie_jar=jar) as http,
    ):
        yield World(client, server, stage, url, http)
        for resource in (KSERVICES, BROKERS, PODS):
            for obj in (await client.list(resource, "default"))[0]:
                await client.delete(resource, meta.name(obj), "default", grace_period_seconds=0)


@asynccontextmanager
async def serving_page(folder: Path, stage: Stage) -> AsyncIterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        is_ready = asyncio.Event()
        task = asyncio.create_task(run(page_config(folder, stage, held), is_ready.set))
        await is_ready.wait()
        yield f"http://127.0.0.1:{held.getsockname()[1]}"
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def page_config(folder: Path, stage: Stage, held: socket.socket) -> PageConfig:
    writer = access_of(folder / "kubeconfig")
    reader = replace(writer, token=component_token(folder, "reader"))

    @asynccontextmanager
    async def neighbours(_: KubeClient) -> AsyncIterator[Neighbours]:
        yield stage

    me = {"place": "a test"}
    return PageConfig(held, SECRET, reader, writer, neighbours, me, {"explain": str})


def a_service(**spec: Any) -> dict[str, Any]:
    template = {"spec": {"containers": [{"image": "app"}]}}
    return {
        "apiVersion": KSERVICES.api_version,
        "kind": "Service",
        "metadata": {"name": "hello", "namespace": "default"},
        "spec": {"template": template, **spec},
    }


def a_pod(name: str = "p") -> dict[str, Any]:
    labels = {"serving.knative.dev/service": "hello"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default", "labels": labels},
        "spec": {"containers": [{"name": "user-container", "image": "app"}]},
    }


# -- who is let in ---------------------------------------------------------------------------------


async def test_without_a_session_there_is_a_word_and_nothing_else(world: World) -> None:
    async with world.http.get("/", headers=HERE) as answer:
        assert (answer.status, "hearth ui" in await answer.text()) == (401, True)
        assert "script-src 'self'" in answer.headers["content-security-policy"]
    for path in ("/api/stream", "/api/me", "/assets/app.js", "/api/nothing"):
        async with world.http.get(path, headers=HERE) as answer:
            assert answer.status == 401
            assert "hearth ui" in (await answer.json())["message"]
    for name in ("login.js", "login.css"):
        async with world.http.get(f"/{name}", headers=HERE) as answer:
            assert answer.status == 200
    assert world.stage.readings_taken == 0


async def test_a_code_is_taken_once_and_the_cookie_is_the_browsers_alone(world: World) -> None:
    code = Sessions(SECRET).code(Role.READER, nonce="once", now=time.time())
    async with world.http.post("/login", json={"code": code}, headers=WRITES) as answer:
        [said] = answer.headers.getall("set-cookie")
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= {part.strip() for part in said.split(";")}
    async with world.http.post("/login", json={"code": code}, headers=WRITES) as answer:
        assert answer.status == 401
        assert "used before" in (await answer.json())["message"]


async def test_a_rebound_name_is_not_answered(world: World) -> None:
    cookies = await world.cookie()
    async with world.http.get("/", headers={"host": "evil.example"}, cookies=cookies) as answer:
        assert answer.status == 421


async def test_a_reader_changes_nothing_and_its_credentials_could_not(world: World) -> None:
    await world.client.create(KSERVICES, a_service())
    traffic = {"namespace": "default", "service": "hello", "generation": 1, "traffic": [{}]}
    status, told = await world.ask("/api/traffic", Role.READER, json=traffic)
    assert (status, "changes nothing" in (await world.ask("/api/me", Role.READER))[1]["words"]) == (
        403,
        True,
    )
    assert "hearth ui" in told["message"]
    token = component_token(world.server.data_dir, "reader")
    async with KubeClient(replace(access_of(world.server.kubeconfig), token=token)) as reader:
        assert len((await reader.list(KSERVICES))[0]) == 1
        with pytest.raises(Forbidden, match="system:hearth:reader"):
            await reader.patch(KSERVICES, "hello", "default", {"spec": {}})
        with pytest.raises(Forbidden):
            await reader.list(SECRETS)
        with pytest.raises(Forbidden):
            await reader.request("GET", "/api/v1/namespaces/default/pods/p/exec")
        with pytest.raises(Forbidden):
            await reader.create(CONFIGMAPS, {"metadata": {"name": "a", "namespace": "default"}})


# -- what is shown ---------------------------------------------------------------------------------


async def test_viewers_see_what_there_is_and_what_changes(world: World) -> None:
    await world.client.create(KSERVICES, a_service())
    async with world.viewer() as viewer:
        assert await viewer.next() == "snapshot"
        assert viewer.tables["services"]["default/hello"]["ready"] == "Unknown"
        await world.client.create(PODS, a_pod())
        await viewer.until("pods", "default/p", state="starting", service="hello")
        world.stage.counted = 100
        row = await viewer.until("rates", "default/hello-1", service="hello")
        while not row["rps"]:
            await viewer.next()
            row = viewer.tables["rates"]["default/hello-1"]
        await world.client.delete(PODS, "p", "default", grace_period_seconds=0)
        while viewer.tables["pods"]["default/p"] is not None:
            await viewer.next()
    assert set(viewer.told[1:]) == {"delta"}


async def test_who_comes_back_is_told_what_changed_meanwhile(world: World) -> None:
    async with world.viewer() as viewer:
        await viewer.next()
        async with world.viewer():  # somebody looks all the time
            await world.client.create(KSERVICES, a_service())
            async with world.viewer(viewer.last_id) as again:
                assert await again.next() == "delta"
                await again.until("services", "default/hello")
            async with world.viewer("12345678-1") as again:
                assert await again.next() == "snapshot"


async def test_nobody_is_asked_while_nobody_looks(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "LINGER_SECONDS", 0.0)
    assert world.stage.readings_taken == 0
    async with world.viewer() as viewer:
        await viewer.next()
        await until(lambda: world.stage.readings_taken)
    await until(lambda: not [t for t in asyncio.all_tasks() if t.get_name() == "page-watching"])


async def test_a_viewer_that_reads_nothing_delays_nobody(world: World) -> None:
    async with world.deaf_viewer() as slow, world.viewer() as quick:
        await quick.next()
        before = quick.bytes
        for number in range(100):
            pod = a_pod(f"p{number}")
            pod["spec"]["containers"] = [
                {"name": f"{'x' * 50}-{n}", "image": "app"} for n in range(20)
            ]
            await world.client.create(PODS, pod)
        await quick.until("pods", "default/p99")
        assert quick.bytes - before > 2 * (_SEND_BUFFER + _DEAF_BUFFER), "more than sockets keep"
        async with asyncio.timeout(60):
            heard = b""
            while b'"default/p99"' not in heard:
                heard += await asyncio.get_running_loop().sock_recv(slow, 65536)


async def test_what_cannot_be_known_is_said(world: World) -> None:
    world.stage.silent = True
    async with world.viewer() as viewer:
        note = await viewer.until("notes", "rates")
        assert "nobody answers" in note["words"]
        world.stage.silent = False
        while viewer.tables["notes"]["rates"] is not None:
            await viewer.next()


async def test_the_broker_is_asked_once_there_is_one(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "_EVENTS_SECONDS", 0.1)
    async with world.viewer() as viewer:
        await viewer.next()
        broker = {"apiVersion": BROKERS.api_version, "kind": "Broker",
                  "metadata": {"name": "default", "namespace": "default"}, "spec": {}}  # fmt: skip
        assert world.stage.broker_asked == []
        await world.client.create(BROKERS, broker)
        await viewer.until("nodes", "broker default/default", kind="broker")
        await until(lambda: world.stage.broker_asked)


async def test_the_process_ends_once_nobody_has_asked_for_a_while(
    server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "REST_SECONDS", 0.05)
    monkeypatch.setattr(page, "_LOOK_SECONDS", 0.01)
    with socket.create_server(("127.0.0.1", 0)) as held:
        config = replace(page_config(server.data_dir, Stage(), held), rests=True)
        async with asyncio.timeout(60):
            await run(config, lambda: None)


async def test_there_is_an_end_to_how_many_look(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def status() -> int:
        async with world.http.get("/login.js", headers=HERE) as answer:
            return answer.status

    monkeypatch.setattr(app, "_MOST_UNDER_WAY", 2)
    async with world.viewer(), world.viewer():
        assert await status() == 503
    while await status() != 200:
        pass


# -- what is asked and written ---------------------------------------------------------------------


async def test_shares_are_written_unless_somebody_was_quicker(world: World) -> None:
    await world.client.create(KSERVICES, a_service())
    wanted = [{"revisionName": "hello-1", "percent": 90}, {"latestRevision": True, "percent": 10}]
    body = {"namespace": "default", "service": "hello", "generation": 1, "traffic": wanted}
    status, told = await world.ask("/api/traffic", json=body)
    assert (status, told["words"]) == (200, "hello: 90% hello-1, 10% the latest revision")
    stored = await world.client.get(KSERVICES, "hello", "default")
    assert stored["spec"]["traffic"] == wanted
    status, told = await world.ask("/api/traffic", json=body)
    assert (status, "somebody else" in told["message"]) == (409, True)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"namespace": "default", "service": "a/b", "traffic": [{}]}, 400),
        ({"namespace": "default", "service": "hello", "traffic": []}, 400),
        ({"namespace": "default", "service": "hello", "traffic": [{"percent": "9"}]}, 400),
        ({"namespace": "default", "service": "none", "traffic": [{"percent": 9}]}, 404),
    ],
)
async def test_what_cannot_be_written_is_told(world: World, body: Json, status: int) -> None:
    found, told = await world.ask("/api/traffic", json=body)
    assert (found, bool(told["message"])) == (status, True)


async def test_dead_letters_are_redriven(world: World) -> None:
    status, told = await world.ask("/api/redrive", json={"subscription": "trigger default/mail"})
    assert (status, told) == (200, {"events": 2, "words": "2 events are on their way again."})
    body = {"discard": "false", "trigger": "default/mail"}
    assert world.stage.broker_asked[-1] == ("POST", "/redrive", body)
    status, _ = await world.ask("/api/redrive", json={"subscription": "x"})
    assert status == 400


async def test_questions_are_passed_on(world: World) -> None:
    status, told = await world.ask("/api/events?place=broker%20default/default&limit=7")
    assert (status, len(told["events"])) == (200, 2)
    target = world.stage.broker_asked[-1][1]
    assert target == "/events?broker=default%2Fdefault&limit=7"
    assert (await world.ask("/api/trace?id=a%20b"))[0] == 200
    assert world.stage.broker_asked[-1][1] == "/trace?id=a+b"
    _, told = await world.ask("/api/explain?namespace=default&name=hello")
    assert "hello" in told["text"]
    assert (await world.ask("/api/events?place=pod%20a/b"))[0] == 400


async def test_logs_of_a_pod_that_is_not_there_end_with_the_reason(world: World) -> None:
    cookies = await world.cookie()
    query = {"namespace": "default", "pod": "gone"}
    async with world.http.get("/api/logs", params=query, headers=HERE, cookies=cookies) as answer:
        said = (await answer.read()).decode()
    assert 'event: end\ndata: {"words":"pods \\"gone\\" not found"}' in said
    assert (await world.ask("/api/logs?namespace=default"))[0] == 400
