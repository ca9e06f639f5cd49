"""Pods in containers of a real Podman beside pods in processes."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import shlex
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from hearth.cli.engineimages import EnginePlace
from hearth.cluster.node.main import NodeConfig, node_id_of
from hearth.cluster.node.runtime.engine.maker import NODE_LABEL
from hearth.cluster.node.runtime.engine.sockets import Found
from hearth.cluster.node.runtime.engine.used import USED_IMAGES
from hearth.cluster.node.runtime.podnets.podnets import PodNets
from hearth.kube.resources import CONFIGMAPS, PODS, SECRETS
from tests.component.node.engines import Podman
from tests.images import PASSWORD, USER, Registry

Cluster = Any
Look = Any
Object = dict[str, Any]
Runner = Callable[..., contextlib.AbstractAsyncContextManager[None]]


@pytest.fixture
def config(bare_cluster: Cluster, podman_engine: Podman) -> NodeConfig:
    return NodeConfig(
        kubeconfig=bare_cluster.server.kubeconfig,
        data_dir=bare_cluster.data_dir,
        node_name="node",
        engine=Found("podman", str(podman_engine.socket), is_root=True),
        stop_grace_seconds=0.5,
        termination_delay=0.01,
    )


@pytest.fixture
async def cluster(
    bare_cluster: Cluster, config: NodeConfig, node_runner: Runner
) -> AsyncIterator[Cluster]:
    async with node_runner(config):
        yield bare_cluster
    assert_nothing_left(config)


def assert_nothing_left(config: NodeConfig) -> None:
    """No namespace, no bridge, nothing mounted."""
    nets = PodNets(node_id_of(config.data_dir))
    assert nets.bridge not in [name for _, name in socket.if_nameindex()]
    assert str(nets.folder) not in Path("/proc/self/mounts").read_text()
    assert not nets.folder.exists()


def app(*words: str, **fields: Any) -> Object:
    return {"name": "main", "image": "app:1", "args": list(words), **fields}


def first(pod: Object) -> Object:
    statuses: list[Object] = (pod.get("status") or {}).get("containerStatuses") or [{}]
    return statuses[0]


async def ask(pod: Object, path: str = "/") -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
        return await client.get(f"http://{pod['status']['podIP']}:8080{path}")


async def until_answer(pod: Object, path: str = "/") -> Object:
    async with asyncio.timeout(60):
        while True:
            with contextlib.suppress(httpx.TransportError):
                answer: Object = (await ask(pod, path)).json()
                return answer
            await asyncio.sleep(0.01)


async def test_processes_and_containers_side_by_side(
    cluster: Cluster, look: Look, podman_engine: Podman
) -> None:
    await cluster.create("process", "sleep 100")
    ports = [{"containerPort": 8080}]
    await cluster.client.create(PODS, cluster.pod("container", app("serve", ports=ports)))
    process = await cluster.until("process", look.is_ready)
    container = await cluster.until("container", look.is_ready)
    assert first(process)["containerID"].startswith("hearth://")
    assert first(container)["containerID"].startswith("podman://")
    assert container["status"]["podIP"].startswith("10.")
    told = await until_answer(container)
    assert (told["pid"], told["uid"], told["hostname"]) == (1, 0, "container")
    identity = first(container)["containerID"].removeprefix("podman://")
    await cluster.delete("container")
    await cluster.until_gone("container")
    async with asyncio.timeout(60):
        while identity in podman_engine.run("ps", "-aq", "--no-trunc"):
            await asyncio.sleep(0.05)


async def test_what_a_container_may(cluster: Cluster, look: Look) -> None:
    rights = {
        "runAsUser": 1234,
        "runAsGroup": 2345,
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }
    mounts = [{"name": "data", "mountPath": "/data"}, {"name": "settings", "mountPath": "/etc/s"}]
    volumes = [
        {"name": "data", "emptyDir": {}},
        {"name": "settings", "configMap": {"name": "settings"}},
    ]
    metadata = {"name": "settings", "namespace": "default"}
    await cluster.client.create(
        CONFIGMAPS,
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"a": "b"}},
    )
    main = app("serve", ports=[{"containerPort": 8080}], volumeMounts=mounts)
    main["securityContext"] = rights
    await cluster.client.create(PODS, cluster.pod("bound", main, volumes=volumes))
    pod = await cluster.until("bound", look.is_ready)
    told = await until_answer(pod)
    assert (told["uid"], told["gid"], told["no_new_privs"]) == (1234, 2345, 1)
    assert (await ask(pod, "/read?/etc/s/a")).text == "b"
    assert (await ask(pod, "/write?/data/x")).text == "ok"
    assert (await ask(pod, "/write?/elsewhere")).text == "error: Read-only file system"


async def test_a_memory_hog_ends_alone(cluster: Cluster, look: Look) -> None:
    await cluster.client.create(PODS, cluster.pod("good", app("forever")))
    await cluster.until("good", look.is_ready)
    hog = app("hog", "200", resources={"limits": {"memory": "32Mi"}})
    await cluster.client.create(PODS, cluster.pod("hog", hog))
    pod = await cluster.until("hog", lambda pod: look.phase(pod) == "Failed")
    ended = first(pod)["state"]["terminated"]
    assert (ended["exitCode"], ended["reason"]) == (137, "OOMKilled")
    assert look.is_ready(await cluster.get("good"))


async def test_words_at_the_end(cluster: Cluster, look: Look) -> None:
    await cluster.client.create(PODS, cluster.pod("last", app("message", "farewell")))
    pod = await cluster.until("last", lambda pod: look.phase(pod) == "Failed")
    assert first(pod)["state"]["terminated"]["message"] == "farewell"


async def test_init_containers_and_a_second_one(cluster: Cluster, look: Look) -> None:
    """All see one network: what one serves is there for the other."""
    init = app("exit", "0") | {"name": "init"}
    other = app("forever") | {"name": "other"}
    main = app("serve", ports=[{"containerPort": 8080}])
    await cluster.client.create(PODS, cluster.pod("many", main, other, initContainers=[init]))
    pod = await cluster.until("many", look.is_ready)
    assert (await until_answer(pod))["pid"] == 1
    ids = [status["containerID"] for status in pod["status"]["containerStatuses"]]
    assert len(set(ids)) == 2


@pytest.mark.parametrize(
    ("fields", "reason", "message"),
    [
        ({"image": "Bad:name:x"}, "InvalidImageName", "invalid reference format"),
        ({"image": "none:1", "imagePullPolicy": "Never"}, "ErrImageNeverPull", "policy of Never"),
        (
            {"securityContext": {"runAsNonRoot": True}},
            "CreateContainerConfigError",
            "image will run as root",
        ),
        (
            {"securityContext": {"privileged": True}},
            "CreateContainerConfigError",
            "privileged is refused",
        ),
    ],
)
async def test_what_cannot_be_made_says_why(
    cluster: Cluster, fields: Object, reason: str, message: str
) -> None:
    await cluster.client.create(PODS, cluster.pod("bad", app("forever") | fields))
    pod = await cluster.until("bad", lambda pod: "waiting" in first(pod).get("state", {}))
    pod = await cluster.until("bad", lambda pod: reason == _waiting(pod).get("reason"))
    assert message in _waiting(pod)["message"]


def _waiting(pod: Object) -> Object:
    waiting: Object = first(pod).get("state", {}).get("waiting", {})
    return waiting


async def test_a_pull_from_a_registry(
    cluster: Cluster, look: Look, image_registry: Registry, podman_engine: Podman
) -> None:
    image = f"{image_registry.host}/app:1"
    await cluster.client.create(PODS, cluster.pod("pulled", app("forever", image=image)))
    pod = await cluster.until("pulled", look.is_ready)
    assert first(pod)["imageID"].startswith(f"{image_registry.host}/app@sha256:")
    assert (await cluster.until_event("pulled", "Pulling"))["message"] == f'Pulling image "{image}"'
    told = (await cluster.until_event("pulled", "Pulled"))["message"]
    assert told.startswith(f'Successfully pulled image "{image}" in ')
    missing = app("forever", image=f"{image_registry.host}/none:1")
    await cluster.client.create(PODS, cluster.pod("unknown", missing))
    pod = await cluster.until("unknown", lambda pod: "ErrImagePull" in str(_waiting(pod)))
    assert "manifest unknown" in _waiting(pod)["message"]
    place = EnginePlace("podman", podman_engine.socket, cluster.data_dir / USED_IMAGES)
    async with asyncio.timeout(60):  # it is noted beside the start
        while not [i for i in await place.images() if i.name == image and i.used_at]:
            await asyncio.sleep(0.01)


async def test_a_registry_with_a_password(
    cluster: Cluster, look: Look, locked_registry: Registry
) -> None:
    image = f"{locked_registry.host}/app:1"
    await cluster.client.create(PODS, cluster.pod("stranger", app("forever", image=image)))
    pod = await cluster.until("stranger", lambda pod: "ErrImagePull" in str(_waiting(pod)))
    assert "auth" in _waiting(pod)["message"]
    login = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    config = json.dumps({"auths": {locked_registry.host: {"auth": login}}}).encode()
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "login", "namespace": "default"},
        "type": "kubernetes.io/dockerconfigjson",
        "data": {".dockerconfigjson": base64.b64encode(config).decode()},
    }
    await cluster.client.create(SECRETS, secret)
    pod = cluster.pod("friend", app("forever", image=image), imagePullSecrets=[{"name": "login"}])
    await cluster.client.create(PODS, pod)
    assert look.is_ready(await cluster.until("friend", look.is_ready))


async def test_containers_outlive_a_killed_node(
    bare_cluster: Cluster, config: NodeConfig, look: Look, podman_engine: Podman
) -> None:
    """What runs is adopted, what belongs to no pod is removed, and of both nothing is lost."""
    script = Path(__file__).with_name("node_process.py")
    words = (script, config.kubeconfig, config.data_dir, podman_engine.socket)

    async def start() -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(sys.executable, *map(str, words))

    node = await start()
    await bare_cluster.client.create(PODS, bare_cluster.pod("stays", app("forever")))
    await bare_cluster.client.create(PODS, bare_cluster.pod("goes", app("forever")))
    before = await bare_cluster.until("stays", look.is_ready)
    await bare_cluster.until("goes", look.is_ready)
    node.send_signal(signal.SIGKILL)
    await node.wait()
    await bare_cluster.delete("goes", grace_period_seconds=0)
    node = await start()
    try:
        label = f"label={NODE_LABEL}"
        async with asyncio.timeout(60):
            while len(podman_engine.run("ps", "-q", "--filter", label).split()) != 1:
                await asyncio.sleep(0.05)
        after = await bare_cluster.get("stays")
        assert first(after)["containerID"] == first(before)["containerID"]
        assert first(after)["restartCount"] == 0
    finally:
        node.send_signal(signal.SIGTERM)
        await node.wait()
    assert podman_engine.run("ps", "-aq", "--filter", label) == ""
    assert_nothing_left(config)


async def test_an_engine_that_dies_ends_no_pod(
    bare_cluster: Cluster,
    config: NodeConfig,
    node_runner: Runner,
    look: Look,
    podman_engine: Podman,
    tmp_path: Path,
) -> None:
    """Podman is only a command here: the node serves its API by a child, and serves it again."""
    command = tmp_path / "podman"
    words = shlex.join(podman_engine.command)
    pids = tmp_path / "pids"
    command.write_text(f'#!/bin/sh\necho $$ >> {pids}\nexec {words} "$@"\n')
    command.chmod(0o755)
    by_command = replace(config, engine=Found("podman", command=str(command), is_root=True))
    async with node_runner(by_command):
        await bare_cluster.client.create(PODS, bare_cluster.pod("before", app("forever")))
        pod = await bare_cluster.until("before", look.is_ready)
        os.kill(int(pids.read_text().split()[0]), signal.SIGKILL)
        await bare_cluster.client.create(PODS, bare_cluster.pod("after", app("forever")))
        await bare_cluster.until("after", look.is_ready)
        still = await bare_cluster.get("before")
        assert first(still)["containerID"] == first(pod)["containerID"]
        assert first(still)["restartCount"] == 0 and look.is_ready(still)
        assert len(pids.read_text().split()) == 2
    assert_nothing_left(config)


async def test_an_engine_that_is_not_there_is_told(
    bare_cluster: Cluster, config: NodeConfig, node_runner: Runner, look: Look
) -> None:
    """Pods that need it wait and say why; a process is not held up by it."""
    away = replace(config, engine=Found("podman", "/nowhere/podman.sock", is_root=True))
    async with node_runner(away):
        await bare_cluster.client.create(PODS, bare_cluster.pod("container", app("forever")))
        told = await bare_cluster.until_event("container", "FailedCreatePodSandBox")
        assert "the container engine does not answer" in told["message"]
        await bare_cluster.create("process", "sleep 100")
        await bare_cluster.until("process", look.is_ready)


async def test_a_fork_bomb_ends_in_its_container(cluster: Cluster, look: Look) -> None:
    await cluster.client.create(PODS, cluster.pod("bomb", app("fork", "100000")))
    pod = await cluster.until("bomb", lambda pod: look.phase(pod) == "Failed")
    assert first(pod)["state"]["terminated"]["exitCode"] == 11


async def test_who_ignores_sigterm_goes_with_its_grace(cluster: Cluster, look: Look) -> None:
    await cluster.client.create(PODS, cluster.pod("deaf", app("deaf")))
    await cluster.until("deaf", look.is_ready)
    await cluster.until_log("deaf", "deaf")
    await cluster.delete("deaf")
    await cluster.until_gone("deaf")
