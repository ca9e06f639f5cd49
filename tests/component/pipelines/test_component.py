"""The component as in a cluster: what it may do, what it takes, and what it refuses.

It runs with the rights of its account and no more, and needs all of them. The test is kubelet and
worker: it says how pods are, and asks for jobs with what it finds in the run's Secret.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from hearth.cluster.apiserver.testing import running_apiserver
from hearth.cluster.rest import http
from hearth.install.bundle import Choice, objects_of
from hearth.install.cluster import Cluster
from hearth.install.installer import Installer
from hearth.knative.resources import TRIGGERS
from hearth.kube.client import KubeClient
from hearth.kube.install import config_folder
from hearth.kube.meta import Object, name, namespace
from hearth.kube.resources import (
    CONFIGMAPS,
    DEPLOYMENTS,
    EVENTS,
    PERSISTENTVOLUMECLAIMS,
    PODS,
    SECRETS,
    STATEFULSETS,
)
from hearth.pipelines.api import keys
from tests.component.install.rbac import Recorder, grants_of
from tests.component.install.test_rights import Hearth

EVENTING = "knative-eventing"
NOT_ASKED = {
    # An admission plugin that the one-machine API server does not have asks for these.
    ("update", keys.GROUP, "pipelines/finalizers"),
    ("update", keys.GROUP, "pipelineruns/finalizers"),
}
SCRIPT = '@on("{}")\ndef go(event): ...\n'
EVENT = {
    "ce-specversion": "1.0",
    "ce-id": "1",
    "ce-source": "https://github.com/a/b",
    "ce-type": "dev.knative.source.github.push",
    "content-type": "application/json",
}


@asynccontextmanager
async def running(folder: Path, monkeypatch: Any) -> AsyncIterator[Hearth]:
    objects = objects_of(config_folder(), Choice(("pipelines",)))
    of_ours = [each for each in grants_of(objects) if each.user.endswith(":hearth-pipelines")]
    recorder = Recorder(of_ours)
    monkeypatch.setattr(http, "handle_resource", recorder.handle)
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(running_apiserver(folder / "api"))
        client = await stack.enter_async_context(
            KubeClient.from_kubeconfig(server.kubeconfig, user_agent="test")
        )
        await Installer(Cluster(client), objects, say=lambda _: None, chosen={}).apply(seconds=60)
        for resource in (DEPLOYMENTS, STATEFULSETS):
            for obj in (await client.list(resource))[0]:
                await client.delete(resource, name(obj), namespace(obj))
        hearth = Hearth(server, client, folder, recorder)
        await hearth.start(stack, "pipelines", EVENTING)
        yield hearth


class Asker:
    """What sends events, and what a worker asks for."""

    def __init__(self, hearth: Hearth, client: httpx.AsyncClient) -> None:
        self._hearth, self._client = hearth, client
        self._url = f"http://127.0.0.1:{hearth.ports['PIPELINES']}"

    async def event(self, pipeline: str = "p", data: str = "{}", **more: str) -> httpx.Response:
        headers = EVENT | {f"ce-{attribute}": value for attribute, value in more.items()}
        url = f"{self._url}/events/default/{pipeline}"
        return await self._client.post(url, content=data, headers=headers)

    async def ask(
        self, run: str, path: str, body: Any = None, *, token: str = ""
    ) -> httpx.Response:
        if not token:
            secret = await self._hearth.client.get(SECRETS, f"{run}-run", "default")
            token = base64.b64decode(secret["data"]["token"]).decode()
        url, headers = f"{self._url}/runs/default/{run}{path}", {"Authorization": f"Bearer {token}"}
        if body is None:
            return await self._client.get(url, headers=headers)
        return await self._client.post(url, json=body, headers=headers)


async def run_of(hearth: Hearth, run: str) -> Object:
    return await hearth.client.get(keys.RUNS, run, "default")


async def pod_is(hearth: Hearth, pod: str, phase: str, **terminated: Any) -> None:
    state = {"terminated": terminated} if terminated else {"running": {}}
    fields = {"name": "job", "image": "x", "imageID": "", "ready": False, "restartCount": 0}
    status = {"phase": phase, "containerStatuses": [{**fields, "state": state}]}
    await hearth.client.patch(PODS, pod, "default", {"status": status}, subresource="status")


async def phases(hearth: Hearth, run: str) -> str:
    return str(((await run_of(hearth, run)).get("status") or {}).get("phase"))


async def until_phase(hearth: Hearth, run: str, phase: str) -> None:
    async def is_so() -> bool:
        return await phases(hearth, run) == phase

    await hearth.until(is_so)


async def _triggers(hearth: Hearth) -> list[Object]:
    return (await hearth.client.list(TRIGGERS, "default"))[0]


async def _follow_a_script(hearth: Hearth) -> None:
    """Triggers follow the script, wherever it is, and are put right."""
    metadata = {"name": "scripts", "namespace": "default"}
    data = {"pipeline.py": SCRIPT.format("github:push")}
    await hearth.client.create(CONFIGMAPS, {"metadata": metadata, "data": data})
    script = {"script": {"configMap": {"name": "scripts"}}, "concurrency": 1}
    await hearth.make(keys.PIPELINES, "p", script)

    async def has(count: int, text: str) -> bool:
        found = await _triggers(hearth)
        return len(found) == count and text in str(found)

    await hearth.until(lambda: has(1, "push"))
    (trigger,) = await _triggers(hearth)
    changed = {"spec": {"subscriber": {"uri": "http://elsewhere"}}}
    await hearth.client.patch(TRIGGERS, name(trigger), "default", changed)
    await hearth.until(lambda: has(1, "/events/default/p"))
    inline = {"inline": SCRIPT.format("gitlab:push"), "configMap": None}
    await hearth.change(keys.PIPELINES, "p", spec={"script": inline})
    await hearth.until(lambda: has(1, "gitlab"))
    inline = {"inline": SCRIPT.format("github:push")}
    await hearth.change(keys.PIPELINES, "p", spec={"script": inline})
    await hearth.until(lambda: has(1, "github"))


async def _take_events(hearth: Hearth, asker: Asker) -> str:
    """Each event has one run, however often it comes; what is none is refused."""
    first = await asker.event()
    assert (first.status_code, (await asker.event()).headers["hearth-run"]) == (
        202,
        first.headers["hearth-run"],
    )
    run = first.headers["hearth-run"]
    other = await asker.event(id="2", type="dev.knative.source.github.issues")
    assert (other.status_code, other.headers["hearth-run"]) == (202, "")
    assert len((await hearth.client.list(keys.RUNS, "default"))[0]) == 1
    assert (await asker.event("nobody")).status_code == 404
    gone = await asker.ask("nobody", "/jobs", {}, token="x")
    assert (gone.status_code, gone.json()["reason"]) == (404, "NoRun")
    assert (await asker.event(specversion="7")).status_code == 400
    large = await asker.event(data=f'"{"x" * keys.PAYLOAD_BYTES}"', id="3")
    assert (large.status_code, large.json()["reason"]) == (413, "PayloadTooLarge")
    own = f"/apis/{keys.GROUP}/{keys.VERSION}/namespaces/default/pipelines/p"
    assert (await asker.event(source=own, id="4", type="a.push")).headers["hearth-run"] == ""
    deep = await asker.event(id="5", pipelinedepth="16")
    assert deep.headers["hearth-run"] == ""

    async def is_told() -> bool:
        told = {each["reason"] for each in (await hearth.client.list(EVENTS, "default"))[0]}
        return {"PayloadTooLarge", "EventLoop"} <= told

    await hearth.until(is_told)
    return run


async def _work(hearth: Hearth, asker: Asker, run: str) -> None:
    """A worker asks for jobs, and is told of their ends."""
    await hearth.until(lambda: hearth.there(PODS, f"{run}-worker-1"))
    await pod_is(hearth, f"{run}-worker-1", "Running")
    await until_phase(hearth, run, "Running")
    wanted = {"name": "build", "image": "x", "workspace": True}
    wrong = await asker.ask(run, "/jobs", wanted, token="wrong")
    assert (wrong.status_code, wrong.json()["reason"]) == (401, "Unauthorized")
    unlisted = await asker.ask(run, "/jobs", {**wanted, "secrets": {"T": "s/k"}})
    assert (unlisted.status_code, unlisted.json()["reason"]) == (422, "UnknownSecret")
    assert (await asker.ask(run, "/jobs", wanted)).status_code == 200
    await hearth.until(lambda: hearth.there(PODS, f"{run}-build-1"))
    assert await hearth.client.get(PERSISTENTVOLUMECLAIMS, f"{run}-workspace", "default")

    async def is_noted() -> bool:
        pod = await hearth.client.get(PODS, f"{run}-build-1", "default")
        return not pod["metadata"].get("finalizers")

    await hearth.until(is_noted)
    waiting = asyncio.create_task(asker.ask(run, "/jobs?names=build&seconds=20"))
    await pod_is(hearth, f"{run}-build-1", "Succeeded", exitCode=0, message="7")
    told = (await waiting).json()["build"]
    assert (told["phase"], told["result"]) == ("Succeeded", 7)
    assert (await asker.ask(run, "/jobs", wanted)).json()["finishedAt"] == told["finishedAt"]
    assert (await asker.ask(run, "/jobs?names=build&seconds=x")).status_code == 422


async def _wait_for_each_other(hearth: Hearth, asker: Asker, run: str) -> None:
    """The second waits for the first (concurrency 1), is cancelled; then the first ends."""
    second = (await asker.event(id="second")).headers["hearth-run"]
    await until_phase(hearth, second, "Pending")
    third = (await asker.event(id="third")).headers["hearth-run"]
    await hearth.client.patch(keys.RUNS, third, "default", {"spec": {"canceled": True}})
    await until_phase(hearth, third, "Canceled")
    end = {"phase": "Succeeded", "summary": "all well"}
    assert (await asker.ask(run, "/end", end)).status_code == 200
    assert (await asker.ask(run, "/end", {"phase": "Failed"})).status_code == 200
    await until_phase(hearth, run, "Succeeded")
    await hearth.until(lambda: hearth.there(PODS, f"{second}-worker-1"))
    await pod_is(hearth, f"{second}-worker-1", "Running")
    assert (await asker.ask(second, "/jobs", {"name": "unplaced", "image": "x"})).is_success
    await hearth.until(lambda: hearth.there(PODS, f"{second}-unplaced-1"))
    await hearth.client.patch(keys.RUNS, second, "default", {"spec": {"canceled": True}})
    await until_phase(hearth, second, "Aborted")

    async def is_told_to_end() -> bool:
        pod = await hearth.client.get(PODS, f"{second}-worker-1", "default")
        return bool(pod["spec"]["activeDeadlineSeconds"] == 1)

    await hearth.until(is_told_to_end)

    async def is_gone() -> bool:
        return not await hearth.there(PODS, f"{second}-unplaced-1")

    await hearth.until(is_gone)


async def test_it_does_what_it_may_and_needs_all_of_that(tmp_path: Path, monkeypatch: Any) -> None:
    async with running(tmp_path, monkeypatch) as hearth, httpx.AsyncClient(timeout=30) as client:
        asker = Asker(hearth, client)
        await _follow_a_script(hearth)
        run = await _take_events(hearth, asker)
        await _work(hearth, asker, run)
        await _wait_for_each_other(hearth, asker, run)
        await hearth.change(keys.PIPELINES, "p", spec={"historyLimit": 1})

        async def one_is_kept() -> bool:
            return len((await hearth.client.list(keys.RUNS, "default"))[0]) == 1

        await hearth.until(one_is_kept)
        assert hearth.recorder.refused == set(), "rules are missing"
        unused = [each for each in hearth.recorder.unused() if each[1:4] not in NOT_ASKED]
        assert unused == [], "rules that nothing needs"
