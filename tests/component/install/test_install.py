"""``hearth install`` against a real API server: nothing in between is faked but the kubelet."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hearth.cluster.apiserver.testing import running_apiserver
from hearth.install.cluster import STATEFULSETS
from hearth.keda.api.scaledobject import CRD as SCALEDOBJECT
from hearth.knative.resources import SINKBINDINGS
from hearth.kube.client import KubeClient
from hearth.kube.crdgen import crd_object
from hearth.kube.errors import NotFound
from hearth.kube.meta import generation, is_deleting, name, namespace
from hearth.kube.patch import JSON_PATCH
from hearth.kube.resources import (
    CONFIGMAPS,
    CRDS,
    DEPLOYMENTS,
    HPAS,
    MUTATING_WEBHOOKS,
    NAMESPACES,
    SERVICES,
    VALIDATING_WEBHOOKS,
    Resource,
)
from serving import install
from serving.api.crds import SERVICE

SERVING = "knative-serving"
CLUSTERROLES = Resource("rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole")


@dataclass(frozen=True, slots=True)
class Result:
    code: int
    text: str


@dataclass(frozen=True, slots=True)
class World:
    """An API server, a client of it, and the command."""

    client: KubeClient
    kubeconfig: Path

    async def hearth(self, *arguments: str, answer: str = "") -> Result:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "hearth.cli",
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={**os.environ, "KUBECONFIG": str(self.kubeconfig)},
        )
        output, _ = await process.communicate(answer.encode())
        return Result(process.returncode or 0, output.decode())

    async def fails(self, *arguments: str) -> str:
        result = await self.hearth(*arguments)
        assert result.code == 1, result.text
        assert "Traceback" not in result.text
        return result.text

    async def succeeds(self, *arguments: str) -> str:
        result = await self.hearth(*arguments)
        assert result.code == 0, result.text
        return result.text


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with (
        running_apiserver(tmp_path) as server,
        KubeClient.from_kubeconfig(server.kubeconfig, user_agent="test") as client,
    ):
        yield World(client, server.kubeconfig)


@contextlib.asynccontextmanager
async def a_kubelet(client: KubeClient) -> AsyncIterator[None]:
    """Says of every workload that its pods are ready."""
    task = asyncio.create_task(_pods_get_ready(client), name="kubelet")
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _pods_get_ready(client: KubeClient) -> None:
    while True:
        for obj in (await client.list(HPAS))[0]:
            wanted = obj["spec"]["minReplicas"]
            if obj["status"].get("desiredReplicas") != wanted:
                obj["status"] = {"currentReplicas": wanted, "desiredReplicas": wanted}
                await client.update_status(HPAS, obj)
        for resource in (DEPLOYMENTS, STATEFULSETS):
            for obj in (await client.list(resource))[0]:
                wanted, seen = obj["spec"]["replicas"], obj["status"].get("observedGeneration")
                if seen == generation(obj):
                    continue
                counts = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")
                status = dict.fromkeys(counts, wanted)
                obj["status"] = {**status, "observedGeneration": generation(obj)}
                await client.update_status(resource, obj)
        await asyncio.sleep(0.05)


async def test_everything_is_applied_waited_for_and_left_alone_the_second_time(
    world: World,
) -> None:
    async with a_kubelet(world.client):
        first = await world.succeeds("install", "--overlay", "nodeport", "--timeout", "60")
        assert "created deployment knative-serving/hearth-control" in first
        second = await world.succeeds("install")
    assert "0 objects created, 0 changed" in second
    assert (await world.hearth("install", "--diff")).code == 0
    for definition in (await world.client.list(CRDS))[0]:
        assert definition["metadata"]["labels"]["app.kubernetes.io/part-of"] == "hearth"


async def test_the_last_choice_goes_on_and_another_replaces_it(world: World) -> None:
    await world.succeeds("install", "--no-wait", "--overlay", "ha", "--set", "image=mine:1")
    await world.succeeds("install", "--no-wait")
    control = await world.client.get(DEPLOYMENTS, "hearth-control", SERVING)
    assert control["spec"]["replicas"] == 2
    assert control["spec"]["template"]["spec"]["containers"][0]["image"] == "mine:1"
    text = (await world.hearth("install", "--diff", "--overlay", "small")).text
    assert "-  replicas: 2" in text and "+  replicas: 1" in text
    assert (await world.client.get(DEPLOYMENTS, "hearth-control", SERVING)) == control


async def test_what_others_set_is_left_to_them(world: World) -> None:
    await world.succeeds("install", "--no-wait")
    client = world.client
    await client.patch(CONFIGMAPS, "config-autoscaler", SERVING, {"data": {"stable-window": "20s"}})
    await client.patch(DEPLOYMENTS, "hearth-control", SERVING, {"spec": {"replicas": 5}})
    label = {"op": "add", "path": "/metadata/labels/team", "value": "x"}
    await client.patch(SERVICES, "hearth-gateway", SERVING, [label], content_type=JSON_PATCH)
    text = await world.succeeds("install", "--no-wait", "--overlay", "ha")
    assert "left deployment knative-serving/hearth-control .spec.replicas as test set it" in text
    assert (await client.get(DEPLOYMENTS, "hearth-control", SERVING))["spec"]["replicas"] == 5
    settings = await client.get(CONFIGMAPS, "config-autoscaler", SERVING)
    assert settings["data"]["stable-window"] == "20s"
    gateway = await client.get(SERVICES, "hearth-gateway", SERVING)
    assert gateway["metadata"]["labels"]["team"] == "x"
    await world.succeeds("install", "--no-wait", "--force")
    assert (await client.get(DEPLOYMENTS, "hearth-control", SERVING))["spec"]["replicas"] == 2


async def test_what_does_not_fit_any_more_says_what_to_do(world: World) -> None:
    await world.succeeds("install", "--no-wait")
    ports = [{"name": "http", "port": 8888}]
    await world.client.patch(SERVICES, "hearth-gateway", SERVING, {"spec": {"ports": ports}})
    text = await world.fails("install", "--no-wait")
    assert "service knative-serving/hearth-gateway" in text and "delete it" in text


async def test_a_domain_that_was_replaced_stays_so(world: World) -> None:
    assert "example.com" in await domains(world)
    patch = {"data": {"example.com": None, "mine.org": ""}}
    await world.client.patch(CONFIGMAPS, "config-domain", SERVING, patch)
    await world.succeeds("install", "--no-wait")
    assert await domains(world) == {"_example", "mine.org"}


async def domains(world: World) -> set[str]:
    await world.succeeds("install", "--no-wait")
    return set((await world.client.get(CONFIGMAPS, "config-domain", SERVING))["data"])


async def test_a_volume_keeps_the_size_it_was_made_with(world: World) -> None:
    await world.succeeds("install", "--no-wait")
    text = await world.succeeds("install", "--no-wait", "--overlay", "small")
    assert ".spec.volumeClaimTemplates as it was made" in text
    broker = await world.client.get(STATEFULSETS, "hearth-broker", "knative-eventing")
    [claim] = broker["spec"]["volumeClaimTemplates"]
    assert claim["spec"]["resources"]["requests"]["storage"] == "10Gi"
    [container] = broker["spec"]["template"]["spec"]["containers"]
    assert container["resources"]["limits"]["memory"] == "512Mi"


async def test_nothing_is_changed_where_a_real_knative_lives(world: World) -> None:
    definition = crd_object(SERVICE)
    definition["metadata"]["labels"] = {"app.kubernetes.io/version": "1.22.0"}
    await world.client.create(CRDS, definition)
    text = await world.fails("install", "--no-wait")
    assert "Knative 1.22.0" in text and "Nothing was changed" in text
    assert "--force" not in text
    with pytest.raises(NotFound):
        await world.client.get(NAMESPACES, SERVING)


async def test_a_keda_of_the_clusters_own_stays(world: World) -> None:
    definition = crd_object(SCALEDOBJECT)
    definition["metadata"]["labels"] = {"app.kubernetes.io/version": "2.18.0"}
    await world.client.create(CRDS, definition)
    text = await world.fails("install", "--no-wait", "--overlay", "keda")
    assert "KEDA 2.18.0" in text and "Nothing was changed" in text and "overlay keda" in text
    with pytest.raises(NotFound):
        await world.client.get(NAMESPACES, "keda")


async def test_the_api_of_one_machine_needs_no_installation(world: World) -> None:
    await install.install(world.client)
    text = await world.fails("install", "--no-wait")
    assert "Hearth runs here already" in text and "remove Knative" not in text


async def test_a_second_installation_in_another_namespace_is_refused(world: World) -> None:
    await world.succeeds("install", "--no-wait")
    other = await world.client.get(DEPLOYMENTS, "hearth-control", SERVING)
    await world.client.create(
        NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "other"}}
    )
    metadata = {"name": name(other), "namespace": "other", "labels": other["metadata"]["labels"]}
    await world.client.create(DEPLOYMENTS, {**other, "metadata": metadata, "status": {}})
    assert "installed in the namespace other already" in await world.fails("install", "--no-wait")


async def test_another_version_needs_to_be_asked_for_and_leaves_nothing_behind(
    world: World,
) -> None:
    await world.succeeds("install", "--no-wait")
    client, version = world.client, {"app.kubernetes.io/version": "0.0.9"}
    for resource, title, where in (
        (DEPLOYMENTS, "hearth-control", SERVING),
        (DEPLOYMENTS, "hearth-activator", SERVING),
        (STATEFULSETS, "hearth-broker", "knative-eventing"),
    ):
        await client.patch(resource, title, where, {"metadata": {"labels": version}})
    labels = {"app.kubernetes.io/part-of": "hearth"}
    old = {"name": "hearth-old", "namespace": SERVING, "labels": labels}
    spec = {"ports": [{"port": 1}]}
    await client.create(
        SERVICES, {"apiVersion": "v1", "kind": "Service", "metadata": old, "spec": spec}
    )
    assert "Hearth 0.0.9 is installed; --upgrade" in await world.fails("install", "--no-wait")
    text = await world.succeeds("install", "--no-wait", "--upgrade", "--force")
    assert "removed service knative-serving/hearth-old" in text
    with pytest.raises(NotFound):
        await client.get(SERVICES, "hearth-old", SERVING)


async def test_what_does_not_get_ready_is_told(world: World) -> None:
    text = await world.fails("install", "--timeout", "0.5")
    assert "waiting for deployment knative-serving/hearth-activator" in text
    assert "statefulset knative-eventing/hearth-broker: its controller has not seen it" in text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--set", "control.replica=2"], "control.replica: there is no such setting"),
        (["--overlay", "big"], "there is no overlay big"),
        (["--kubeconfig", "/none"], "there is no /none"),
    ],
)
async def test_what_cannot_be_is_said_in_a_line(
    world: World, arguments: list[str], words: str
) -> None:
    assert words in await world.fails("install", "--no-wait", *arguments)


async def test_a_dry_run_asks_no_cluster() -> None:
    nowhere = World(KubeClient.__new__(KubeClient), Path("/none"))
    text = await nowhere.succeeds("install", "--dry-run", "--overlay", "small")
    assert text.count("\nkind: ") > 70
    assert "maxReplicas: 1" in text


async def test_uninstalling_asks_and_leaves_what_users_put_in(world: World) -> None:
    client = world.client
    await world.succeeds("install", "--no-wait")
    await client.patch(CONFIGMAPS, "config-gc", SERVING, {"data": {"a": "b"}})
    refused = await world.hearth("uninstall", answer="n\n")
    assert refused.code == 1
    assert "  deployment knative-serving/hearth-control" in refused.text
    definitions, _ = await client.list(CRDS)
    assert f"{len(definitions)} CustomResourceDefinition" in refused.text
    assert "volume claim log-hearth-broker-N in knative-eventing" in refused.text
    assert await client.get(DEPLOYMENTS, "hearth-control", SERVING)
    await world.succeeds("uninstall", "--yes")
    assert await _of(client, DEPLOYMENTS) == []
    assert (await client.get(CONFIGMAPS, "config-gc", SERVING))["data"]["a"] == "b"
    text = await world.succeeds("uninstall", "--all", "--yes")
    assert "no object of a user's" in text
    assert await _of(client, CRDS) == []
    assert "No Hearth is installed here." in await world.succeeds("uninstall", "--yes")


def a_binding(name: str) -> dict[str, Any]:
    return {
        "apiVersion": SINKBINDINGS.api_version,
        "kind": SINKBINDINGS.kind,
        "metadata": {
            "name": name,
            "namespace": "default",
            "finalizers": ["sinkbindings.sources.knative.dev"],
        },
        "spec": {},
    }


async def test_controllers_clear_up_after_users_objects_before_they_go(world: World) -> None:
    client = world.client
    await world.succeeds("install", "--no-wait")
    for webhooks in (VALIDATING_WEBHOOKS, MUTATING_WEBHOOKS):
        for configuration in (await client.list(webhooks))[0]:
            await client.delete(webhooks, name(configuration))  # nobody would answer them here
    await client.create(SINKBINDINGS, a_binding("one"))
    removal = asyncio.create_task(world.succeeds("uninstall", "--all", "--yes"))

    async with asyncio.timeout(60):
        while not is_deleting(await client.get(SINKBINDINGS, "one", "default")):
            await asyncio.sleep(0.05)
    assert await client.get(DEPLOYMENTS, "hearth-control", SERVING)
    await client.patch(SINKBINDINGS, "one", "default", {"metadata": {"finalizers": []}})
    await removal
    assert (await _of(client, CRDS), await _of(client, DEPLOYMENTS)) == ([], [])


async def test_users_objects_go_also_where_no_controller_is_left(world: World) -> None:
    client = world.client
    await world.succeeds("install", "--no-wait")
    await world.succeeds("uninstall", "--yes")
    await client.create(SINKBINDINGS, a_binding("two"))
    text = await world.succeeds("uninstall", "--all", "--yes")
    assert "1 SinkBinding (sources.knative.dev)" in text
    assert await _of(client, CRDS) == []


async def _of(client: KubeClient, resource: Resource) -> list[tuple[str, str]]:
    return [(namespace(obj), name(obj)) for obj in (await client.list(resource))[0]]


def a_silent_webhook() -> dict[str, object]:
    """Asks somebody who is not there about Hearth's ConfigMaps, as when no control runs."""
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"]}
    webhook = {
        "name": "silent.example.com",
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "clientConfig": {"url": "https://127.0.0.1:1/"},
        "rules": [{**rule, "operations": ["CREATE", "UPDATE"]}],
        "objectSelector": {"matchLabels": {"app.kubernetes.io/part-of": "hearth"}},
    }
    return {
        "apiVersion": VALIDATING_WEBHOOKS.api_version,
        "kind": VALIDATING_WEBHOOKS.kind,
        "metadata": {"name": "silent"},
        "webhooks": [webhook],
    }


