from __future__ import annotations

import hashlib
import json
import os
import socket
from pathlib import Path

import pytest

from hearth.cluster.node.runtime.engine.sockets import Found, find_engine, is_served

PODMAN, DOCKER, MINE = "/run/podman/podman.sock", "/var/run/docker.sock", "/run/user/7/docker.sock"
NOTHING = {"PATH": "/nowhere"}
NOBODY = frozenset[str]().__contains__


@pytest.mark.parametrize(
    ("wanted", "env", "uid", "listening", "found"),
    [
        ("auto", {}, 0, (), None),
        ("auto", {}, 0, (DOCKER,), Found("docker", DOCKER, is_root=True)),
        ("auto", {}, 0, (DOCKER, PODMAN), Found("podman", PODMAN, is_root=True)),
        ("docker", {}, 0, (DOCKER, PODMAN), Found("docker", DOCKER, is_root=True)),
        ("podman", {}, 0, (DOCKER,), None),
        ("auto", {}, 7, (MINE, DOCKER), Found("docker", MINE)),
        ("auto", {}, 7, (DOCKER,), Found("docker", DOCKER, is_root=True)),
        (
            "auto",
            {"DOCKER_HOST": "unix:///x"},
            0,
            ("/x", PODMAN),
            Found("docker", "/x", is_root=True),
        ),
        ("auto", {"DOCKER_HOST": "unix:///x"}, 0, (PODMAN,), Found("podman", PODMAN, is_root=True)),
        ("auto", {"DOCKER_HOST": "tcp://h:1"}, 0, (), None),
        (
            "auto",
            {"CONTAINER_HOST": "unix:///a/podman.sock"},
            0,
            ("/a/podman.sock",),
            Found("podman", "/a/podman.sock", is_root=True),
        ),
    ],
)
def test_where_engines_are_looked_for(
    wanted: str,
    env: dict[str, str],
    uid: int,
    listening: tuple[str, ...],
    found: Found | None,
    tmp_path: Path,
) -> None:
    served = frozenset(listening)
    given = NOTHING | env
    assert (
        find_engine(wanted, given, home=tmp_path, uid=uid, is_served=served.__contains__) == found
    )


def test_whose_a_socket_is_says_whether_an_engine_is_of_root(tmp_path: Path) -> None:
    path = tmp_path / "docker.sock"
    path.touch()
    env = NOTHING | {"DOCKER_HOST": f"unix://{path}"}
    found = find_engine("auto", env, home=tmp_path, uid=7, is_served=str(path).__eq__)
    assert found == Found("docker", str(path), is_root=os.getuid() == 0)


def test_the_context_of_docker(tmp_path: Path) -> None:
    folder = tmp_path / ".docker"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"currentContext": "mine"}))
    meta = folder / "contexts/meta" / hashlib.sha256(b"mine").hexdigest()
    meta.mkdir(parents=True)
    there = {"Endpoints": {"docker": {"Host": "unix:///c.sock"}}}
    (meta / "meta.json").write_text(json.dumps(there))
    served = frozenset({"/c.sock", PODMAN})
    found = find_engine("auto", NOTHING, home=tmp_path, uid=0, is_served=served.__contains__)
    assert found == Found("docker", "/c.sock", is_root=True)
    (meta / "meta.json").write_text("[]")
    found = find_engine("auto", NOTHING, home=tmp_path, uid=0, is_served=served.__contains__)
    assert found == Found("podman", PODMAN, is_root=True)


def test_a_command_is_enough_for_podman(tmp_path: Path) -> None:
    command = tmp_path / "podman"
    command.touch(0o755)
    env = {"PATH": str(tmp_path)}
    for wanted, uid in (("auto", 0), ("podman", 7)):
        found = find_engine(wanted, env, home=tmp_path, uid=uid, is_served=NOBODY)
        assert found == Found("podman", command=str(command), is_root=uid == 0)
    assert find_engine("docker", env, home=tmp_path, uid=0, is_served=NOBODY) is None


def test_who_listens(tmp_path: Path) -> None:
    path, nothing = str(tmp_path / "s"), tmp_path / "none"
    assert not is_served(path)
    with socket.socket(socket.AF_UNIX) as served:
        served.bind(path)
        assert not is_served(path)
        served.listen()
        assert is_served(path)
        served.settimeout(0.1)
        with pytest.raises(TimeoutError):  # nobody has connected, which might wake an engine
            served.accept()
        assert is_served(path, nothing)  # as one of another network namespace, not in the list
    assert not is_served(path, nothing)


def test_runc_comes_before_an_engine_that_would_have_to_be_started(tmp_path: Path) -> None:
    program = tmp_path / "podman"
    program.touch(0o755)
    env, runc = {"PATH": str(tmp_path)}, "/usr/sbin/runc"
    served = frozenset({"/run/podman/podman.sock"})

    def find(wanted: str, listening: frozenset[str] = frozenset(), runc: str = runc) -> str:
        found = find_engine(
            wanted, env, home=tmp_path, uid=0, is_served=listening.__contains__, runc=runc
        )
        return str(found)

    assert find("auto") == find("runc") == "runc (rootful)"
    assert find("auto", served) == find("podman") == "podman (rootful)"
    assert find("auto", runc="") == "podman (rootful)" and find("runc", runc="") == "None"
