"""Starts that fail: each waits its time, runs once it can, and can be deleted."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hearth.cluster.node.runtime.processes.mounter import Mounter
from hearth.kube.resources import PODS

Cluster = Any
Look = Any
Object = dict[str, Any]


@pytest.fixture(autouse=True)
def quick_restarts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hearth.cluster.node.pod.records.FIRST_BACKOFF", 0.05)


@pytest.fixture
async def mounts(tmp_path: Path) -> None:
    mounter = Mounter(tmp_path / "try")
    if not await mounter.is_possible():
        pytest.skip(f"this machine allows no mounts: {mounter.why_not}")


def status(pod: Object, kind: str = "containerStatuses") -> Object:
    statuses: list[Object] = (pod.get("status") or {}).get(kind) or [{}]
    return statuses[0]


def last_end(pod: Object, kind: str = "containerStatuses") -> Object:
    found = status(pod, kind)
    for field in ("state", "lastState"):
        end: Object | None = found.get(field, {}).get("terminated")
        if end:
            return end
    return {}


def failed_with(text: str, kind: str = "containerStatuses") -> Callable[[Object], bool]:
    return lambda pod: (
        status(pod, kind).get("restartCount", 0) >= 1
        and text in last_end(pod, kind).get("message", "")
    )


def make_program(path: Path) -> None:
    path.write_text("#!/bin/sh\nexec sleep 1000\n")
    path.chmod(0o755)


KINDS = pytest.mark.parametrize("kind", ["containerStatuses", "initContainerStatuses"])


def the_pod(cluster: Cluster, name: str, kind: str, container: Object) -> Object:
    """A pod whose main or only init container is the given one."""
    given = {"name": "tested", "image": "sh", **container}
    if kind == "containerStatuses":
        return {**cluster.pod(name, given, restartPolicy="Always")}
    main = {"name": "main", "image": "sh", "args": ["exec sleep 1000"]}
    return {**cluster.pod(name, main, initContainers=[given], restartPolicy="Always")}


@KINDS
async def test_a_folder_that_comes_later(
    cluster: Cluster, look: Look, tmp_path: Path, kind: str
) -> None:
    folder = tmp_path / "later"
    args = ["exit 0" if kind == "initContainerStatuses" else "exec sleep 1000"]
    pod = the_pod(cluster, "homeless", kind, {"workingDir": str(folder), "args": args})
    await cluster.client.create(PODS, pod)
    text = f'working directory "{folder}" does not exist'
    await cluster.until("homeless", failed_with(text, kind))
    folder.mkdir()
    await cluster.until("homeless", look.is_ready)
    await cluster.delete("homeless")
    await cluster.until_gone("homeless")


@KINDS
async def test_a_program_that_comes_later(
    cluster: Cluster, look: Look, tmp_path: Path, kind: str
) -> None:
    program = tmp_path / "program"
    pod = the_pod(cluster, "early", kind, {"command": [str(program)]})
    await cluster.client.create(PODS, pod)
    await cluster.until("early", failed_with(f'exec: "{program}": no such file or directory', kind))
    make_program(program)
    if kind == "initContainerStatuses":
        await cluster.until("early", lambda pod: "running" in status(pod, kind)["state"])
    else:
        await cluster.until("early", look.is_ready)


async def test_a_program_that_may_not_be_run(cluster: Cluster, look: Look, tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\nexec sleep 1000\n")
    pod = the_pod(cluster, "locked", "containerStatuses", {"command": [str(program)]})
    await cluster.client.create(PODS, pod)
    await cluster.until("locked", failed_with("permission denied"))
    program.chmod(0o755)
    await cluster.until("locked", look.is_ready)


async def test_a_program_that_is_none(cluster: Cluster, tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_bytes(b"\x7fELF but not really")
    program.chmod(0o755)
    pod = the_pod(cluster, "odd", "containerStatuses", {"command": [str(program)]})
    await cluster.client.create(PODS, pod)
    await cluster.until("odd", failed_with("Exec format error"))
    await cluster.delete("odd", grace_period_seconds=0)
    await cluster.until_folder_gone("odd")


async def test_a_program_behind_mounts(
    cluster: Cluster, look: Look, tmp_path: Path, mounts: None
) -> None:
    """The one that mounts says what went wrong, in the status too."""
    program = tmp_path / "program"
    mount = {"volumeMounts": [{"name": "v", "mountPath": "/hearth-test-v"}]}
    pod = the_pod(cluster, "mounted", "containerStatuses", {"command": [str(program)], **mount})
    pod["spec"]["volumes"] = [{"name": "v", "emptyDir": {}}]
    await cluster.client.create(PODS, pod)
    await cluster.until("mounted", failed_with(f'exec: "{program}": No such file or directory'))
    make_program(program)
    await cluster.until("mounted", look.is_ready)


async def test_a_mount_that_cannot_be_made(cluster: Cluster, tmp_path: Path, mounts: None) -> None:
    mount = {"volumeMounts": [{"name": "v", "mountPath": "/dev/null/hearth-test"}]}
    pod = the_pod(cluster, "mounted", "containerStatuses", {"args": ["exit 0"], **mount})
    pod["spec"]["volumes"] = [{"name": "v", "emptyDir": {}}]
    await cluster.client.create(PODS, pod)
    await cluster.until("mounted", failed_with("the container cannot be set up"))
    await cluster.delete("mounted")
    await cluster.until_gone("mounted")
    await cluster.until_folder_gone("mounted")


async def test_a_part_of_a_volume_that_cannot_be(cluster: Cluster) -> None:
    """The first container leaves a file where the second's mount needs a folder."""
    init = {"name": "init", "image": "sh", "args": ["echo x > $HEARTH_VOLUME_V/file"]}
    mount = [{"name": "v", "mountPath": "/hearth-test-v", "subPath": "file/below"}]
    main = {"name": "main", "image": "sh", "args": ["exit 0"], "volumeMounts": mount}
    volumes = [{"name": "v", "emptyDir": {}}]
    pod = cluster.pod("part", main, initContainers=[init], volumes=volumes, restartPolicy="Always")
    await cluster.client.create(PODS, pod)
    await cluster.until("part", failed_with("Not a directory"))
    await cluster.delete("part")
    await cluster.until_gone("part")
    await cluster.until_folder_gone("part")


