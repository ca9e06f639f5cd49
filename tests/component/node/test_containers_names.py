"""What a container of a real Podman finds: names, the API server, volumes that change."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import httpx
import pytest

from hearth.cluster.node.main import NodeConfig
from hearth.cluster.node.runtime.engine.sockets import Found
from hearth.kube.resources import CONFIGMAPS, PODS
from tests.component.node.engines import Podman

Cluster = Any
Look = Any
Runner = Callable[..., AbstractAsyncContextManager[None]]
BROKER = "http://broker-ingress.knative-eventing.svc.cluster.local"


@pytest.fixture
async def cluster(
    bare_cluster: Cluster, podman_engine: Podman, node_runner: Runner
) -> AsyncIterator[Cluster]:
    config = NodeConfig(
        kubeconfig=bare_cluster.server.kubeconfig,
        data_dir=bare_cluster.data_dir,
        node_name="node",
        inside={"http://127.0.0.1:8090": BROKER},
        engine=Found("podman", str(podman_engine.socket), is_root=True),
        stop_grace_seconds=0.5,
        termination_delay=0.01,
    )
    async with node_runner(config):
        yield bare_cluster


async def served(cluster: Cluster, look: Look, **fields: Any) -> Callable[[str], Any]:
    """A pod named ``web`` that serves; the function asks it."""
    spec = {"hostname": "first", "hostAliases": [{"ip": "192.0.2.9", "hostnames": ["db"]}]}
    main = {"name": "main", "image": "app:1", "args": ["serve"], **fields.pop("container", {})}
    main["ports"] = [{"containerPort": 8080}]
    await cluster.client.create(PODS, cluster.pod("web", main, **spec, **fields))
    pod = await cluster.until("web", look.is_ready)

    async def ask(path: str) -> str:
        transport = httpx.AsyncHTTPTransport(retries=5)  # it has just been started
        async with httpx.AsyncClient(trust_env=False, transport=transport, timeout=60) as client:
            return (await client.get(f"http://{pod['status']['podIP']}:8080{path}")).text

    return ask


async def test_a_container_finds_the_cluster(cluster: Cluster, look: Look) -> None:
    env = [
        {"name": "K_SINK", "value": "http://127.0.0.1:8090/default/broker"},
        {"name": "HOST", "valueFrom": {"fieldRef": {"fieldPath": "status.hostIP"}}},
    ]
    ask = await served(cluster, look, container={"env": env})
    resolver = await ask("/read?/etc/resolv.conf")
    assert resolver.startswith("nameserver 10.96.0.10\nsearch default.svc.cluster.local svc.")
    hosts = await ask("/read?/etc/hosts")
    assert "\tfirst\n" in hosts and "192.0.2.9\tdb\n" in hosts
    told = await ask("/")
    assert f"{BROKER}/default/broker" in told and "http_proxy" not in told
    assert "10.96.0.1" in told
    assert await ask("/connect?10.96.0.1:443") == "ok"
    assert await ask("/connect?10.96.0.10:53") == "ok"


async def test_a_container_sees_settings_change(cluster: Cluster, look: Look) -> None:
    settings = {
        "metadata": {"name": "settings", "namespace": "default"},
        "data": {"colour": "blue"},
    }
    await cluster.client.create(CONFIGMAPS, settings)
    mounts = [
        {"name": "settings", "mountPath": "/etc/settings"},
        {"name": "memory", "mountPath": "/cache"},
        {"name": "memory", "mountPath": "/part", "subPath": "a/b"},
    ]
    volumes = [
        {"name": "settings", "configMap": {"name": "settings"}},
        {"name": "memory", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}},
    ]
    rights = {"runAsUser": 1234, "allowPrivilegeEscalation": False}
    ask = await served(
        cluster,
        look,
        container={"volumeMounts": mounts, "securityContext": rights},
        volumes=volumes,
    )
    assert await ask("/read?/etc/settings/colour") == "blue"
    assert await ask("/write?/etc/settings/colour") != "ok"
    assert await ask("/write?/cache/file") == "ok"
    assert await ask("/write?/part/file") == "ok"
    assert (await ask("/read?/cache/a/b/file")) != ""
    await cluster.client.apply(
        CONFIGMAPS,
        {"apiVersion": "v1", "kind": "ConfigMap", **settings, "data": {"colour": "red"}},
        field_manager="test",
        force=True,
    )
    async with asyncio.timeout(60):
        while await ask("/read?/etc/settings/colour") != "red":
            await asyncio.sleep(0.05)
