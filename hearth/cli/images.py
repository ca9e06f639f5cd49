"""``hearth image ...`` and ``hearth build``: what image names mean on this machine."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from hearth.cli.containerimages import ContainerImage, Place
from hearth.cli.errors import UserError
from hearth.cli.imageplaces import place_at_hand, place_of
from hearth.cli.state import running_state
from hearth.cluster.node.images.store import ImageSpec, ImageStore
from hearth.oci.references import InvalidImageName, Reference, parse_reference

if TYPE_CHECKING:
    from hearth.functions.building.environments import Say
    from hearth.functions.building.sources import SourceFolder
    from hearth.functions.detection.application import Application


LOCAL = "dev.local"
"""The registry of images that `hearth deploy` makes here, which Knative never asks for."""


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
    containers = _container_images(data_dir)
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
    table = Table("IMAGE", "KIND", "DIGEST", "SIZE", "USED", "RUNS", box=None, pad_edge=False)
    for entry in tagged:
        digest = entry.image.digest.removeprefix("sha256:")[:12]
        line = " ".join(entry.image.command_line((), ()))
        table.add_row(entry.name, "process", digest, "", "", line)
    for image in containers:
        digest = image.digest.removeprefix("sha256:")[:12]
        used = f"{_ago(time.time() - image.used_at)} ago" if image.used_at else ""
        size = f"{image.size / 1e6:.1f} MB"
        table.add_row(image.name, "container", digest, size, used, "")
    Console().print(table)


def _container_images(data_dir: Path) -> list[ContainerImage]:
    """Those at hand; an engine that does not answer has none."""
    place = place_at_hand(data_dir)
    if place is None:
        return []
    try:
        return sorted(asyncio.run(place.images()), key=lambda image: image.name)
    except UserError:
        return []


def _ago(seconds: float) -> str:
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"


def remove_image(data_dir: Path, name: str) -> None:
    """Forgets the command that a name means, or else the image; UserError where there is none."""
    reference = _reference(name)
    if not ImageStore(data_dir).remove(name):
        place = place_at_hand(data_dir)
        if place is None or not asyncio.run(place.remove(reference)):
            raise UserError(f"no image {name!r} is known; `hearth image list` shows them")
    print(f"Forgot {name}.")


def pull_image(data_dir: Path, name: str) -> None:
    """Gets an image for containers from its registry."""
    reference, place = _reference(name), _place(data_dir)
    began = time.monotonic()
    asyncio.run(place.pull(reference))
    print(f"Pulled {reference} in {time.monotonic() - began:.1f} s.")


def push_image(data_dir: Path, name: str, destination: str | None) -> None:
    """Puts an image for containers into a registry."""
    reference, place = _reference(name), _place(data_dir)
    to = _reference(destination or name)
    if to.digest:
        raise UserError(f"{to}: a digest cannot be pushed to; name a tag")
    digest = asyncio.run(place.push(reference, to, Progress()))
    print(f"Pushed {to}: {digest}")


class Progress:
    """Prints how it is with each piece, on a terminal each percent, else how it began and ended."""

    def __init__(self) -> None:
        self._last: dict[str, str] = {}

    def __call__(self, piece: str, state: str) -> None:
        """``state`` is a percentage or a word."""
        is_between = state.endswith("%") and state != "100 %"
        if state != self._last.get(piece) and (sys.stdout.isatty() or not is_between):
            end = "\r" if sys.stdout.isatty() and is_between else "\n"
            print(f"{piece}  {state:20}".rstrip("" if end == "\r" else " "), end=end, flush=True)
        self._last[piece] = state


def import_archive(data_dir: Path, archive: Path, name: str | None) -> None:
    """Takes images for containers from a file that docker, podman or skopeo has written."""
    reference, place = None if name is None else _reference(name), _place(data_dir)
    if not archive.is_file():
        raise UserError(f"there is no file {archive}")
    for loaded in asyncio.run(place.load(archive, reference)):
        print(f"Imported {loaded}. Use it as `image: {loaded}` in YAML.")


def prune_images(data_dir: Path) -> None:
    """Removes what nothing in this Hearth names: images for containers, and builds of folders."""
    from hearth.cli.imagesinuse import images_in_use
    from hearth.functions.building.builds import remove_unused

    in_use = asyncio.run(images_in_use(Path(running_state(data_dir)["kubeconfig"])))
    left = ImageStore(data_dir).prune(in_use, LOCAL)
    named = (text for each in left for text in (*each.entrypoint, each.workdir, *each.env.values()))
    print(f"Removed {remove_unused(data_dir / 'builds', named) / 1e6:.1f} MB of builds.")
    place = place_of(data_dir)
    if place is None:
        return
    try:
        gone = asyncio.run(place.prune(in_use))
    except UserError as error:  # an engine's are left to it, which is no failure of this
        print(error)
        return
    print(f"Removed {gone} image{'' if gone == 1 else 's'}.")


def _place(data_dir: Path) -> Place:
    place = place_of(data_dir)
    if place is None:
        raise UserError(
            "no container engine answers here, so pods are processes: `hearth image add` or "
            "`hearth build` says what an image name means; docs/containers.md says what an engine "
            "takes. A podman that is only a command serves from the first pod that needs it: until "
            "then it is `podman pull` and `podman load`"
        )
    return place


def _reference(name: str) -> Reference:
    try:
        return parse_reference(name)
    except InvalidImageName as error:
        raise UserError(str(error)) from error


def build_image(data_dir: Path, folder: Path, name: str) -> None:
    """Builds the application of a folder and registers it under a name."""
    from hearth.cli.dockerfiles import container_image
    from hearth.functions.building.sources import SourceFolder
    from hearth.functions.deploying.settings import DeploySettings
    from hearth.functions.detection.application import DetectionError

    try:
        source = SourceFolder(folder.absolute())
        application = found_in(source)
        print(f"{folder}: {application.label}")
        if application.dockerfile:
            made = container_image(data_dir, source, application, DeploySettings(), print, name)
            asyncio.run(made)
        else:
            built_image(data_dir, source, application, name, print)
    except DetectionError as error:
        raise UserError(str(error)) from error
    print(f"Use it as `image: {name}` in YAML.")


def found_in(source: SourceFolder, build: str = "") -> Application:
    """Returns how a folder is run; DetectionError where nothing is recognised."""
    from hearth.functions.detection.detect import detect

    return detect(source, build)


def built_image(
    data_dir: Path, source: SourceFolder, application: Application, name: str, say: Say
) -> str:
    """Builds an application and registers it; returns its name with its digest, for a revision."""
    from hearth.functions.building.build import build
    from hearth.functions.building.builds import building
    from hearth.functions.building.errors import BuildError

    builds = data_dir / "builds"
    try:
        with building(builds):
            built = build(source, application, builds=builds, say=say)
            image = ImageStore(data_dir).add(
                name,
                ImageSpec(
                    entrypoint=built.command,
                    env=built.env,
                    workdir=str(built.folder),
                    source=source.label,
                    content=built.content,
                ),
            )
    except (BuildError, InvalidImageName) as error:
        raise UserError(str(error)) from error
    return f"{_reference(name).repository}@{image.digest}"
