"""``hearth scale explain``: asked of a real listener, on one machine and through an API server."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer
from typer.testing import CliRunner, Result

from hearth.cli import main
from hearth.cli.errors import UserError
from hearth.cli.state import process_start, write_state
from hearth.kube.tokens import Tokens
from serving.api.stats import encode_hello
from serving.autoscaler.multiscaler import Multiscaler
from serving.autoscaler.server import StatsServer

TOKEN = "let me ask"
SAID = {
    "namespace": "a",
    "name": "hello-00001",
    "scaledBy": "hpa.autoscaling.knative.dev",
    "wish": -1,
    "decidedBy": "",
    "steps": [],
    "looksAgain": "whoever scales it decides that",
    "reachable": True,
    "pods": {"ready": 1, "notReady": 0, "pending": 0, "terminating": 0},
}
ELSEWHERE: dict[str, Any] = {"explanations": [], "elsewhere": ["hello-00001"]}


def nobody() -> Multiscaler:
    return Multiscaler(
        ready_pods=lambda key: 0,
        changed=lambda key: None,
        urgent=lambda key: None,
        failed=lambda key: None,
    )


class Replicas:
    """An API server with pods of control, behind which are real listeners."""

    def __init__(self) -> None:
        self.token: str | None = TOKEN
        self.forbids = False
        self.pods: dict[str, int] = {}
        self.keda: dict[str, int] = {}
        self.hides_keda = False

    async def secret(self, _: web.Request) -> web.Response:
        if self.forbids:
            status = {"kind": "Status", "code": 403, "reason": "Forbidden", "message": "no right"}
            return web.json_response(status, status=403)
        held = (
            {} if self.token is None else {"token": base64.b64encode(self.token.encode()).decode()}
        )
        return web.json_response({"data": held})

    async def list_pods(self, request: web.Request) -> web.Response:
        is_keda = "/namespaces/keda/" in request.path
        component = "keda-operator" if is_keda else "hearth-control"
        assert request.query["labelSelector"] == f"app.kubernetes.io/name={component}"
        if is_keda and self.hides_keda:
            status = {"kind": "Status", "code": 403, "reason": "Forbidden", "message": "no right"}
            return web.json_response(status, status=403)
        items = [{"metadata": {"name": pod}} for pod in (self.keda if is_keda else self.pods)]
        return web.json_response({"items": items, "metadata": {"resourceVersion": "1"}})

    async def proxy(self, request: web.Request) -> web.Response:
        pod, _, port = request.match_info["pod"].partition(":")
        assert port == ("8089" if pod in self.keda else "8088")
        url = f"http://127.0.0.1:{(self.pods | self.keda)[pod]}/scale?{request.query_string}"
        fields = {"X-Hearth-Token": request.headers["X-Hearth-Token"]}
        async with ClientSession() as client, client.get(url, headers=fields) as answer:
            return web.json_response(await answer.json(), status=answer.status)

    def app(self) -> web.Application:
        app = web.Application()
        for namespace in ("knative-serving", "keda"):
            base = f"/api/v1/namespaces/{namespace}"
            app.router.add_get(f"{base}/secrets/hearth-stats", self.secret)
            app.router.add_get(f"{base}/pods", self.list_pods)
            app.router.add_get(f"{base}/pods/{{pod}}/proxy/scale", self.proxy)
        return app


class World:
    """Two replicas of control; what each says is set by the test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.says: list[dict[str, Any] | None] = [None, None]
        self.asked: list[tuple[str, str]] = []
        self.replicas = Replicas()
        self.ports: list[int] = []
        self.health: dict[str, Any] = {}

    def explain(self, index: int, namespace: str, name: str) -> dict[str, Any] | None:
        self.asked.append((namespace, name))
        return self.says[index]

    async def here(self, *arguments: str) -> Result:
        state = {
            "pid": (pid := 1),
            "started": process_start(pid),
            "ports": {"stats": self.ports[0], "keda-stats": self.ports[1]},
            "health": self.health,
            "statsToken": TOKEN,
        }
        write_state(self.folder, state)
        return await run(*arguments, "--data-dir", str(self.folder))

    async def there(self, *arguments: str) -> Result:
        async with TestServer(self.replicas.app()) as server:
            named = {"name": "x"}
            address = str(server.make_url("")).rstrip("/")
            config = {
                "clusters": [{**named, "cluster": {"server": address}}],
                "users": [{**named, "user": {}}],
                "contexts": [{**named, "context": {"cluster": "x", "user": "x"}}],
                "current-context": "x",
            }
            (self.folder / "kubeconfig").write_text(yaml.safe_dump(config))
            return await run(*arguments, "--kubeconfig", str(self.folder / "kubeconfig"))


