"""``hearth event`` asks a broker process: here, and in a cluster through the API server."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web
from aiohttp.test_utils import TestServer
from typer.testing import CliRunner, Result

from hearth.cli import main
from hearth.cli.errors import UserError
from hearth.cli.state import process_start, write_state

TOKEN = "the token"
POD = "/api/v1/namespaces/knative-eventing/pods/hearth-broker-0:9092/proxy"
NOBODY_KNOWS: dict[str, Any] = {"journeys": [], "kept": True, "lost": 0}


@dataclass
class Process:
    """A broker process with one answer, and the API server that hands requests on to it."""

    answer: dict[str, Any] = field(default_factory=lambda: dict(NOBODY_KNOWS))
    answers: list[dict[str, Any]] | None = None
    """One after the other instead, and then a failure."""
    status: int = 200
    secret: dict[str, str] | None = field(
        default_factory=lambda: {"token": base64.b64encode(TOKEN.encode()).decode()}
    )
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        assert request.headers["X-Hearth-Token"] == self.token
        body = await request.json() if request.can_read_body else {}
        self.asked.append((request.path.removeprefix(POD), dict(request.query) | body))
        if self.answers is None:
            return web.json_response(self.answer, status=self.status)
        if self.answers:
            return web.json_response(self.answers.pop(0))
        return web.json_response({"message": "no more answers"}, status=500)

    token: str = TOKEN
    """What is shown."""
    forbids: bool = False
    """Whether the Secret may not be read."""

    async def give_secret(self, _: web.Request) -> web.Response:
        if self.forbids:
            return web.json_response(
                {"kind": "Status", "code": 403, "reason": "Forbidden", "message": "you may not"},
                status=403,
            )
        if self.secret is None:
            return web.json_response({"kind": "Status", "code": 404}, status=404)
        return web.json_response({"data": self.secret})

    def app(self) -> web.Application:
        app = web.Application()
        path = "/api/v1/namespaces/knative-eventing/secrets/hearth-event-admin"
        app.router.add_get(path, self.give_secret)
        app.router.add_route("*", "/{path:.*}", self.take)
        return app


@pytest.fixture
def process() -> Process:
    return Process()


@pytest.fixture
async def server(process: Process) -> AsyncIterator[TestServer]:
    server = TestServer(process.app())
    await server.start_server()
    yield server
    await server.close()


async def run(*arguments: str) -> Result:
    return await asyncio.to_thread(CliRunner().invoke, main.app, ["event", *arguments])


async def here(folder: Path, server: TestServer, *arguments: str) -> Result:
    state = {
        "pid": (pid := 1),
        "started": process_start(pid),
        "ports": {"broker-admin": server.port},
        "brokerAdminToken": TOKEN,
    }
    write_state(folder, state)
    return await run(*arguments, "--data-dir", str(folder))


async def there(
    folder: Path, server: TestServer, *arguments: str, user: dict[str, str] | None = None
) -> Result:
    named = {"name": "x"}
    config = {
        "clusters": [{**named, "cluster": {"server": str(server.make_url("")).rstrip("/")}}],
        "users": [{**named, "user": user or {}}],
        "contexts": [{**named, "context": {"cluster": "x", "user": "x"}}],
        "current-context": "x",
    }
    (folder / "kubeconfig").write_text(yaml.safe_dump(config))
    return await run(*arguments, "--kubeconfig", str(folder / "kubeconfig"))


@pytest.mark.parametrize("where", [here, there])
async def test_questions_reach_the_broker_process(
    where: Any, tmp_path: Path, process: Process, server: TestServer
) -> None:
    process.answer = {"events": [], "failures": [], "nodes": [], "edges": [], "kept": True}
    process.answer["subscriptions"] = []
    for arguments, path, query in (
        (["list"], "/events", {"broker": "default/default", "limit": "20"}),
        (["list", "-n", "a", "--channel", "c"], "/events", {"channel": "a/c", "limit": "20"}),
        (["list", "--broker", "a/b", "--limit", "3"], "/events", {"broker": "a/b", "limit": "3"}),
        (["dead-letters"], "/failures", {"limit": "20"}),
        (["dead-letters", "--broker", "b"], "/failures", {"broker": "default/b", "limit": "20"}),
        (["lag"], "/lag", {}),
        (["lag", "--channel", "c"], "/lag", {"channel": "default/c"}),
        (["graph", "--since", "1h"], "/graph", {"since": "1h"}),
    ):
        result = await where(tmp_path, server, *arguments)
        assert result.exit_code == 0, result
        assert process.asked.pop() == (path, query)


async def test_how_far_behind_is_a_table(
    tmp_path: Path, process: Process, server: TestServer
) -> None:
    rows = [("b", 3, 0), ("a", None, 2)]
    process.answer = {
        "subscriptions": [
            {"place": "broker a/b", "subscription": f"trigger a/{name}", "lag": lag, "held": held}
            for name, lag, held in rows
        ]
    }
    result = await here(tmp_path, server, "lag")
    lines = [line.split() for line in result.output.splitlines()]
    assert lines == [
        ["OF", "SUBSCRIPTION", "LAG", "HELD"],
        ["broker", "a/b", "trigger", "a/a", "?", "2"],
        ["broker", "a/b", "trigger", "a/b", "3", "0"],
    ]


@pytest.mark.parametrize("where", [here, there])
async def test_a_replay_is_counted_run_and_waited_for(
    where: Any, tmp_path: Path, process: Process, server: TestServer
) -> None:
    told = {"subscription": "trigger a/t", "url": "http://t/", "events": 5, "matching": 3}
    process.answer = told
    result = await where(
        tmp_path, server, "replay", "--trigger", "a/t", "--from", "1m", "--dry-run"
    )
    assert result.exit_code == 0, result
    assert "3 of 5 events match: so many would be delivered once more" in result.output
    assert process.asked == [("/replay", {"trigger": "a/t", "from": "1m", "dryRun": "true"})]
    progress = {"id": "r", "running": False, "delivered": 2, "deadLettered": 1, "dropped": 0}
    process.answer = told | progress | {"error": ""}
    asked = ("replay", "--trigger", "t", "--from", "id:7", "--count", "3")
    result = await where(tmp_path, server, *asked)
    assert result.exit_code == 1, "one of them was not taken"
    assert "replay r delivers them once more to trigger a/t, http://t/" in result.output
    assert "2 delivered, 1 dead letters" in result.output
    body = {"trigger": "default/t", "from": "id:7", "most": "3", "dryRun": "false"}
    assert process.asked[1:] == [("/replay", body)]
    as_json = await where(tmp_path, server, *asked, "-o", "json")
    assert json.loads(as_json.output)["delivered"] == 2


MOVE = {
    "subscription": "trigger a/t",
    "begin": "offset:7",
    "first": {"position": "7", "arrival": "2026-11-20T17:00:00.000000Z"},
    "again": 1,
    "ahead": 2,
    "skipped": 0,
}


@pytest.mark.parametrize("where", [here, there])
async def test_a_trigger_is_moved_when_it_is_known_what_that_does(
    where: Any, tmp_path: Path, process: Process, server: TestServer
) -> None:
    process.answer = MOVE
    asked = ("seek", "--trigger", "a/t", "--id", "x")
    dry = {"trigger": "a/t", "from": "id:x", "dryRun": "true"}
    result = await where(tmp_path, server, *asked, "--dry-run")
    assert result.exit_code == 0, result
    assert result.output == (
        "trigger a/t would begin at offset 7, 2026-11-20T17:00:00.000000Z: 1 event delivered once "
        "more, 0 events never delivered, 2 events to come as before\n"
    )
    result = await where(tmp_path, server, *asked)
    assert "nobody is there to be asked" in str(result.exception)
    assert process.asked == [("/seek", dry), ("/seek", dry)]
    result = await where(tmp_path, server, *asked, "--yes")
    assert result.output.endswith("trigger a/t was moved\n")
    moved = {"trigger": "a/t", "from": "offset:7", "dryRun": "false"}
    assert process.asked[2:] == [("/seek", dry), ("/seek", moved)]
    process.answer = MOVE | {"again": 0, "first": None}
    result = await where(tmp_path, server, "seek", "--trigger", "a/t", "--latest", "-o", "json")
    assert json.loads(result.output)["again"] == 0, "where nothing is repeated nobody is asked"


@pytest.mark.parametrize(("agrees", "code", "posts"), [(True, 0, 2), (False, 1, 1)])
async def test_who_says_no_moves_nothing(
    tmp_path: Path,
    process: Process,
    server: TestServer,
    monkeypatch: pytest.MonkeyPatch,
    agrees: bool,
    code: int,
    posts: int,
) -> None:
    monkeypatch.setattr("hearth.cli.eventseek._agrees", lambda: agrees)
    process.answer = MOVE | {"skipped": 3}
    result = await here(tmp_path, server, "seek", "--trigger", "t", "--from", "10m")
    assert (result.exit_code, len(process.asked)) == (code, posts)


@pytest.mark.parametrize("where", [[], ["--latest", "--id", "7"], ["--from", "1m", "--at", "x"]])
async def test_a_trigger_is_moved_to_one_place(where: list[str]) -> None:
    result = await run("seek", "--trigger", "t", *where)
    assert "give one of --from, --at, --id, --offset, --earliest" in str(result.exception)


@pytest.mark.parametrize("where", [here, there])
async def test_held_events_are_redriven(
    where: Any, tmp_path: Path, process: Process, server: TestServer
) -> None:
    held = {"attributes": {"id": "7"}, "subscription": "trigger a/t"}
    process.answer = {"events": [held]}
    result = await where(tmp_path, server, "redrive", "7")
    assert result.output == "7 for trigger a/t: on its way again\n"
    await where(tmp_path, server, "redrive", "--trigger", "t", "--discard")
    await where(tmp_path, server, "redrive", "--all")
    assert process.asked == [
        ("/redrive", {"id": "7", "discard": "false"}),
        ("/redrive", {"trigger": "default/t", "discard": "true"}),
        ("/redrive", {"discard": "false"}),
    ]
    process.answer = {"events": []}
    assert "No such event is held" in (await where(tmp_path, server, "redrive", "8")).output
    result = await where(tmp_path, server, "redrive")
    assert "give an ID, a --trigger, or --all" in str(result.exception)


@pytest.mark.parametrize("where", [here, there])
async def test_what_the_process_refuses_is_told(
    where: Any, tmp_path: Path, process: Process, server: TestServer
) -> None:
    process.status = 404
    process.answer = {"kind": "Status", "code": 404, "message": "there is no broker a/b here"}
    result = await where(tmp_path, server, "list", "--broker", "a/b")
    assert isinstance(result.exception, UserError)
    assert str(result.exception) == "there is no broker a/b here"


@pytest.mark.parametrize("output", ["table", "json"])
async def test_events_are_followed_line_by_line(
    output: str, tmp_path: Path, process: Process, server: TestServer
) -> None:
    """Until the broker process is gone, for this one."""

    def told(event_id: str) -> dict[str, Any]:
        attributes = {"id": event_id, "type": "t", "source": "/s"}
        event = {"position": event_id, "arrivedAt": "now", "bytes": 2, "attributes": attributes}
        return {"events": [event], "next": {"since": event_id, "seen": [event_id]}}

    process.answers = [told("7"), told("8"), {"events": [], "next": told("8")["next"]}]
    result = await here(tmp_path, server, "list", "--follow", "-o", output)
    assert "no more answers" in str(result.exception)
    lines = result.output.splitlines()
    if output == "json":
        assert [json.loads(line)["attributes"]["id"] for line in lines] == ["7", "8"]
    else:
        assert lines == ["7  now  7  t  /s  2", "8  now  8  t  /s  2"]
    asked = [(query.get("since"), query.get("seen")) for _, query in process.asked]
    assert asked == [(None, None), ("7", "7"), ("8", "8"), ("8", "8")]


async def test_an_event_that_nobody_knows(
    tmp_path: Path, process: Process, server: TestServer
) -> None:
    result = await here(tmp_path, server, "trace", "urn:1 &")
    assert process.asked == [("/trace", {"id": "urn:1 &"})]
    assert "was not accepted by any broker or channel" in str(result.exception)
    as_json = await here(tmp_path, server, "trace", "1", "-o", "json")
    assert (as_json.exit_code, json.loads(as_json.output)) == (1, NOBODY_KNOWS)
    process.answer = {**NOBODY_KNOWS, "kept": False}
    result = await here(tmp_path, server, "trace", "1")
    assert "event-journeys is disabled" in str(result.exception)


async def test_an_output_that_there_is_not(
    tmp_path: Path, process: Process, server: TestServer
) -> None:
    result = await here(tmp_path, server, "graph", "-o", "svg")
    assert "--output svg: it is one of table, dot, mermaid, json" in str(result.exception)
    assert process.asked == []


async def test_a_broker_process_that_is_gone(tmp_path: Path, server: TestServer) -> None:
    port = server.port
    await server.close()
    server.port = port
    result = await here(tmp_path, server, "graph")
    assert "the broker process gives no answer" in str(result.exception)
    assert "hearth status" in str(result.exception)


@pytest.mark.parametrize(
    ("secret", "said"),
    [
        (None, "there is no Secret knative-eventing/hearth-event-admin"),
        ({}, "the broker has not started yet"),
    ],
)
async def test_a_cluster_without_a_token(
    secret: dict[str, str] | None, said: str, tmp_path: Path, process: Process, server: TestServer
) -> None:
    process.secret = secret
    result = await there(tmp_path, server, "graph")
    assert said in str(result.exception)


async def test_a_missing_right_says_which_role_to_bind(
    tmp_path: Path, process: Process, server: TestServer
) -> None:
    process.status = 403
    process.answer = {"kind": "Status", "code": 403, "reason": "Forbidden", "message": "no"}
    result = await there(tmp_path, server, "graph")
    assert "--role hearth-event-admin" in str(result.exception)


async def test_who_may_not_read_the_secret_shows_his_own_token(
    tmp_path: Path, process: Process, server: TestServer
) -> None:
    process.answer = {"events": [], "kept": True}
    process.forbids, process.token = True, "his own"
    result = await there(tmp_path, server, "list", user={"token": "his own"})
    assert result.exit_code == 0, result
    assert len(process.asked) == 1
    result = await there(tmp_path, server, "list")
    assert "you may not. Questions about events of all namespaces take the Role" in str(
        result.exception
    )