async def test_what_no_webhook_answers_for_follows_the_pods_that_do(world: World) -> None:
    """Whose control does not run, for its image or its rights, is helped by installing again."""
    await world.client.create(VALIDATING_WEBHOOKS, a_silent_webhook())

    async def answers_once_control_is_applied() -> None:
        while "hearth-control" not in {name(o) for o in (await world.client.list(DEPLOYMENTS))[0]}:
            await asyncio.sleep(0.05)
        await world.client.delete(VALIDATING_WEBHOOKS, "silent")

    async with asyncio.TaskGroup() as group:
        group.create_task(answers_once_control_is_applied())
        text = await world.succeeds("install", "--no-wait")
    assert "putting off configmap knative-serving/config-network: " in text
    assert text.index("created deployment") < text.index("created configmap")


async def test_a_webhook_that_stays_silent_is_named_with_what_does_not_run(world: World) -> None:
    await world.client.create(VALIDATING_WEBHOOKS, a_silent_webhook())
    text = await world.fails("install", "--no-wait", "--timeout", "0.5")
    assert 'failed calling webhook "silent.example.com"' in text
    assert "deployment knative-serving/hearth-control: its controller has not seen it" in text


async def test_a_role_that_is_written_anew_while_it_goes_is_removed_again(world: World) -> None:
    """As Kubernetes' controller of aggregated roles does, which applies what it has in memory."""
    await world.succeeds("install", "--no-wait")
    resolver = "hearth-addressable-resolver"
    _, version = await world.client.list(CLUSTERROLES)

    async def comes_back() -> None:
        async for event in world.client.watch(CLUSTERROLES, resource_version=version):
            if (event.type, name(event.object)) == ("DELETED", resolver):
                role = {"apiVersion": CLUSTERROLES.api_version, "kind": CLUSTERROLES.kind}
                await world.client.create(CLUSTERROLES, role | {"metadata": {"name": resolver}})
                return

    async with asyncio.TaskGroup() as group:
        group.create_task(comes_back())
        text = await world.succeeds("uninstall", "--yes")
    assert "Hearth is removed." in text
    with pytest.raises(NotFound):
        await world.client.get(CLUSTERROLES, resolver)


async def test_an_interrupted_installation_goes_on(world: World) -> None:
    await world.succeeds("install", "--no-wait")
    await world.succeeds("uninstall", "--yes")
    text = await world.succeeds("install", "--no-wait")
    assert "created deployment knative-serving/hearth-control" in text
    assert "created customresourcedefinition" not in text
