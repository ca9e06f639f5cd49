"""ResourceQuota and LimitRange of the one-machine API server."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from hearth.cluster.apiserver.testing import running_apiserver
from hearth.cluster.controllers.main import ControllersConfig
from hearth.cluster.controllers.main import run as run_controllers
from hearth.kube.client import KubeClient
from hearth.kube.conditions import Conditions
from hearth.kube.errors import ApiError, Forbidden
from hearth.kube.resources import CONFIGMAPS, DEPLOYMENTS, JOBS, PODS, RESOURCEQUOTAS, Resource

Object = dict[str, Any]
LIMITS = Resource("", "v1", "limitranges", "LimitRange")
CLAIMS = Resource("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim")


def made(resource: Resource, name: str, spec: Object | None = None) -> Object:
    obj: Object = {"apiVersion": "v1", "kind": resource.kind, "metadata": {"name": name}}
    if resource.group:
        obj["apiVersion"] = f"{resource.group}/{resource.version}"
    obj["metadata"]["namespace"] = "default"
    return obj if spec is None else obj | {"spec": spec}


def pod(name: str, requests: Object | None = None, limits: Object | None = None) -> Object:
    resources = {"requests": requests or {}, "limits": limits or {}}
    container = {"name": "c", "image": "app", "resources": resources}
    return made(PODS, name, {"containers": [container]})


def quota(name: str = "q", scopes: list[str] | None = None, **hard: str) -> Object:
    spec: Object = {"hard": {key.replace("_", "."): text for key, text in hard.items()}}
    return made(RESOURCEQUOTAS, name, spec | ({"scopes": scopes} if scopes else {}))


@contextlib.asynccontextmanager
async def running(folder: Path) -> AsyncIterator[KubeClient]:
    async with (
        running_apiserver(folder) as server,
        KubeClient.from_kubeconfig(server.kubeconfig) as client,
    ):
        yield client


async def refusal(client: KubeClient, resource: Resource, obj: Object) -> str:
    with pytest.raises(ApiError) as caught:
        await client.create(resource, obj)
    return caught.value.message


async def used(client: KubeClient, expected: Object, name: str = "q") -> None:
    """Returns once the status tells this."""
    seen: Object = {}
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(10):
            while seen != expected:
                await asyncio.sleep(0.002)
                seen = (
                    (await client.get(RESOURCEQUOTAS, name, "default"))
                    .get("status", {})
                    .get("used", {})
                )
    assert seen == expected


async def test_pods_stay_within_their_quota(tmp_path: Path) -> None:
    async with running(tmp_path) as client:
        await client.create(RESOURCEQUOTAS, quota(pods="2", requests_memory="1Gi", limits_cpu="2"))
        good = {"memory": "600Mi"}, {"memory": "600Mi", "cpu": "500m"}
        await client.create(PODS, pod("a", *good))
        assert await refusal(client, PODS, pod("b", *good)) == (
            'pods "b" is forbidden: exceeded quota: q, requested: requests.memory=600Mi, '
            "used: requests.memory=600Mi, limited: requests.memory=1Gi"
        )
        assert await refusal(client, PODS, pod("b")) == (
            'pods "b" is forbidden: failed quota: q: must specify limits.cpu for: c; '
            "requests.memory for: c"
        )
        await used(client, {"limits.cpu": "500m", "pods": "1", "requests.memory": "600Mi"})
        await client.delete(PODS, "a", "default")
        await client.create(PODS, pod("b", *good))
        await used(client, {"limits.cpu": "500m", "pods": "1", "requests.memory": "600Mi"})
        await client.delete(PODS, "b", "default")
        await used(client, {"limits.cpu": "0", "pods": "0", "requests.memory": "0"})
    async with running(tmp_path) as client:
        await client.create(PODS, pod("a", *good))
        await used(client, {"limits.cpu": "500m", "pods": "1", "requests.memory": "600Mi"})


async def test_creates_at_the_same_time_take_no_more_than_there_is(tmp_path: Path) -> None:
    async with running(tmp_path) as client:
        await client.create(RESOURCEQUOTAS, quota(pods="7"))
        unnamed = [pod("") for _ in range(40)]
        for each in unnamed:
            del each["metadata"]["name"]
            each["metadata"]["generateName"] = "p-"
        results = await asyncio.gather(
            *(client.create(PODS, each) for each in unnamed), return_exceptions=True
        )
        refused = [each for each in results if isinstance(each, ApiError)]
        pods, _ = await client.list(PODS, "default")
        assert (len(pods), len(refused)) == (7, 33)
        assert all(isinstance(each, Forbidden) for each in refused)
        await used(client, {"pods": "7"})


async def test_what_failed_or_was_only_tried_holds_nothing(tmp_path: Path) -> None:
    async with running(tmp_path) as client:
        await client.create(RESOURCEQUOTAS, quota(pods="2"))
        await client.create(PODS, pod("a"))
        assert "already exists" in await refusal(client, PODS, pod("a"))
        await client.create(PODS, pod("b"), dry_run=True)
        await client.create(PODS, pod("b"))
        assert "exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2" in (
            await refusal(client, PODS, pod("c"))
        )


async def test_a_quota_counts_what_was_there_before_it(tmp_path: Path) -> None:
    async with running(tmp_path) as client:
        await client.create(PODS, pod("a"))
        hard = {"pods": "1", "count/configmaps": "2", "count/deployments.apps": "0"}
        await client.create(RESOURCEQUOTAS, made(RESOURCEQUOTAS, "q", {"hard": hard}))
        assert "used: pods=1" in await refusal(client, PODS, pod("b"))
        await client.create(CONFIGMAPS, made(CONFIGMAPS, "one"))
        assert await refusal(client, CONFIGMAPS, made(CONFIGMAPS, "two")) == (
            'configmaps "two" is forbidden: exceeded quota: q, requested: '
            "count/configmaps=1, used: count/configmaps=2, limited: count/configmaps=2"
        )
        labels = {"app": "x"}
        template = {"metadata": {"labels": labels}, "spec": pod("x")["spec"]}
        spec = {"selector": {"matchLabels": labels}, "template": template}
        assert 'deployments.apps "d" is forbidden: exceeded quota: q' in (
            await refusal(client, DEPLOYMENTS, made(DEPLOYMENTS, "d", spec))
        )
        await client.delete(RESOURCEQUOTAS, "q", "default")
        await client.create(PODS, pod("b"))


async def test_a_quota_may_be_about_some_pods(tmp_path: Path) -> None:
    async with running(tmp_path) as client:
        await client.create(RESOURCEQUOTAS, quota("best", ["BestEffort"], pods="0"))
        await client.create(RESOURCEQUOTAS, quota("timed", ["Terminating"], pods="0"))
        await client.create(PODS, pod("a", {"cpu": "1m"}))
        assert "exceeded quota: best" in await refusal(client, PODS, pod("b"))
        with_deadline = pod("c", {"cpu": "1m"})
        with_deadline["spec"]["activeDeadlineSeconds"] = 60
        assert "exceeded quota: timed" in await refusal(client, PODS, with_deadline)
        with pytest.raises(ApiError, match="exceeded quota: timed"):
            await client.patch(PODS, "a", "default", {"spec": {"activeDeadlineSeconds": 5}})


async def test_a_namespace_gives_its_pods_defaults_and_bounds(tmp_path: Path) -> None:
    item = {"type": "Container", "default": {"cpu": "200m"}, "defaultRequest": {"cpu": "100m"}}
    item |= {"max": {"cpu": "1"}, "min": {"cpu": "50m"}}
    claims = {"type": "PersistentVolumeClaim", "max": {"storage": "1Gi"}}
    async with running(tmp_path) as client:
        await client.create(LIMITS, made(LIMITS, "l", {"limits": [item, claims]}))
        found = await client.create(PODS, pod("a"))
        assert found["spec"]["containers"][0]["resources"] == {
            "limits": {"cpu": "200m"},
            "requests": {"cpu": "100m"},
        }
        assert found["metadata"]["annotations"]["kubernetes.io/limit-ranger"] == (
            "LimitRanger plugin set: cpu request for container c; cpu limit for container c"
        )
        assert found["status"]["qosClass"] == "Burstable"
        assert await refusal(client, PODS, pod("b", {"cpu": "10m"}, {"cpu": "2"})) == (
            'pods "b" is forbidden: [minimum cpu usage per Container is 50m, but request is '
            "10m, maximum cpu usage per Container is 1, but limit is 2]"
        )
        asked = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "2Gi"}}}
        assert await refusal(client, CLAIMS, made(CLAIMS, "v", asked)) == (
            'persistentvolumeclaims "v" is forbidden: maximum storage usage per '
            "PersistentVolumeClaim is 1Gi, but request is 2Gi"
        )


async def test_what_waits_for_room_goes_on_when_there_is_some(tmp_path: Path) -> None:
    labels = {"app": "x"}
    template = {"metadata": {"labels": labels}, "spec": pod("x")["spec"]}
    spec = {"selector": {"matchLabels": labels}, "template": template, "replicas": 3}
    async with running_apiserver(tmp_path) as server:
        config = ControllersConfig(server.kubeconfig)
        controllers = asyncio.create_task(run_controllers(config, lambda: None))
        async with KubeClient.from_kubeconfig(server.kubeconfig) as client:
            await client.create(RESOURCEQUOTAS, quota(pods="1"))
            await client.create(DEPLOYMENTS, made(DEPLOYMENTS, "d", spec))
            await used(client, {"pods": "1"})
            once = {**template["spec"], "restartPolicy": "Never"}
            job = made(JOBS, "j", {"template": {"metadata": {}, "spec": once}})
            await client.create(JOBS, job)
            message = ""
            while (
                "exceeded quota: q, requested: pods=1, used: pods=1, limited: pods=1" not in message
            ):
                await asyncio.sleep(0.01)
                found = Conditions.of(await client.get(DEPLOYMENTS, "d", "default"))
                message = found.message("ReplicaFailure") if found.get("ReplicaFailure") else ""
            raised = {"spec": {"hard": {"pods": "4"}}}
            await client.patch(RESOURCEQUOTAS, "q", "default", raised)
            await used(client, {"pods": "4"})
        controllers.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await controllers


async def test_nonsense_is_refused(tmp_path: Path) -> None:
    async with running(tmp_path) as client:
        message = await refusal(client, RESOURCEQUOTAS, quota(nonsense="1"))
        assert 'spec.hard[nonsense]: Invalid value: "nonsense": must be a standard' in message
        message = await refusal(client, RESOURCEQUOTAS, quota("q", ["BestEffort"], limits_cpu="1"))
        assert "unsupported scope applied to resource" in message
        item = {"type": "Container", "max": {"cpu": "1"}, "min": {"cpu": "2"}}
        message = await refusal(client, LIMITS, made(LIMITS, "l", {"limits": [item]}))
        assert "min value 2 is greater than max value 1" in message
