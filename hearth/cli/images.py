"""``hearth image ...`` and ``hearth build``: what image names mean on this machine."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from hearth.cli.state import StateError
from hearth.cluster.node.images.store import ImageSpec, ImageStore, InvalidImageName


def add_image(
    data_dir: Path, name: str, command: Sequence[str], *, env: Sequence[str], workdir: Path
) -> None:
    """Registers a command; a program that cannot be found is refused now, not at its first pod."""
    if not command:
        raise StateError(f"say what {name} runs: hearth image add {name} -- COMMAND ARGUMENTS")
    program = command[0]
    found = shutil.which(program, path=str(workdir) if "/" in program else None) or shutil.which(
        str(workdir / program)
    )
    if found is None:
        raise StateError(
            f"there is no program {program!r} (looked on the PATH and in {workdir}); "
            f"name it with its path, or make it executable"
        )
    pairs = dict(_pair(text) for text in env)
    spec = ImageSpec(
        entrypoint=(str(Path(found).absolute()), *command[1:]),
        env=pairs,
        workdir=str(workdir.absolute()),
    )
    try:
        image = ImageStore(data_dir).add(name, spec)
    except InvalidImageName as error:
        raise StateError(str(error)) from error
    print(f"{name} runs: {' '.join(image.entrypoint)}")


def _pair(text: str) -> tuple[str, str]:
    name, found, value = text.partition("=")
    if not found or not name:
        raise StateError(f"--env {text!r}: give NAME=VALUE")
    return name, value


def list_images(data_dir: Path, output: str) -> None:
    tagged = ImageStore(data_dir).list()
    if output == "json":
        entries = [
            {
                "name": entry.name,
                "command": entry.image.command_line((), ()),
                "workdir": entry.image.workdir,
                "digest": entry.image.digest,
                "source": entry.image.source,
            }
            for entry in tagged
        ]
        print(json.dumps(entries, indent=2))
        return
    from rich.console import Console
    from rich.table import Table

    if not tagged:
        print(
            "No image is known yet: hearth image add NAME -- COMMAND, or hearth build DIR -t NAME"
        )
        return
    table = Table("IMAGE", "DIGEST", "RUNS", box=None, pad_edge=False)
    for entry in tagged:
        digest = entry.image.digest.removeprefix("sha256:")[:12]
        table.add_row(entry.name, digest, " ".join(entry.image.command_line((), ())))
    Console().print(table)


def remove_image(data_dir: Path, name: str) -> None:
    if not ImageStore(data_dir).remove(name):
        raise StateError(f"no image {name!r} is known; `hearth image list` shows them")
    print(f"Forgot {name}.")


def build_image(data_dir: Path, folder: Path, name: str) -> None:
    """Builds the application of a folder and registers it under a name."""
    from hearth.cluster.node.images.build import build
    from hearth.cluster.node.images.detect import BuildError

    if not folder.is_dir():
        raise StateError(f"{folder} is no folder")
    store = ImageStore(data_dir)
    builds = data_dir / "builds"
    try:
        image = build(folder.absolute(), name, store, builds=builds, say=print)
    except (BuildError, InvalidImageName) as error:
        raise StateError(str(error)) from error
    print(f"{name} runs: {' '.join(image.command_line((), ()))}")
    print(f"Use it as `image: {name}` in YAML.")
