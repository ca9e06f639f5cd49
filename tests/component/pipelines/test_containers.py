"""Jobs that are images, on one machine: ``hearth up --runtime`` runs them, beside processes."""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hearth.cluster.node.runtime.bundles.runc import find_program
from tests.component.keda.servers import missing
from tests.component.node import engines
from tests.e2e.support import Hearth, hearth_command
from tests.images import Registry, TestImage, is_root

SCRIPT = """
from hearth.pipelines import job, on, parallel, workspace

def read():
    return (workspace() / "word").read_text()

@on("test:containers")
def go(event):
    image = {"image": "IMAGE"}
    put = job("put", **image, args=["put", "/workspace/word", "hello"], workspace=True)
    web = {"name": "web", **image, "args": ["serve", "8080"]}
    kept = ["put", "/artifacts/kept.txt", "kept"]
    keep = job("keep", **image, args=kept, artifacts=True, sidecars=[web], needs=[put])
    said = job("said", **image, args=["show", "WORD"], env={"WORD": "by an image"})
    parallel(put, keep, said)
    word = job("read", read, workspace=True).run().value
    failing = job("failing", **image, args=["message", "sorry"])
    [failed] = parallel(failing, check=False)
    return [word, failed.message, failed.exit_code]
"""


@contextlib.contextmanager
def running(folder: Path, runtime: str, host: str = "") -> Iterator[Hearth]:
    command = ("up", "--detach", "--port", "0", "--runtime", runtime)
    hearth_command(*command, data_dir=folder, CONTAINER_HOST=host)
    hearth = Hearth(folder, json.loads((folder / "state.json").read_text()))
    try:
        yield hearth
    finally:
        hearth.run("down")


@contextlib.contextmanager
def runc(folder: Path, _image: TestImage) -> Iterator[Hearth]:
    if not is_root() or not find_program():
        missing("without root and runc no job was run in a container")
    with running(folder / "hearth", "runc") as hearth:
        yield hearth


@contextlib.contextmanager
def podman(folder: Path, image: TestImage) -> Iterator[Hearth]:
    """What it mounts is not in a folder that pytest cleans."""
    with engines.podman(Path(tempfile.mkdtemp(prefix="hearth-podman-"))) as engine:
        engine.load(image, "docker.io/library/app:1")
        with running(folder / "hearth", "podman", f"unix://{engine.socket}") as hearth:
            yield hearth


@pytest.mark.parametrize("engine", [runc, podman])
def test_jobs_that_are_images(
    engine: Any,
    static_layout: TestImage,
    image_registry: Registry,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """They share the workspace with functions, which are processes, and keep files."""
    folder = tmp_path_factory.mktemp("c")
    image = f"{image_registry.host}/app:1" if engine is runc else "app:1"
    script = folder / "containers.py"
    script.write_text(SCRIPT.replace("IMAGE", image))
    with engine(folder, static_layout) as hearth:
        done = hearth.run("pipeline", "run", str(script), "--event", "test:containers", "-f")
        assert "[said] WORD=by an image\n" in done.stdout
        summary = json.loads(done.stdout[done.stdout.index("\n[\n") :])
        assert summary == ["hello", "sorry", 1]
        name = next(line for line in done.stdout.splitlines() if line.startswith("Run ")).split()[1]
        hearth.run("run", "artifacts", name, "--to", str(folder / "to"))
        assert (folder / "to/keep/kept.txt").read_text() == "kept"
