from __future__ import annotations

from pathlib import Path

from hearth.cli.containerimages import ContainerImage, _names, container_images
from hearth.cli.runtimes import Pods
from hearth.cluster.node.runtime.engine.sockets import Found


def test_names_of_an_engine() -> None:
    entry = {
        "Id": "sha256:9",
        "Size": 5,
        "RepoTags": ["a.b/c:1", "localhost/d:2", "<none>:<none>"],
        "RepoDigests": ["a.b/c@sha256:1"],
    }
    assert _names(entry) == [
        ContainerImage("a.b/c:1", "sha256:1", 5),
        ContainerImage("localhost/d:2", "sha256:9", 5),
    ]
    assert _names({"Id": "x", "Size": 1, "RepoTags": None}) == []


def test_where_there_is_nothing(tmp_path: Path) -> None:
    assert container_images(tmp_path) == []


def test_where_an_engine_answers() -> None:
    assert Pods().engine_socket is None
    assert Pods(Found("runc", command="/runc")).engine_socket is None
    assert Pods(Found("podman", command="/podman")).engine_socket == ""
    assert Pods(Found("docker", "/d.sock")).engine_socket == "/d.sock"
