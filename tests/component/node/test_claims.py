"""Claims of pods: controllers and node together."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from hearth.cluster.controllers.main import ControllersConfig
from hearth.cluster.controllers.main import run as run_controllers
from hearth.kube.resources import PERSISTENTVOLUMECLAIMS, PERSISTENTVOLUMES, PODS

Cluster = Any
Look = Any
Object = dict[str, Any]


@pytest.fixture
async def controllers(cluster: Cluster) -> AsyncIterator[None]:
    config = ControllersConfig(cluster.server.kubeconfig)
    running = asyncio.create_task(run_controllers(config, lambda: None))
    yield
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running


def a_claim(name: str) -> Object:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    metadata = {"name": name, "namespace": "default"}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": metadata,
        "spec": spec,
    }


def mounting(cluster: Cluster, name: str, claim: str, script: str) -> Object:
    main = {"name": "main", "image": "sh", "args": [script]}
    volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": claim}}]
    return {**cluster.pod(name, main, volumes=volumes)}


async def until_phase(cluster: Cluster, name: str, phase: str) -> Object:
    async with asyncio.timeout(60):
        while True:
            claim: Object = await cluster.client.get(PERSISTENTVOLUMECLAIMS, name, "default")
            if claim["status"].get("phase") == phase:
                return claim
            await asyncio.sleep(0.01)


async def test_a_claim_is_bound_once_a_pod_mounts_it(
    cluster: Cluster, look: Look, controllers: None
) -> None:
    for name in ("used", "unused"):
        await cluster.client.create(PERSISTENTVOLUMECLAIMS, a_claim(name))
    pod = mounting(cluster, "writer", "used", "echo kept > $HEARTH_VOLUME_DATA/file")
    await cluster.client.create(PODS, pod)
    claim = await until_phase(cluster, "used", "Bound")
    assert claim["status"]["capacity"] == {"storage": "1Gi"}
    assert claim["status"]["accessModes"] == ["ReadWriteOnce"]
    volume = await cluster.client.get(PERSISTENTVOLUMES, claim["spec"]["volumeName"])
    assert volume["spec"]["claimRef"]["name"] == "used"
    assert (await until_phase(cluster, "unused", "Pending"))["spec"].get("volumeName") is None
    await cluster.until("writer", lambda pod: look.phase(pod) == "Succeeded")
    await cluster.delete("writer")
    await cluster.until_gone("writer")
    pod = mounting(cluster, "reader", "used", "cat $HEARTH_VOLUME_DATA/file")
    await cluster.client.create(PODS, pod)
    await cluster.until_log("reader", "kept")
    await cluster.client.delete(PERSISTENTVOLUMECLAIMS, "used", "default")
    async with asyncio.timeout(60):
        while volume["status"]["phase"] != "Released":
            volume = await cluster.client.get(PERSISTENTVOLUMES, volume["metadata"]["name"])
            await asyncio.sleep(0.01)
