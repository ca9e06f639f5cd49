"""``hearth image ...`` and ``hearth build``: what image names mean on this machine."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from hearth.cli.containerimages import container_images
from hearth.cli.errors import UserError
from hearth.cluster.node.images.store import ImageSpec, ImageStore
from hearth.oci.references import InvalidImageName


def add_image(
    data_dir: Path, name: str, command: Sequence[str], *, env: Sequence[str], workdir: Path
) -> None:
    """Registers a command under an image name.

    A program that is not there is a UserError now, not at its first pod.
    """
    if not command:
        raise UserError(f"say what {name} runs: hearth image add {name} -- COMMAND ARGUMENTS")
    program = command[0]
    path = shutil.which(program, path=str(workdir) if "/" in program else None) or shutil.which(
        str(workdir / program)
    )
    if path is None:
        raise UserError(
            f"there is no program {program!r} (looked on the PATH and in {workdir}); "
            f"name it with its path, or make it executable"
        )
    pairs = dict(_pair(text) for text in env)
    spec = ImageSpec(
        entrypoint=(str(Path(path).absolute()), *command[1:]),
        env=pairs,
        workdir=str(workdir.absolute()),
    )
    try:
        image = ImageStore(data_dir).add(name, spec)
    except InvalidImageName as error:
        raise UserError(str(error)) from error
    print(f"{name} runs: {' '.join(image.entrypoint)}")


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise UserError(f"--env {text!r}: give NAME=VALUE")
    return name, value


def list_images(data_dir: Path, output: str) -> None:
    """Prints the known commands and the images for containers, as a table or as JSON."""
    tagged = ImageStore(data_dir).list()
    containers = container_images(data_dir)
    if output == "json":
        entries: list[dict[str, object]] = [
            {
                "name": entry.name,
                "kind": "process",
                "command": entry.image.command_line((), ()),
                "workdir": entry.image.workdir,
                "digest": entry.image.digest,
                "source": entry.image.source,
            }
            for entry in tagged
        ]
        entries += [{**asdict(image), "kind": "container"} for image in containers]
        print(json.dumps(entries, indent=2))
        return
    from rich.console import Console
    from rich.table import Table

    if not tagged and not containers:
        print(
            "No image is known yet: hearth image add NAME -- COMMAND, or hearth build DIR -t NAME"
        )
        return
    table = Table("IMAGE", "KIND", "DIGEST", "SIZE", "RUNS", box=None, pad_edge=False)
    for entry in tagged:
        digest = entry.image.digest.removeprefix("sha256:")[:12]
        line = " ".join(entry.image.command_line((), ()))
        table.add_row(entry.name, "process", digest, "", line)
    for image in containers:
        digest = image.digest.removeprefix("sha256:")[:12]
        table.add_row(image.name, "container", digest, f"{image.size / 1e6:.1f} MB", "")
    Console().print(table)


def remove_image(data_dir: Path, name: str) -> None:
    """Forgets an image; UserError for one that is not known."""
    if not ImageStore(data_dir).remove(name):
        raise UserError(f"no image {name!r} is known; `hearth image list` shows them")
    print(f"Forgot {name}.")


def build_image(data_dir: Path, folder: Path, name: str) -> None:
    """Builds the application of a folder and registers it under a name."""
    from hearth.cluster.node.images.build import build
    from hearth.cluster.node.images.detect import BuildError

    if not folder.is_dir():
        raise UserError(f"{folder} is no folder")
    store = ImageStore(data_dir)
    builds = data_dir / "builds"
    try:
        image = build(folder.absolute(), name, store, builds=builds, say=print)
    except (BuildError, InvalidImageName) as error:
        raise UserError(str(error)) from error
    print(f"{name} runs: {' '.join(image.command_line((), ()))}")
    print(f"Use it as `image: {name}` in YAML.")
