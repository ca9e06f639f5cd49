"""What a container is given: environment, ports, images, volumes, a place to run."""

from __future__ import annotations

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

import pytest

from hearth.cluster.node.images.store import ImageSpec
from hearth.cluster.node.runtime.processes.mounter import Mounter
from hearth.kube.resources import CONFIGMAPS, NODES, PODS, SECRETS

World = Any
Look = Any


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "default"},
        "data": data,
    }


def secret(name: str, **data: str) -> dict[str, Any]:
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": "default"},
        "data": encoded,
    }


async def environment(world: World, name: str) -> dict[str, str]:
    log = await world.until_log(name, "THE_END")
    lines = [line.split(" ", 3)[3] for line in log.splitlines()]
    return dict(line.split("=", 1) for line in lines if "=" in line)


async def test_environment(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEARTH_OWN_SECRET", "must not leak")
    await world.client.create(CONFIGMAPS, config_map("settings", color="red"))
    await world.client.create(SECRETS, secret("keys", token="s3cret"))
    container = {
        "envFrom": [{"configMapRef": {"name": "settings"}, "prefix": "CM_"}],
        "env": [
            {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "token"}}},
            {"name": "NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            {"name": "GREETING", "value": "hi $(NAME)"},
            {"name": "CPUS", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}},
            {"name": "PORT", "value": "8080"},
        ],
        "ports": [{"containerPort": 8080}],
        "args": ['env; echo "arg=$(GREETING)"; echo THE_END'],
    }
    await world.create("env", container=container)
    env = await environment(world, "env")
    assert env["CM_color"] == "red"
    assert env["TOKEN"] == "s3cret"
    assert env["GREETING"] == env["arg"] == "hi env"
    assert int(env["CPUS"]) >= 1
    assert env["HOSTNAME"] == "env"
    assert env["http_proxy"] == env["HTTP_PROXY"] == "http://127.0.0.1:9"
    assert "127.0.0.1" in env["no_proxy"] and ".localhost" in env["no_proxy"]
    assert "HEARTH_OWN_SECRET" not in env
    pod = await world.get("env")
    ports = json.loads(pod["metadata"]["annotations"]["hearth.dev/ports"])
    assert env["PORT"] == str(ports["8080"]) != "8080"


async def test_a_missing_config_map_is_waited_for(world: World, look: Look) -> None:
    container = {"envFrom": [{"configMapRef": {"name": "later"}}]}
    await world.create("waits", "echo color=$color; echo THE_END", container=container)
    pod = await world.until(
        "waits",
        lambda pod: "waiting" in look.state(pod) and "message" in look.state(pod)["waiting"],
    )
    assert look.state(pod)["waiting"] == {
        "reason": "CreateContainerConfigError",
        "message": 'configmap "later" not found',
    }
    await world.client.create(CONFIGMAPS, config_map("later", color="blue"))
    assert (await environment(world, "waits"))["color"] == "blue"


async def test_an_unknown_image_says_what_to_do_and_is_waited_for(world: World, look: Look) -> None:
    await world.create("stranger", container={"image": "my/app:1"}, restartPolicy="Always")
    pod = await world.until(
        "stranger", lambda pod: look.state(pod).get("waiting", {}).get("reason") == "ErrImagePull"
    )
    assert "hearth image add my/app:1 -- COMMAND" in look.state(pod)["waiting"]["message"]
    await world.until(
        "stranger",
        lambda pod: look.state(pod).get("waiting", {}).get("reason") == "ImagePullBackOff",
    )
    await world.until_event("stranger", "Failed")
    world.images.add("my/app:1", ImageSpec(entrypoint=("/bin/sh", "-c", "exec sleep 1000")))
    pod = await world.until("stranger", look.is_ready)
    assert pod["status"]["containerStatuses"][0]["imageID"].startswith("docker.io/my/app@sha256:")


@pytest.mark.parametrize(
    ("container", "reason"),
    [
        ({"image": "no/such", "imagePullPolicy": "Never"}, "ErrImageNeverPull"),
        ({"image": "Not A Name"}, "InvalidImageName"),
    ],
)
async def test_images_that_cannot_be(
    world: World, look: Look, container: dict[str, Any], reason: str
) -> None:
    await world.create("odd", container=container)
    await world.until(
        "odd",
        lambda pod: (
            look.state(pod).get("waiting", {}).get("reason") in (reason, "ImagePullBackOff")
        ),
    )


async def test_ports_differ_and_are_told(world: World, look: Look) -> None:
    """Two pods of one image serve side by side."""
    for name in ("one", "two"):
        hello = {
            "name": "main",
            "image": "hello",
            "env": [{"name": "TARGET", "value": name}],
            "ports": [{"containerPort": 8080}],
            "readinessProbe": {"httpGet": {"path": "/", "port": 8080}},
        }
        await world.client.create(PODS, world.pod(name, hello))
    for name in ("one", "two"):
        pod = await world.until(name, look.is_ready)
        port = json.loads(pod["metadata"]["annotations"]["hearth.dev/ports"])["8080"]
        reader, writer = await asyncio.open_connection(pod["status"]["podIP"], port)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answer = await reader.read()
        writer.close()
        assert answer.endswith(f"Hello {name}!\n".encode())


