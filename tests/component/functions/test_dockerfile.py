"""Dockerfiles by real docker, podman and buildah: built, cached, pushed, refused in their words."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from hearth.cluster.node.runtime.engine.service import other_runtime
from hearth.functions.building.dockerfile import Tool
from hearth.functions.building.errors import BuildError
from tests.component.keda.servers import missing, program
from tests.component.node.engines import docker
from tests.images import Registry, compiled_program, is_root

DOCKERFILE = "FROM scratch\nARG WORD=a\nENV WORD=$WORD\nCOPY . /\n"


@contextlib.contextmanager
def tool(kind: str, folder: Path) -> Iterator[Tool]:
    """One with a storage of its own."""
    if kind == "docker":
        with docker(folder) as engine:
            yield Tool(kind, engine.command)
        return
    if not is_root():
        missing("rootless storage outlives its test: podman and buildah were not tested")
    places = [("--root", "storage"), ("--runroot", "run")]
    options = [word for name, place in places for word in (name, str(folder / place))]
    more = other_runtime() if kind == "podman" else ()
    yield Tool(kind, (program(kind), *options, "--storage-driver", "vfs", *more))


@pytest.fixture(scope="module", params=["docker", "podman", "buildah"])
def builder(request: pytest.FixtureRequest) -> Iterator[Tool]:
    short = tempfile.TemporaryDirectory()  # podman takes no long paths
    with short as folder, tool(request.param, Path(folder)) as started:
        yield started


@pytest.fixture
def web(tmp_path: Path) -> Path:
    folder = tmp_path / "web"
    folder.mkdir()
    (folder / "program").write_bytes(compiled_program())
    (folder / "program").chmod(0o755)
    (folder / "secret.env").write_text("A=1")
    (folder / ".dockerignore").write_text("*.env\n")
    return folder


def built(builder: Tool, folder: Path, text: str, word: str = "b") -> tuple[str, list[str]]:
    """The image's id, and what was told."""
    (folder / "Dockerfile").write_text(text)
    said: list[str] = []
    return builder.build(folder, "Dockerfile", {"WORD": word}, "", said.append), said


def test_it_is_built_once(builder: Tool, web: Path) -> None:
    image, said = built(builder, web, DOCKERFILE + "EXPOSE 3000/tcp 53/udp\n")
    assert "FROM scratch" in said[0]
    assert builder.port(image) == 3000
    assert built(builder, web, DOCKERFILE + "EXPOSE 3000/tcp 53/udp\n")[0] == image
    assert built(builder, web, DOCKERFILE + "EXPOSE 3000 3001\n")[0] != image


def test_what_fails_has_the_last_word(builder: Tool, web: Path) -> None:
    with pytest.raises(BuildError, match=r"(?s)failed with code .*secret.env"):
        built(builder, web, "FROM scratch\nCOPY secret.env /\n")


def test_it_is_pushed_and_saved(
    builder: Tool, web: Path, image_registry: Registry, tmp_path: Path
) -> None:
    image, _ = built(builder, web, DOCKERFILE + "EXPOSE 1 2\n")
    assert builder.port(image) is None
    name = f"{image_registry.host}/{builder.kind}:1"
    builder.tag(image, name)
    said: list[str] = []
    builder.push(name, is_plain=True, say=said.append)
    assert image_registry.digest(f"{builder.kind}:1").startswith("sha256:")
    builder.save(image, tmp_path / "archive")
    assert (tmp_path / "archive").stat().st_size > len(compiled_program())


def test_a_registry_that_refuses_is_told(
    builder: Tool, web: Path, locked_registry: Registry
) -> None:
    image, _ = built(builder, web, DOCKERFILE)
    name = f"{locked_registry.host}/{builder.kind}:1"
    builder.tag(image, name)
    with pytest.raises(
        BuildError, match=r"(?s)failed with code .*(no basic auth|unauthorized|auth)"
    ):
        builder.push(name, is_plain=True, say=print)