async def test_a_host_port_in_use(cluster: Cluster, look: Look) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        ports = [{"containerPort": 8080, "hostPort": port}]
        await cluster.create("host", "exec sleep 1000", container={"ports": ports})
        event = await cluster.until_event("host", "FailedCreatePodSandBox")
        assert event["message"] == f"host port {port} is in use on this machine"
    await cluster.until("host", look.is_ready)


async def test_a_setup_that_fails_in_a_way_nobody_foresaw(
    cluster: Cluster, look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told once, tried again, and the pod can be deleted meanwhile."""

    def failing(*args: Any, **kwargs: Any) -> bool:
        raise RuntimeError("never foreseen")

    with monkeypatch.context() as broken:
        broken.setattr("hearth.cluster.node.worker.setup.prepare_volumes", failing)
        for name in ("one", "two"):
            await cluster.create(name, "exec sleep 1000")
        event = await cluster.until_event("one", "FailedMount")
        assert event["message"] == "the pod cannot be set up: never foreseen"
        await cluster.delete("one")
        await cluster.until_gone("one")
        await cluster.until_folder_gone("one")
    await cluster.until("two", look.is_ready)


async def test_a_hook_that_fails_in_a_way_nobody_foresaw(
    cluster: Cluster, look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def failing(*args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("never foreseen")

    monkeypatch.setattr("hearth.cluster.node.probes.handlers._run", failing)
    lifecycle = {"preStop": {"exec": {"command": [sys.executable]}}}
    await cluster.create("hooked", "exec sleep 1000", container={"lifecycle": lifecycle})
    await cluster.until("hooked", look.is_ready)
    await cluster.delete("hooked")
    await cluster.until_gone("hooked")
    assert "never foreseen" in (await cluster.until_event("hooked", "FailedPreStopHook"))["message"]
