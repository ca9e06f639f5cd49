"""kubernetes-workload and kubernetes-resource, against a real API server."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from typing import Any

import pytest

from hearth.cluster.apiserver.testing import running_apiserver
from hearth.keda.scalers.catalog import Shared
from hearth.keda.scalers.seam import ConfigError, PushScaler, Reading, ScalerError
from hearth.kube.client import KubeClient
from hearth.kube.resources import CONFIGMAPS, NAMESPACES, PODS, SECRETS
from tests.component.keda.scaling import read, scaler, trigger


@pytest.fixture
async def client(tmp_path) -> AsyncIterator[KubeClient]:
    async with (
        running_apiserver(tmp_path) as api,
        KubeClient.from_kubeconfig(api.kubeconfig) as made,
    ):
        for name in ("team", "others"):
            await made.create(NAMESPACES, {"metadata": {"name": name}})
        yield made


async def pod(client: KubeClient, name: str, phase: str, node: str = "", **where: Any) -> None:
    metadata = {"name": name, "namespace": "team", "labels": {"app": "web"}} | where
    spec: dict[str, Any] = {"containers": [{"name": "app", "image": "app"}]}
    if node:
        spec["nodeName"] = node
    made = await client.create(
        PODS, {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
    )
    await client.update_status(PODS, made | {"status": made["status"] | {"phase": phase}})


async def test_pods_that_have_not_ended_count_and_so_do_their_nodes(client):
    await pod(client, "a", "Running", "node-1")
    await pod(client, "b", "Running", "node-1")
    await pod(client, "c", "Pending")
    await pod(client, "d", "Succeeded", "node-2")
    await pod(client, "e", "Failed", "node-3")
    await pod(client, "f", "Running", "node-4", labels={"app": "db"})
    await pod(client, "g", "Running", "node-5", namespace="others")
    said = {"podSelector": "app in (web),!canary", "value": "1", "activationValue": "2"}
    workload = trigger("kubernetes-workload", **said)
    assert await read(workload, client=client) == Reading(3, True)
    by_node = trigger("kubernetes-workload", **said, groupByNode="true")
    assert await read(by_node, client=client) == Reading(1, False)


async def test_it_tells_at_once_when_pods_get_enough_and_are_not_any_more(client):
    config = trigger("kubernetes-workload", podSelector="app=web", value="1", activationValue="1")
    await pod(client, "a", "Running")
    async with scaler(config, Shared(client)) as made:
        assert isinstance(made, PushScaler)
        told = made.activity()
        assert await anext(told) is False
        following = asyncio.ensure_future(anext(told))
        await pod(client, "b", "Running")
        assert await following is True
        following = asyncio.ensure_future(anext(told))
        await client.delete(PODS, "b", "team", grace_period_seconds=0)
        assert await following is False
        following = asyncio.ensure_future(anext(told))
        await made.close()
        following.cancel()
        await asyncio.wait({following})


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"podSelector": "app=(", "value": "1"}, "error parsing pod selector"),
        ({"podSelector": "app=web"}, "value must be a float greater than 0"),
    ],
)
async def test_workloads_that_are_refused(client, said, words):
    with pytest.raises(ConfigError, match=words):
        await read(trigger("kubernetes-workload", **said), client=client)


async def test_without_its_api_a_workload_is_no_zero(tmp_path):
    async with running_apiserver(tmp_path) as api:
        gone = KubeClient.from_kubeconfig(api.kubeconfig)
    async with gone:
        with pytest.raises(ScalerError, match="error inspecting kubernetes workload"):
            await read(
                trigger("kubernetes-workload", podSelector="app=web", value="1"), client=gone
            )


_VALUES = {
    "plain": "7.5",
    "whole": "12 jobs",
    "amount": "1500m",
    "json": '{"queue": [{"depth": 4}, {"depth": "2k"}], "on": true}',
    "yaml": "queue:\n  depth: '8'\n",
    "text": "many",
    "negative": "-2",
}


@pytest.mark.parametrize(
    ("said", "value"),
    [
        ({"key": "plain"}, 7.5),
        ({"key": "whole", "valueType": "int64"}, 12),
        ({"key": "amount", "valueType": "quantity"}, 1.5),
        ({"key": "json", "format": "json", "valueLocation": "queue.0.depth"}, 4),
        ({"key": "json", "format": "json", "valueLocation": "queue.1.depth"}, 2000),
        ({"key": "yaml", "format": "yaml", "valueLocation": "queue.depth"}, 8),
    ],
)
async def test_a_number_in_a_config_map_or_secret(client, said, value):
    metadata = {"name": "state", "namespace": "team"}
    await client.create(CONFIGMAPS, {"metadata": metadata, "data": _VALUES})
    encoded = {key: base64.b64encode(each.encode()).decode() for key, each in _VALUES.items()}
    await client.create(SECRETS, {"metadata": metadata, "data": encoded})
    for kind in ("ConfigMap", "Secret"):
        config = trigger(
            "kubernetes-resource", resourceKind=kind, resourceName="state", targetValue="5", **said
        )
        assert await read(config, client=client) == Reading(value, True)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"key": "none"}, "key none not found in ConfigMap team/state"),
        ({"key": "text"}, "error parsing value as float64"),
        ({"key": "text", "valueType": "quantity"}, "error parsing value as quantity"),
        ({"key": "negative"}, "the value read is -2"),
        (
            {"key": "json", "format": "json", "valueLocation": "on"},
            "must point to value of type nu",
        ),
        ({"key": "json", "format": "json", "valueLocation": "off"}, "path off not found in json"),
        ({"key": "yaml", "format": "yaml", "valueLocation": "off"}, "path off not found in yaml"),
        ({"key": "plain", "resourceName": "nothing"}, "not found"),
    ],
)
async def test_what_is_no_number_is_a_failure(client, said, words):
    await client.create(
        CONFIGMAPS, {"metadata": {"name": "state", "namespace": "team"}, "data": _VALUES}
    )
    base = {"resourceKind": "ConfigMap", "resourceName": "state", "targetValue": "5"}
    with pytest.raises(ScalerError, match=f"error getting metric value from ConfigMap: .*{words}"):
        await read(trigger("kubernetes-resource", **(base | said)), client=client)
