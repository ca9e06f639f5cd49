"""``status``, ``logs`` and ``event send`` with ``--kubeconfig``: the same commands of a cluster."""

from __future__ import annotations

import asyncio
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
from hearth.cluster.apiserver.testing import running_apiserver
from hearth.install.cluster import STATEFULSETS
from hearth.kube.client import KubeClient
from hearth.kube.meta import generation
from hearth.kube.resources import CRDS, DEPLOYMENTS, LEASES, PODS
from tests.ports import free_port

SERVING = "knative-serving"


async def hearth(kubeconfig: Path, *arguments: str) -> Result:
    """Runs a command in a thread, because it has an event loop of its own."""
    command = [*arguments, "--kubeconfig", str(kubeconfig)]
    return await asyncio.to_thread(CliRunner().invoke, main.app, command)


@dataclass(frozen=True, slots=True)
class World:
    client: KubeClient
    kubeconfig: Path

    async def status(self) -> tuple[int, dict[str, Any]]:
        result = await hearth(self.kubeconfig, "status", "-o", "json")
        return result.exit_code, json.loads(result.output)

    async def pods_are_ready(self) -> None:
        for resource in (DEPLOYMENTS, STATEFULSETS):
            for obj in (await self.client.list(resource))[0]:
                counts = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")
                obj["status"] = dict.fromkeys(counts, obj["spec"]["replicas"])
                obj["status"]["observedGeneration"] = generation(obj)
                await self.client.update_status(resource, obj)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with (
        running_apiserver(tmp_path) as server,
        KubeClient.from_kubeconfig(server.kubeconfig) as client,
    ):
        yield World(client, server.kubeconfig)


async def test_a_cluster_without_hearth_says_so(world: World) -> None:
    result = await hearth(world.kubeconfig, "status")
    assert (result.exit_code, "hearth install" in result.output) == (3, True)


async def test_pods_that_lack_are_told_until_all_are_there(world: World) -> None:
    assert (
        await hearth(world.kubeconfig, "install", "--no-wait", "--overlay", "ha")
    ).exit_code == 0
    code, report = await world.status()
    lacking = {each["name"]: each["trouble"] for each in report["components"]}
    assert code == 1
    assert lacking["hearth-broker"] == "its controller has not seen it"
    await world.pods_are_ready()
    code, report = await world.status()
    assert (code, report["healthy"]) == (0, True), report
    [control] = [each for each in report["components"] if each["name"] == "hearth-control"]
    assert control["ready"] == "2/2"
    table = (await hearth(world.kubeconfig, "status")).output
    assert "hearth-control" in table and "No services yet." in table


async def test_doctor_of_a_cluster(world: World) -> None:
    """Before an installation, and of one whose pods do not run: its webhooks have nobody."""

    async def found() -> tuple[int, dict[str, dict[str, str]]]:
        result = await hearth(world.kubeconfig, "doctor", "-o", "json")
        report = json.loads(result.output)
        return result.exit_code, {check["name"]: check for check in report["checks"]}

    code, checks = await found()
    assert code == 0
    assert checks["installation"]["advice"] == "hearth install"
    assert checks["cluster"]["state"] == "ok"
    await hearth(world.kubeconfig, "install", "--no-wait")
    code, checks = await found()
    assert code == 1
    assert checks["hearth-control"]["state"] == "fail"
    assert checks["definitions"]["state"] == "ok"
    assert "webhook.serving.knative.dev" in checks["webhooks"]["found"]
    assert checks["gateway"]["state"] in ("ok", "warn")
    await world.client.delete(CRDS, "brokers.eventing.knative.dev")
    assert "brokers" in (await found())[1]["definitions"]["found"]