async def run(*arguments: str) -> Result:
    return await asyncio.to_thread(CliRunner().invoke, main.app, ["scale", "explain", *arguments])


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = World(tmp_path)
    servers = []
    for index in range(2):
        server = StatsServer(
            nobody(),
            tokens=Tokens(TOKEN),
            explain=partial(made.explain, index),
        )
        await server.start("127.0.0.1", 0)
        servers.append(server)
        made.ports.append(server.port)
        made.replicas.pods[f"hearth-control-{index}"] = server.port
    yield made
    for server in servers:
        await server.close()


async def test_one_machine_is_asked(world: World) -> None:
    world.says[0] = {"explanations": [SAID], "elsewhere": []}
    result = await world.here("hello", "-n", "a")
    assert "a/hello-00001: no wish; pods: 1 ready" in result.output, result
    assert world.asked == [("a", "hello")]
    result = await world.here("hello", "-n", "a", "-o", "json")
    assert json.loads(result.output) == [SAID]


async def test_kedas_operator_is_asked_once_it_runs(world: World) -> None:
    world.says[1] = {"explanations": [SAID], "elsewhere": []}
    assert "no revision a/web" in str((await world.here("web", "-n", "a")).exception)
    world.health = {"keda": {"is_wanted": True}}
    result = await world.here("web", "-n", "a", "-o", "json")
    assert json.loads(result.output) == [SAID], result
    world.says[1] = {"explanations": [], "elsewhere": []}
    told = str((await world.here("web", "-n", "a")).exception)
    assert told == "its triggers were not read yet: kubectl describe scaledobject says why"
    world.says[1] = None
    told = str((await world.here("web", "-n", "a")).exception)
    assert told.count("a/web that is scaled") == 2


async def test_every_replica_is_asked_and_one_of_them_decides(world: World) -> None:
    world.says = [ELSEWHERE, {"explanations": [SAID], "elsewhere": []}]
    result = await world.there("hello", "-n", "a", "-o", "json")
    assert json.loads(result.output) == [SAID], result
    assert world.asked == [("a", "hello")] * 2


async def test_kedas_operator_is_asked_about_scaledobjects_where_it_may_be(world: World) -> None:
    pods = world.replicas.pods
    world.replicas.keda["keda-operator-0"] = pods.pop("hearth-control-1")
    world.says[1] = {"explanations": [SAID], "elsewhere": []}
    result = await world.there("web", "-n", "a", "-o", "json")
    assert json.loads(result.output) == [SAID], result
    world.replicas.hides_keda = True
    result = await world.there("web", "-n", "a")
    assert "there is no Service and no revision a/web that is scaled" in str(result.exception)


async def test_what_nobody_decides_on_and_what_nobody_knows(world: World) -> None:
    result = await world.there("hello", "-n", "a")
    assert "there is no Service and no revision a/hello that is scaled" in str(result.exception)
    world.says = [ELSEWHERE, None]
    result = await world.there("hello")
    assert isinstance(result.exception, UserError)
    assert "no replica of control decides on hello-00001" in str(result.exception)
    world.replicas.pods.clear()
    assert "no pod of hearth-control" in str((await world.there("hello")).exception)


async def test_who_may_not_ask_is_told_which_role_to_bind(world: World) -> None:
    world.replicas.forbids = True
    result = await world.there("hello")
    assert "--role hearth-scale-reader" in str(result.exception)
    world.replicas.forbids, world.replicas.token = False, "another"
    assert "--role hearth-scale-reader" in str((await world.there("hello")).exception)
    world.replicas.token = None
    assert "control has not started yet" in str((await world.there("hello")).exception)


async def test_a_report_whose_token_comes_in_two_pieces_is_no_question(world: World) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", world.ports[0])
    hello = encode_hello(TOKEN, "GET /scale")
    writer.write(hello[:-15])
    await writer.drain()
    writer.write(hello[-15:] + b"no JSON\n")
    assert await reader.read() == b"", "what is no report ends the connection"
    writer.close()


async def test_a_head_without_end_is_cut_off(world: World) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", world.ports[0])
    writer.write(b"GET /scale HTTP/1.1\r\n" + b"a: b\r\n" * 2000)
    with suppress(ConnectionError):
        assert await reader.read() == b""
    writer.close()
