"""``hearth migrate check`` against an API server: what it reads, what it says, what it may not."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from eventing import install as eventing
from hearth.cli import main
from hearth.cli.errors import UserError
from hearth.cluster.apiserver.testing import RunningServer, running_apiserver
from hearth.keda import install as keda
from hearth.keda.api.keys import SCALEDOBJECTS
from hearth.knative.resources import BROKERS, KSERVICES
from hearth.kube.client import KubeClient
from hearth.kube.resources import CONFIGMAPS, CRDS, DEPLOYMENTS, NAMESPACES
from serving import install as serving

OTHERS = "githubsources.sources.knative.dev"
"""A kind of an extension of Knative that Hearth does not serve."""


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[RunningServer]:
    async with running_apiserver(tmp_path) as server:
        yield server


async def check(kubeconfig: Path, *arguments: str) -> Result:
    """Run the command in a thread, because it has an event loop of its own."""
    command = ["migrate", "check", "--kubeconfig", str(kubeconfig), *arguments]
    return await asyncio.to_thread(CliRunner().invoke, main.app, command)


def a_definition() -> dict[str, Any]:
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": OTHERS},
        "spec": {
            "group": "sources.knative.dev",
            "names": {"plural": "githubsources", "kind": "GitHubSource"},
            "scope": "Namespaced",
            "versions": [version],
        },
    }


async def test_a_cluster_without_knative(server: RunningServer) -> None:
    result = await check(server.kubeconfig)
    assert (result.exit_code, result.output.strip()) == (
        0,
        "There is nothing of Knative or KEDA in this cluster.",
    )


async def test_a_cluster_that_runs_hearth(server: RunningServer) -> None:
    labels = {"app": "hearth-control"}
    container = {"name": "control", "image": "hearth"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    control = {
        "metadata": {"namespace": "knative-serving", "name": "hearth-control"},
        "spec": {"selector": {"matchLabels": labels}, "template": template},
    }
    async with KubeClient.from_kubeconfig(server.kubeconfig) as client:
        await client.create(NAMESPACES, {"metadata": {"name": "knative-serving"}})
        await client.create(DEPLOYMENTS, control)
    result = await check(server.kubeconfig)
    assert isinstance(result.exception, UserError)
    assert "runs Hearth already" in str(result.exception)


async def test_what_would_not_work_is_named(server: RunningServer) -> None:
    async with KubeClient.from_kubeconfig(server.kubeconfig) as client:
        await serving.install(client)
        await eventing.install(client)
        await client.create(CRDS, a_definition())
        await client.create(KSERVICES, a_service())
        await client.create(BROKERS, a_broker())
        network = await client.get(CONFIGMAPS, "config-network", "knative-serving")
        network["data"] = {"ingress-class": "kourier.ingress.networking.knative.dev"}
        await client.update(CONFIGMAPS, network)
        await until_served(client)
        source = {"metadata": {"name": "p"}, "apiVersion": "sources.knative.dev/v1"}
        path = "/apis/sources.knative.dev/v1/namespaces/default/githubsources"
        await client.request("POST", path, body={**source, "kind": "GitHubSource"})
    result = await check(server.kubeconfig, "-o", "json")
    report = json.loads(result.output)
    assert result.exit_code == 1
    assert report["objects"] == {
        "brokers.eventing.knative.dev": 1,
        OTHERS: 1,
        "services.serving.knative.dev": 1,
    }
    assert {(each["outcome"], each["where"]) for each in report["findings"]} == {
        ("does not work", "GitHubSource default/p"),
        ("works otherwise", "Broker default/b"),
        ("works otherwise", "config-network in knative-serving"),
    }
    shown = (await check(server.kubeconfig)).output
    assert "Looked at 3 objects of 3 kinds." in shown
    assert "1 would not work, 2 would work otherwise, the rest as now." in shown


async def test_kedas_objects_are_looked_at(server: RunningServer) -> None:
    spec = {
        "scaleTargetRef": {"name": "web"},
        "triggers": [{"type": "pigeon", "metadata": {}}],
    }
    async with KubeClient.from_kubeconfig(server.kubeconfig) as client:
        await keda.install(client)
        scaled = {"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "spec": spec}
        metadata = {"name": "mq", "namespace": "default"}
        await client.create(SCALEDOBJECTS, scaled | {"metadata": metadata})
    result = await check(server.kubeconfig, "-o", "json")
    report = json.loads(result.output)
    assert (result.exit_code, report["objects"]) == (1, {"scaledobjects.keda.sh": 1})
    [finding] = report["findings"]
    assert (finding["where"], finding["outcome"]) == ("ScaledObject default/mq", "does not work")
    assert "pigeon" in finding["what"]


async def test_who_cannot_be_asked(tmp_path: Path) -> None:
    result = await check(tmp_path / "none")
    assert isinstance(result.exception, UserError)
    assert "--kubeconfig" in str(result.exception)


async def until_served(client: KubeClient) -> None:
    async with asyncio.timeout(60):
        while True:
            definition = await client.get(CRDS, OTHERS)
            conditions = (definition.get("status") or {}).get("conditions") or ()
            if any(c["type"] == "Established" and c["status"] == "True" for c in conditions):
                return
            await asyncio.sleep(0.01)


def a_service() -> dict[str, Any]:
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": "s", "namespace": "default"},
        "spec": {"template": {"spec": {"containers": [{"image": "nginx:1.27"}]}}},
    }


def a_broker() -> dict[str, Any]:
    return {
        "apiVersion": "eventing.knative.dev/v1",
        "kind": "Broker",
        "metadata": {
            "name": "b",
            "namespace": "default",
            "annotations": {"eventing.knative.dev/broker.class": "MTChannelBasedBroker"},
        },
        "spec": {},
    }