async def test_what_does_not_fit_waits(world: World, look: Look) -> None:
    await world.create("picky", "exit 0", nodeSelector={"disk": "ssd"})
    await world.create("greedy", container={"resources": {"requests": {"cpu": "100000"}}})
    for name, text in (("picky", "affinity/selector"), ("greedy", "Insufficient cpu")):
        pod = await world.until(name, lambda pod: (pod.get("status") or {}).get("conditions"))
        condition = pod["status"]["conditions"][0]
        assert (condition["type"], condition["status"]) == ("PodScheduled", "False")
        assert condition["reason"] == "Unschedulable"
        assert text in condition["message"]
        assert text in (await world.until_event(name, "FailedScheduling"))["message"]
    await world.client.patch(NODES, "node", None, {"metadata": {"labels": {"disk": "ssd"}}})
    await world.until("picky", lambda pod: look.phase(pod) == "Succeeded")
    await world.delete("greedy")
    await world.until_gone("greedy")


# -- volumes --------------------------------------------------------------------------------------


@pytest.fixture
async def mounts(tmp_path: Path) -> None:
    mounter = Mounter(tmp_path / "try")
    if not await mounter.is_possible():
        pytest.skip(f"this machine allows no mounts: {mounter.why_not}")


async def test_volumes_are_mounted(world: World, look: Look, mounts: None) -> None:
    await world.client.create(CONFIGMAPS, config_map("settings", **{"app.conf": "port=1"}))
    await world.client.create(SECRETS, secret("keys", token="s3cret"))
    container = {
        "volumeMounts": [
            {"name": "config", "mountPath": "/etc/hearth-test/app"},
            {"name": "keys", "mountPath": "/hearth-test-keys", "readOnly": True},
            {"name": "config", "mountPath": "/hearth-test.conf", "subPath": "app.conf"},
            {"name": "scratch", "mountPath": "/var/cache/hearth-test"},
        ],
        "args": [
            "cat /etc/hearth-test/app/app.conf; echo; cat /hearth-test-keys/token; echo; "
            "cat /hearth-test.conf; echo; echo x > /var/cache/hearth-test/f && echo wrote; "
            "echo x > /hearth-test-keys/f || echo refused; pwd"
        ],
        "workingDir": "/etc/hearth-test",
    }
    volumes = [
        {"name": "config", "configMap": {"name": "settings"}},
        {"name": "keys", "secret": {"secretName": "keys", "defaultMode": 0o400}},
        {"name": "scratch", "emptyDir": {}},
    ]
    await world.create("vols", container=container, volumes=volumes)
    await world.until("vols", lambda pod: look.phase(pod) in ("Succeeded", "Failed"))
    log = await world.until_log("vols", "/etc/hearth-test")
    out = [line.split(" ", 3)[3] for line in log.splitlines() if " stdout " in line]
    assert out == ["port=1", "s3cret", "port=1", "wrote", "refused", "/etc/hearth-test"]
    assert not Path("/etc/hearth-test").exists() and not Path("/hearth-test-keys").exists()


async def test_a_config_map_volume_follows_its_source(world: World) -> None:
    await world.client.create(CONFIGMAPS, config_map("live", value="one"))
    script = "while :; do echo seen $(cat $HEARTH_VOLUME_LIVE/value); sleep 0.05; done"
    await world.create("live", script, volumes=[{"name": "live", "configMap": {"name": "live"}}])
    await world.until_log("live", "seen one")
    await world.client.patch(CONFIGMAPS, "live", "default", {"data": {"value": "two"}})
    await world.until_log("live", "seen two")


async def test_a_volume_that_cannot_be_made(world: World, look: Look) -> None:
    await world.create("no-vol", volumes=[{"name": "v", "secret": {"secretName": "later"}}])
    event = await world.until_event("no-vol", "FailedMount")
    assert event["message"] == 'MountVolume.SetUp failed for volume "v" : secret "later" not found'
    pod = await world.get("no-vol")
    assert look.state(pod)["waiting"]["reason"] == "ContainerCreating"
    await world.client.create(SECRETS, secret("later"))
    await world.until("no-vol", lambda pod: look.phase(pod) == "Succeeded")


async def test_host_paths_are_refused(world: World) -> None:
    await world.create("host", volumes=[{"name": "v", "hostPath": {"path": "/"}}])
    assert "refused" in (await world.until_event("host", "FailedMount"))["message"]


async def test_a_service_account_token(world: World, look: Look, mounts: None) -> None:
    folder = "/var/run/secrets/kubernetes.io/serviceaccount"
    await world.create(
        "robot",
        f"cat {folder}/namespace; echo; head -c 3 {folder}/token",
        automountServiceAccountToken=True,
    )
    await world.until("robot", lambda pod: look.phase(pod) in ("Succeeded", "Failed"))
    log = await world.until_log("robot", "eyJ")
    assert "F default" in log
