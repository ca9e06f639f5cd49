"""One host, two that ask for it: the later one waits, and gets the host when the owner goes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from hearth.cluster.apiserver.testing import running_apiserver
from hearth.knative.resources import DOMAINMAPPINGS, KINGRESSES
from hearth.kube.client import KubeClient
from hearth.kube.errors import NotFound
from hearth.kube.meta import Object
from hearth.kube.resources import CONFIGMAPS, SERVICES
from serving.main import ServingConfig, run

HOST = "app.example.org"


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[KubeClient]:
    """A client of a control plane that is ready and makes claims by itself."""
    async with (
        running_apiserver(tmp_path) as server,
        KubeClient.from_kubeconfig(server.kubeconfig, user_agent="test") as client,
    ):
        ready = asyncio.Event()
        task = asyncio.create_task(run(ServingConfig(server.kubeconfig), ready.set))
        try:
            async with asyncio.timeout(60):
                await ready.wait()
            data = {"data": {"autocreate-cluster-domain-claims": "true"}}
            await client.patch(CONFIGMAPS, "config-network", "knative-serving", data)
            yield client
        finally:
            task.cancel()
            await asyncio.wait({task})


def an_ingress(name: str) -> Object:
    split = {
        "serviceName": "hello",
        "serviceNamespace": "default",
        "servicePort": 80,
        "percent": 100,
    }
    rule = {
        "hosts": [HOST],
        "visibility": "ExternalIP",
        "http": {"paths": [{"splits": [split]}]},
    }
    return {
        "apiVersion": KINGRESSES.api_version,
        "kind": KINGRESSES.kind,
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"httpOption": "Enabled", "rules": [rule]},
    }


async def eventually(client: KubeClient, check: Callable[[dict[str, Any]], bool]) -> None:
    """Wait until the mapping's IngressReady condition is as it should be."""
    async with asyncio.timeout(60):
        while True:
            mapping = await client.get(DOMAINMAPPINGS, HOST, "default")
            conditions = (mapping.get("status") or {}).get("conditions") or ()
            ready = next((c for c in conditions if c["type"] == "IngressReady"), None)
            if ready is not None and check(ready):
                return
            await asyncio.sleep(0.01)


async def test_a_mapping_waits_for_the_host_of_an_older_ingress(client: KubeClient) -> None:
    await client.create(KINGRESSES, an_ingress("first"))
    service: Object = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "hello", "namespace": "default"},
        "spec": {"ports": [{"port": 80}]},
    }
    await client.create(SERVICES, service)
    reference = {"apiVersion": "v1", "kind": "Service", "name": "hello"}
    mapping = {
        "apiVersion": DOMAINMAPPINGS.api_version,
        "kind": DOMAINMAPPINGS.kind,
        "metadata": {"name": HOST, "namespace": "default"},
        "spec": {"ref": reference},
    }
    # Creation is told in whole seconds; within one the name decides, and "app" is before "first".
    await _next_second(client)
    await client.create(DOMAINMAPPINGS, mapping)
    await eventually(client, lambda ready: ready.get("reason") == "DomainConflict")
    with pytest.raises(NotFound):
        await client.get(KINGRESSES, HOST, "default")
    await client.delete(KINGRESSES, "first", "default")
    await eventually(client, lambda ready: ready.get("reason") == "IngressNotConfigured")
    ingress = await _own_ingress(client)
    assert ingress["spec"]["rules"][0]["hosts"] == [HOST]


async def _own_ingress(client: KubeClient) -> Object:
    """The mapping's KIngress, which is written beside its status."""
    async with asyncio.timeout(60):
        while True:
            with contextlib.suppress(NotFound):
                return await client.get(KINGRESSES, HOST, "default")
            await asyncio.sleep(0.01)


async def _next_second(client: KubeClient) -> None:
    """Wait until the server's clock shows another second than that of the first object."""
    first = await client.get(KINGRESSES, "first", "default")
    async with asyncio.timeout(60):
        while True:
            probe = {"metadata": {"generateName": "clock-", "namespace": "default"}}
            made = await client.create(CONFIGMAPS, probe, dry_run=True)
            if made["metadata"]["creationTimestamp"] != first["metadata"]["creationTimestamp"]:
                return
            await asyncio.sleep(0.02)
