from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from hearth.cluster.node.pod.dns import PodDns
from hearth.cluster.node.pod.environment import Facts
from hearth.cluster.node.pod.network import PodNetwork
from hearth.cluster.node.pod.spec import parse_pod
from hearth.cluster.node.runtime.api import ContainerFiles, StartRequest
from hearth.cluster.node.runtime.containers.ahead import (
    can_be_ahead,
    next_name,
    successor,
    successors_hosts,
)
from hearth.cluster.node.runtime.containers.plan import plan_container
from hearth.cluster.node.volumes.folders import VolumeFolders
from hearth.cluster.node.volumes.sources import Snapshot

Object = dict[str, Any]
APod = Callable[..., Object]
OWNER = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "r", "uid": "u", "controller": True}


@dataclass(frozen=True)
class Image:
    entrypoint: tuple[str, ...] = ("/serve",)
    cmd: tuple[str, ...] = ()
    env: dict[str, str] = field(default_factory=dict)
    workdir: str = ""
    user: str = ""
    stop_signal: str = ""


def request(pod: Object, folder: str, ip: str) -> StartRequest:
    files = Path(folder) / "c0"
    return StartRequest(
        container=parse_pod(pod).containers[0],
        restarts=0,
        network=PodNetwork(ip),
        facts=Facts(pod, "node", {}, pod_ip=ip),
        sources=Snapshot(),
        volumes=VolumeFolders(Path(folder), Path("/claims")),
        files=ContainerFiles(files, files / "0.log", files / "termination-log"),
        report=lambda *_: None,
        dns=PodDns(Path(folder) / "hosts", Path(folder) / "resolv.conf"),
    )


def owned(a_pod: APod, *containers: Object, **spec: Any) -> Object:
    pod = a_pod(*containers, name="web-1-abcde", **spec)
    pod["metadata"] |= {"ownerReferences": [OWNER], "generateName": "web-1-"}
    return pod


def test_the_next_pod_asks_for_what_was_made(a_pod: APod) -> None:
    env = [
        {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}
        for name, path in (("N", "metadata.name"), ("I", "status.podIP"))
    ]
    pod = owned(a_pod, {"env": env})
    before = request(pod, "/pods/one", "10.0.0.2")
    name = next_name(pod, b"\0\1\2\3\4")
    assert name == "web-1-bcdfg"
    made = successor(before, name, network=PodNetwork("10.0.0.3"), folder=Path("/spares/x"))
    coming = {**pod, "metadata": {**pod["metadata"], "name": name, "uid": "other"}}
    asked = request(coming, "/pods/two", "10.0.0.3")
    assert plan_container(made, Image()).key == plan_container(asked, Image()).key
    assert plan_container(before, Image()).key != plan_container(asked, Image()).key
    assert made.files.log == Path("/spares/x/c0/0.log")


def test_a_pod_that_is_told_its_uid_has_a_container_of_its_own(a_pod: APod) -> None:
    env = [{"name": "U", "valueFrom": {"fieldRef": {"fieldPath": "metadata.uid"}}}]
    pod = owned(a_pod, {"env": env})
    made = successor(
        request(pod, "/pods/one", "10.0.0.2"),
        "web-1-bcdfg",
        network=PodNetwork("10.0.0.3"),
        folder=Path("/spares/x"),
    )
    coming = {**pod, "metadata": {**pod["metadata"], "name": "web-1-bcdfg", "uid": "other"}}
    asked = request(coming, "/pods/two", "10.0.0.3")
    assert plan_container(made, Image()).key != plan_container(asked, Image()).key


@pytest.mark.parametrize(
    ("containers", "spec", "can"),
    [
        pytest.param(({},), {}, True, id="one container"),
        pytest.param(({}, {}), {}, False, id="two of them"),
        pytest.param(({"stdin": True},), {}, False, id="with an input"),
        pytest.param(({},), {"hostname": "h"}, False, id="a host name of its own"),
        pytest.param(
            ({"volumeMounts": [{"name": "v", "mountPath": "/v"}]},),
            {"volumes": [{"name": "v", "emptyDir": {}}]},
            False,
            id="a volume of the pod",
        ),
        pytest.param(
            ({"volumeMounts": [{"name": "v", "mountPath": "/v"}]},),
            {"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}]},
            True,
            id="a volume that outlives it",
        ),
    ],
)
def test_which_pods(a_pod: APod, containers: tuple[Object, ...], spec: Object, can: bool) -> None:
    pod = owned(a_pod, *containers, **spec)
    asked = request(pod, "/pods/one", "10.0.0.2")
    assert can_be_ahead(asked, plan_container(asked, Image())) is can
    alone = {**pod, "metadata": {**pod["metadata"], "ownerReferences": []}}
    asked = replace(asked, facts=replace(asked.facts, pod=alone))
    assert not can_be_ahead(asked, plan_container(asked, Image()))


def test_hosts_of_the_next_one(a_pod: APod) -> None:
    pod = owned(a_pod)
    before = request(pod, "/pods/one", "10.0.0.2")
    after = successor(before, "web-1-x", network=PodNetwork("10.0.0.30"), folder=Path("/s"))
    text = "127.0.0.1\tlocalhost\n10.0.0.2\tweb-1-abcde\n10.0.0.22\tweb-1-abcde.other\n"
    assert successors_hosts(text, before, after) == (
        "127.0.0.1\tlocalhost\n10.0.0.30\tweb-1-x\n10.0.0.22\tweb-1-abcde.other\n"
    )
