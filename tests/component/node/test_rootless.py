"""Containers of an ordinary user: rootless Podman, with a Hearth that is no root either."""

from __future__ import annotations

import http.client
import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.component.keda.servers import missing, program
from tests.component.node.ordinary import OrdinaryUser, ordinary_user
from tests.e2e.support import Hearth, a_service, wait_until
from tests.images import TestImage, is_root

pytestmark = pytest.mark.skipif(not is_root(), reason="an ordinary user has the suite itself")
HEARTH = str(Path(sys.executable).with_name("hearth"))
IMAGE = "localhost/app:1"


@pytest.fixture(scope="module")
def user() -> Iterator[OrdinaryUser]:
    for name in ("podman", "newuidmap", "slirp4netns"):
        program(name)
    with ordinary_user() as made:
        if made.run("podman", "unshare", "true").returncode:
            missing("this machine lets no ordinary user have namespaces")
        yield made


@pytest.mark.parametrize(
    "chosen",
    [
        "podman and contract and not client",
        "docker and (adopted or dialled or old_address or usage)",
    ],
)
def test_the_suite_of_runtimes(user: OrdinaryUser, chosen: str) -> None:
    """All of it passes with both; it is the networks, groups and rights that are different."""
    suite = ("tests/component/node/runtimes", "-k", chosen, "--basetemp", f"{user.home}/tests")
    done = user.run(sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *suite)
    assert done.returncode == 0, done.stdout[-5000:]
    assert " passed" in done.stdout and " skipped" not in done.stdout


@pytest.fixture(scope="module")
def hearth(user: OrdinaryUser, static_layout: TestImage) -> Iterator[Hearth]:
    """A Hearth of that user, which finds Podman by its command."""
    archive = user.home / "app.tar"
    archive.write_bytes(static_layout.archive().read_bytes())
    archive.chmod(0o644)
    loaded = user.run("podman", "load", "-q", "-i", str(archive)).stdout.strip()
    user.run("podman", "tag", loaded.rpartition(": ")[2], IMAGE)
    data = user.home / "data"
    env = {"HEARTH_DATA_DIR": str(data)}
    begun = user.run(HEARTH, "up", "--detach", "--port", "0", "--runtime", "podman", **env)
    assert begun.returncode == 0, begun.stderr
    assert "podman (rootless)" in begun.stdout
    try:
        yield Hearth(data, json.loads((data / "state.json").read_text()))
    finally:
        user.run(HEARTH, "down", **env)
        assert user.run("podman", "ps", "-aq").stdout == ""


def ask(pod: dict[str, Any], path: str) -> str:
    """By the port that is published for 8080."""
    ports = json.loads(pod["metadata"]["annotations"]["hearth.dev/ports"])
    connection = http.client.HTTPConnection("127.0.0.1", ports["8080"], timeout=60)
    connection.request("GET", path)
    answer = connection.getresponse().read().decode()
    connection.close()
    return answer


def is_hybrid() -> bool:
    return not Path("/sys/fs/cgroup/cgroup.controllers").exists()


@pytest.mark.kubectl
def test_a_pod_of_two_containers(hearth: Hearth) -> None:
    """They share a network, reach the gateway, and what they wrote can be removed."""
    mounted = [{"name": "data", "mountPath": "/data"}]
    port = [{"containerPort": 8080}]
    limits = {"limits": {"memory": "64Mi", "cpu": "500m"}}
    main = {"name": "main", "image": IMAGE, "ports": port, "resources": limits}
    side = {"name": "side", "image": IMAGE, "args": ["serve", "8081"]}
    spec = {
        "securityContext": {"runAsUser": 1000},
        "containers": [{**main, "volumeMounts": mounted}, side],
        "volumes": [{"name": "data", "emptyDir": {}}],
    }
    hearth.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "two"}, "spec": spec})
    hearth.kubectl("wait", "--for=condition=Ready", "pod/two", "--timeout=90s")
    pod = hearth.get_json("pod/two")
    told = json.loads(ask(pod, "/"))
    assert told["uid"] == 1000
    assert ask(pod, "/connect?127.0.0.1:8081") == "ok"
    env = dict(entry.partition("=")[::2] for entry in told["env"])
    proxy = urlsplit(env["http_proxy"])
    assert ask(pod, f"/connect?{proxy.hostname}:{proxy.port}") == "ok"
    assert ask(pod, "/mkdir?/data/deep") == "0"
    assert ask(pod, "/write?/data/deep/file") == "ok"
    if is_hybrid():
        reasons = ("events", "--field-selector", "reason=LimitsNotEnforced")
        wait_until(lambda: hearth.get_json(*reasons)["items"], what="the event of the limits")
    assert ("not enforced" in hearth.status()["pods"]) == is_hybrid()
    folders = hearth.data_dir / "pods"
    assert list(folders.glob("default_two_*"))
    hearth.kubectl("delete", "pod/two")
    wait_until(lambda: not list(folders.glob("default_two_*")), what="no folder of the pod")


@pytest.mark.kubectl
def test_a_service_outlives_the_node(hearth: Hearth) -> None:
    container = {"ports": [{"containerPort": 8080}]}
    keep = {"autoscaling.knative.dev/min-scale": "1"}
    hearth.apply(a_service("steady", image=IMAGE, container=container, annotations=keep))
    hearth.kubectl("wait", "--for=condition=Ready", "ksvc/steady", "--timeout=90s")
    assert hearth.request("steady").status == 200
    [before] = hearth.get_json("pods")["items"]
    killed = hearth.pids()["cluster"]
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: hearth.pids().get("cluster", killed) != killed, what="another node")
    hearth.kubectl("wait", "--for=condition=Ready", "ksvc/steady", "--timeout=90s")
    wait_until(lambda: hearth.request("steady").status == 200, what="an answer")
    [after] = hearth.get_json("pods")["items"]
    ids = [pod["status"]["containerStatuses"][0]["containerID"] for pod in (before, after)]
    assert ids[0] == ids[1] and ids[0].startswith("podman://")