async def test_doctor_of_a_cluster_that_is_not_there(tmp_path: Path) -> None:
    cluster = {"name": "x", "cluster": {"server": f"http://127.0.0.1:{free_port()}"}}
    context = {"name": "x", "context": {"cluster": "x", "user": "x"}}
    users = [{"name": "x", "user": {}}]
    config = {"clusters": [cluster], "users": users, "contexts": [context], "current-context": "x"}
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(config))
    result = await hearth(tmp_path / "kubeconfig", "doctor")
    assert result.exit_code == 1
    assert "does the cluster run?" in result.output


async def test_the_leader_is_named(world: World) -> None:
    await hearth(world.kubeconfig, "install", "--no-wait")
    container = {"name": "c", "image": "i"}
    metadata = {"namespace": SERVING, "labels": {"app.kubernetes.io/name": "hearth-control"}}
    for title in ("one", "two"):
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {**metadata, "name": title}}
        await world.client.create(PODS, pod | {"spec": {"containers": [container]}})
    lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease"}
    spec = {"holderIdentity": "two_10.0.0.1:8088"}
    await world.client.create(
        LEASES, lease | {"metadata": {"name": "l", "namespace": SERVING}, "spec": spec}
    )
    _, report = await world.status()
    leaders = {each["name"]: each["leader"] for each in report["components"]}
    assert leaders == {"hearth-control": "two", "hearth-activator": "", "hearth-broker": ""}


async def test_logs_of_what_is_not_there(world: World) -> None:
    await hearth(world.kubeconfig, "install", "--no-wait")
    result = await hearth(world.kubeconfig, "logs", "none")
    assert isinstance(result.exception, UserError)
    assert "there is no service 'none'" in str(result.exception)
    assert "`hearth status --kubeconfig FILE` those" in str(result.exception)


# -- events, by way of the API server's proxy ------------------------------------------------------


@dataclass
class Proxy:
    """An API server that has one Broker and hands on what is for its Service."""

    code: int = 202
    events: list[dict[str, Any]] = field(default_factory=list)

    async def broker(self, _: web.Request) -> web.Response:
        url = "http://broker-ingress.knative-eventing.svc.cluster.local/default/default"
        return web.json_response({"status": {"address": {"url": url}}})

    async def take(self, request: web.Request) -> web.Response:
        assert request.content_type == "application/cloudevents+json"
        self.events.append(await request.json())
        message = 'services "broker-ingress:80" is forbidden: no'
        status = {"kind": "Status", "code": self.code, "message": message}
        return (
            web.Response(status=202) if self.code == 202 else web.json_response(status, status=403)
        )

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get(
            "/apis/eventing.knative.dev/v1/namespaces/default/brokers/default", self.broker
        )
        path = (
            "/api/v1/namespaces/knative-eventing/services/broker-ingress:80/proxy/default/default"
        )
        app.router.add_post(path, self.take)
        return app


async def sent(tmp_path: Path, proxy: Proxy, *arguments: str) -> Result:
    async with TestServer(proxy.app()) as server:
        named = {"name": "x"}
        config = {
            "clusters": [{**named, "cluster": {"server": str(server.make_url("")).rstrip("/")}}],
            "users": [{**named, "user": {}}],
            "contexts": [{**named, "context": {"cluster": "x", "user": "x"}}],
            "current-context": "x",
        }
        (tmp_path / "kubeconfig").write_text(yaml.safe_dump(config))
        return await hearth(tmp_path / "kubeconfig", "event", "send", *arguments)


async def test_an_event_reaches_a_broker_through_the_api_server(tmp_path: Path) -> None:
    proxy = Proxy()
    result = await sent(tmp_path, proxy, "--id", "7", "--data", '{"a": 1}')
    assert result.exit_code == 0, result
    assert "event 7 of type dev.hearth.event was accepted" in result.output
    [event] = proxy.events
    assert (event["id"], event["data"]) == ("7", {"a": 1})


async def test_a_missing_right_to_the_proxy_is_named(tmp_path: Path) -> None:
    result = await sent(tmp_path, Proxy(code=403))
    assert isinstance(result.exception, UserError)
    assert "create services/proxy" in str(result.exception)
