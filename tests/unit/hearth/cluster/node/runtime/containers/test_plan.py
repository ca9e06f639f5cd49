from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from hearth.cluster.node.pod.dns import PodDns
from hearth.cluster.node.pod.environment import Facts
from hearth.cluster.node.pod.network import PodNetwork
from hearth.cluster.node.pod.spec import parse_pod
from hearth.cluster.node.runtime.api import ContainerFiles, CreateError, StartRequest
from hearth.cluster.node.runtime.containers.plan import ContainerPlan, plan_container
from hearth.cluster.node.volumes.folders import VolumeFolders
from hearth.cluster.node.volumes.mounts import Mount
from hearth.cluster.node.volumes.sources import Snapshot

Object = dict[str, Any]
APod = Callable[..., Object]


@dataclass(frozen=True)
class Image:
    entrypoint: tuple[str, ...] = ("/serve",)
    cmd: tuple[str, ...] = ("--port", "$(PORT)")
    env: Mapping[str, str] = field(default_factory=lambda: {"LANG": "C", "EMPTY": ""})
    workdir: str = ""
    user: str = ""
    stop_signal: str = ""


def request(pod: Object) -> StartRequest:
    folder = Path("/pods") / pod["metadata"]["uid"]
    return StartRequest(
        container=parse_pod(pod).containers[0],
        restarts=0,
        network=PodNetwork("10.1.0.2"),
        facts=Facts(pod, "node", {}, pod_ip="10.1.0.2"),
        sources=Snapshot({"settings": {"COLOR": b"red"}}),
        volumes=VolumeFolders(folder, Path("/claims")),
        files=ContainerFiles(folder / "c0", folder / "c0/0.log", folder / "c0/termination-log"),
        report=lambda *_: None,
        dns=PodDns(
            Path("/pods/hosts"),
            environment={"KUBERNETES_SERVICE_PORT": "443"},
            inside={"http://127.0.0.1:9000": "http://broker"},
        ),
    )


def plan(pod: Object, image: Image | None = None) -> ContainerPlan:
    return plan_container(request(pod), image or Image())


@pytest.mark.parametrize(
    ("container", "line"),
    [
        pytest.param({}, ("/serve", "--port", "$(PORT)"), id="the image's words as they are"),
        pytest.param({"args": ["$(A)"]}, ("/serve", "1"), id="args replace cmd and are expanded"),
        pytest.param({"command": ["/x", "$(A)"]}, ("/x", "1"), id="command drops cmd"),
        pytest.param({"command": ["/x"], "args": ["y"]}, ("/x", "y"), id="both"),
    ],
)
def test_command_lines(a_pod: APod, container: Object, line: tuple[str, ...]) -> None:
    env = [{"name": "A", "value": "1"}]
    assert plan(a_pod({"env": env, **container})).args == line


def test_nothing_to_run(a_pod: APod) -> None:
    with pytest.raises(CreateError, match="has no command") as caught:
        plan(a_pod(), Image((), ()))
    assert caught.value.reason == "CreateContainerError"


def test_environment_in_kubernetes_order(a_pod: APod) -> None:
    env = [
        {"name": "LANG", "value": "de"},
        {"name": "X", "value": "$(LANG)$(HOSTNAME)"},
        {"name": "K_SINK", "value": "http://127.0.0.1:9000/b"},
    ]
    assert plan(a_pod({"env": env})).env == {
        "KUBERNETES_SERVICE_PORT": "443",
        "HOSTNAME": "web",
        "LANG": "de",
        "EMPTY": "",
        "X": "deweb",
        "K_SINK": "http://broker/b",
    }


def test_a_hole_in_the_environment(a_pod: APod) -> None:
    env = [{"name": "X", "valueFrom": {"secretKeyRef": {"name": "none", "key": "x"}}}]
    with pytest.raises(CreateError, match='secret "none" not found') as caught:
        plan(a_pod({"env": env}))
    assert caught.value.reason == "CreateContainerConfigError"


def test_folders_and_files(a_pod: APod) -> None:
    volumes = [{"name": "data", "emptyDir": {}}]
    mounts = [{"name": "data", "mountPath": "/data", "readOnly": True}]
    made = plan(a_pod({"volumeMounts": mounts, "workingDir": "/w"}, volumes=volumes))
    assert made.cwd == "/w"
    assert made.mounts == (
        Mount(Path("/pods/uid-web/volumes/data"), "/data", read_only=True),
        Mount(Path("/pods/uid-web/c0/termination-log"), "/dev/termination-log", read_only=False),
        Mount(Path("/pods/hosts"), "/etc/hosts", read_only=False),
    )
    assert plan(a_pod(), replace(Image(), workdir="/app")).cwd == "/app"
    assert plan(a_pod()).cwd == "/"


def test_a_long_name_is_cut(a_pod: APod) -> None:
    assert plan(a_pod(name="a" * 62 + "-b")).hostname == "a" * 62
    assert plan(a_pod(hostname="given")).hostname == "given"


def test_keys_are_alike_for_pods_alike(a_pod: APod) -> None:
    one, other = a_pod(), a_pod()
    other["metadata"]["uid"] = "another"
    assert plan(one).key == plan(other).key
    env = [
        {"name": "COLOR", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "COLOR"}}}
    ]
    assert plan(one).key != plan(a_pod({"env": env})).key
    assert plan(one).key != plan(one, replace(Image(), user="app")).key
    assert plan(one).key != plan(a_pod(name="other")).key  # HOSTNAME is another
