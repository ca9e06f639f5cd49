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

Cluster = Any
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


async def environment(cluster: Cluster, name: str) -> dict[str, str]:
    log = await cluster.until_log(name, "THE_END")
    lines = [line.split(" ", 3)[3] for line in log.splitlines()]
    return dict(line.split("=", 1) for line in lines if "=" in line)


async def test_environment(cluster: Cluster, look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEARTH_OWN_SECRET", "must not leak")
    await cluster.client.create(CONFIGMAPS, config_map("settings", color="red"))
    await cluster.client.create(SECRETS, secret("keys", token="s3cret"))
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
    await cluster.create("env", container=container)
    env = await environment(cluster, "env")
    assert env["CM_color"] == "red"
    assert env["TOKEN"] == "s3cret"
    assert env["GREETING"] == env["arg"] == "hi env"
    assert int(env["CPUS"]) >= 1
    assert env["HOSTNAME"] == "env"
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY"):
        assert env[name] == "http://default:pod@127.0.0.1:9"
    assert "127.0.0.1" in env["no_proxy"] and ".localhost" in env["no_proxy"]
    assert "HEARTH_OWN_SECRET" not in env
    # The program may have printed before the node has written a word about the pod.
    pod = await cluster.until("env", lambda pod: look.phase(pod) == "Succeeded")
    ports = json.loads(pod["metadata"]["annotations"]["hearth.dev/ports"])
    assert env["PORT"] == str(ports["8080"]) != "8080"


async def test_a_missing_config_map_is_waited_for(cluster: Cluster, look: Look) -> None:
    container = {"envFrom": [{"configMapRef": {"name": "later"}}]}
    await cluster.create("waits", "echo color=$color; echo THE_END", container=container)
    pod = await cluster.until(
        "waits",
        lambda pod: "waiting" in look.state(pod) and "message" in look.state(pod)["waiting"],
    )
    assert look.state(pod)["waiting"] == {
        "reason": "CreateContainerConfigError",
        "message": 'configmap "later" not found',
    }
    await cluster.client.create(CONFIGMAPS, config_map("later", color="blue"))
    assert (await environment(cluster, "waits"))["color"] == "blue"


async def test_an_unknown_image_says_what_to_do_and_is_waited_for(
    cluster: Cluster, look: Look
) -> None:
    await cluster.create("stranger", container={"image": "my/app:1"}, restartPolicy="Always")
    pod = await cluster.until(
        "stranger", lambda pod: look.state(pod).get("waiting", {}).get("reason") == "ErrImagePull"
    )
    assert "hearth image add my/app:1 -- COMMAND" in look.state(pod)["waiting"]["message"]
    await cluster.until(
        "stranger",
        lambda pod: look.state(pod).get("waiting", {}).get("reason") == "ImagePullBackOff",
    )
    await cluster.until_event("stranger", "Failed")
    cluster.images.add("my/app:1", ImageSpec(entrypoint=("/bin/sh", "-c", "exec sleep 1000")))
    pod = await cluster.until("stranger", look.is_ready)
    assert pod["status"]["containerStatuses"][0]["imageID"].startswith("docker.io/my/app@sha256:")


@pytest.mark.parametrize(
    ("container", "reason"),
    [
        ({"image": "no/such", "imagePullPolicy": "Never"}, "ErrImageNeverPull"),
        ({"image": "Not A Name"}, "InvalidImageName"),
    ],
)
async def test_images_that_cannot_be(
    cluster: Cluster, look: Look, container: dict[str, Any], reason: str
) -> None:
    await cluster.create("odd", container=container)
    await cluster.until(
        "odd",
        lambda pod: (
            look.state(pod).get("waiting", {}).get("reason") in (reason, "ImagePullBackOff")
        ),
    )


async def test_ports_differ_and_are_told(cluster: Cluster, look: Look) -> None:
    """Two pods of one image serve side by side."""
    for name in ("one", "two"):
        hello = {
            "name": "main",
            "image": "hello",
            "env": [{"name": "TARGET", "value": name}],
            "ports": [{"containerPort": 8080}],
            "readinessProbe": {"httpGet": {"path": "/", "port": 8080}},
        }
        await cluster.client.create(PODS, cluster.pod(name, hello))
    for name in ("one", "two"):
        pod = await cluster.until(name, look.is_ready)
        port = json.loads(pod["metadata"]["annotations"]["hearth.dev/ports"])["8080"]
        reader, writer = await asyncio.open_connection(pod["status"]["podIP"], port)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answer = await reader.read()
        writer.close()
        assert answer.endswith(f"Hello {name}!\n".encode())


async def test_what_does_not_fit_waits(cluster: Cluster, look: Look) -> None:
    await cluster.create("picky", "exit 0", nodeSelector={"disk": "ssd"})
    await cluster.create("greedy", container={"resources": {"requests": {"cpu": "100000"}}})
    for name, text in (("picky", "affinity/selector"), ("greedy", "Insufficient cpu")):
        pod = await cluster.until(name, lambda pod: (pod.get("status") or {}).get("conditions"))
        condition = pod["status"]["conditions"][0]
        assert (condition["type"], condition["status"]) == ("PodScheduled", "False")
        assert condition["reason"] == "Unschedulable"
        assert text in condition["message"]
        assert text in (await cluster.until_event(name, "FailedScheduling"))["message"]
    await cluster.client.patch(NODES, "node", None, {"metadata": {"labels": {"disk": "ssd"}}})
    await cluster.until("picky", lambda pod: look.phase(pod) == "Succeeded")
    await cluster.delete("greedy")
    await cluster.until_gone("greedy")


# -- volumes --------------------------------------------------------------------------------------


@pytest.fixture
async def mounts(tmp_path: Path) -> None:
    mounter = Mounter(tmp_path / "try")
    if not await mounter.is_possible():
        pytest.skip(f"this machine allows no mounts: {mounter.why_not}")


async def test_volumes_are_mounted(cluster: Cluster, look: Look, mounts: None) -> None:
    await cluster.client.create(CONFIGMAPS, config_map("settings", **{"app.conf": "port=1"}))
    await cluster.client.create(SECRETS, secret("keys", token="s3cret"))
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
    await cluster.create("vols", container=container, volumes=volumes)
    await cluster.until("vols", lambda pod: look.phase(pod) in ("Succeeded", "Failed"))
    log = await cluster.until_log("vols", "/etc/hearth-test")
    out = [line.split(" ", 3)[3] for line in log.splitlines() if " stdout " in line]
    assert out == ["port=1", "s3cret", "port=1", "wrote", "refused", "/etc/hearth-test"]
    assert not Path("/etc/hearth-test").exists() and not Path("/hearth-test-keys").exists()


async def test_a_config_map_volume_follows_its_source(cluster: Cluster) -> None:
    await cluster.client.create(CONFIGMAPS, config_map("live", value="one"))
    script = "while :; do echo seen $(cat $HEARTH_VOLUME_LIVE/value); sleep 0.05; done"
    await cluster.create("live", script, volumes=[{"name": "live", "configMap": {"name": "live"}}])
    await cluster.until_log("live", "seen one")
    await cluster.client.patch(CONFIGMAPS, "live", "default", {"data": {"value": "two"}})
    await cluster.until_log("live", "seen two")


async def test_a_volume_that_cannot_be_made(cluster: Cluster, look: Look) -> None:
    await cluster.create("no-vol", volumes=[{"name": "v", "secret": {"secretName": "later"}}])
    event = await cluster.until_event("no-vol", "FailedMount")
    assert event["message"] == 'MountVolume.SetUp failed for volume "v" : secret "later" not found'
    pod = await cluster.get("no-vol")
    assert look.state(pod)["waiting"]["reason"] == "ContainerCreating"
    await cluster.client.create(SECRETS, secret("later"))
    await cluster.until("no-vol", lambda pod: look.phase(pod) == "Succeeded")


async def test_host_paths_are_refused(cluster: Cluster) -> None:
    await cluster.create("host", volumes=[{"name": "v", "hostPath": {"path": "/"}}])
    assert "refused" in (await cluster.until_event("host", "FailedMount"))["message"]


async def test_a_service_account_token(cluster: Cluster, look: Look, mounts: None) -> None:
    folder = "/var/run/secrets/kubernetes.io/serviceaccount"
    await cluster.create(
        "robot",
        f"cat {folder}/namespace; echo; head -c 3 {folder}/token",
        automountServiceAccountToken=True,
    )
    await cluster.until("robot", lambda pod: look.phase(pod) in ("Succeeded", "Failed"))
    log = await cluster.until_log("robot", "eyJ")
    assert "F default" in log
