"""Dockerfiles: which tool builds one here, and how the image comes to where it is to run."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from pathlib import Path

from hearth.cli.errors import UserError
from hearth.cli.imageplaces import place_of
from hearth.cli.runtimes import Runtime, choose
from hearth.cli.state import is_running, read_state
from hearth.cluster.node.runtime.engine.service import other_runtime
from hearth.cluster.node.runtime.engine.sockets import find_engine, is_served
from hearth.functions.building.dockerfile import Tool
from hearth.functions.building.environments import Say
from hearth.functions.building.errors import BuildError
from hearth.functions.building.sources import SourceFolder
from hearth.functions.deploying.settings import DeploySettings
from hearth.functions.detection.application import Application
from hearth.oci.errors import OciError
from hearth.oci.helpers import docker_config, machine_logins
from hearth.oci.references import InvalidImageName, Reference, parse_reference
from hearth.oci.registry import Repository, client, is_plain


async def container_image(
    data_dir: Path,
    source: SourceFolder,
    application: Application,
    settings: DeploySettings,
    say: Say,
    name: str = "",
) -> tuple[str, int | None]:
    """Build a Dockerfile; return the image's name and the port that it exposes, if it is one.

    The image is where containers of this machine find it, as ``name``, or in the registry that
    the settings name, by its digest there. Raise UserError with what to do.
    """
    platforms = settings.platforms or [""]
    if len(platforms) > 1 or settings.base:
        raise UserError("a Dockerfile is built for one --platform, and names its --base itself")
    kind, socket = _engine(data_dir)
    if settings.registry is None and not kind:
        raise UserError(
            f"{source.label}/{application.dockerfile} makes a container, and this Hearth runs none "
            "(docs/containers.md says what that takes); --build code runs the folder's own program"
        )
    tool = _tool(kind, socket)
    try:
        say(f"building it with {tool.kind}")
        args = settings.build_args
        image = tool.build(source.folder, application.dockerfile, args, platforms[0], say)
        named = f"{settings.registry or 'dev.local'}/{settings.name}:{image[:12]}"
        reference = parse_reference(name or named)
        if settings.registry is not None:
            return await _push(tool, image, reference, say), tool.port(image)
        await _keep(tool, image, reference, data_dir, is_engines=tool.kind == kind)
    except (BuildError, InvalidImageName, OciError) as error:
        raise UserError(str(error)) from error
    return name or named, tool.port(image)


def _engine(data_dir: Path) -> tuple[str, str]:
    """What runs containers of this Hearth, or would of the next, and its socket; "" for none."""
    state = read_state(data_dir)
    if is_running(state):
        return state.get("engine") or "", state.get("engineSocket") or ""
    engine = choose(Runtime.AUTO).engine
    return ("", "") if engine is None else (engine.kind, engine.socket)


def _tool(kind: str, socket: str) -> Tool:
    """The engine's own tool where it is there, else any that builds."""
    docker = socket if kind == "docker" else _served_docker()
    podman = ("--remote", "--url", f"unix://{socket}") if socket else other_runtime()
    found = [
        Tool("docker", ("docker", "--host", f"unix://{docker}")) if docker else None,
        Tool("podman", ("podman", *(podman if kind == "podman" else other_runtime()))),
        Tool("buildah", ("buildah",)),
    ]
    there = [each for each in found if each is not None and shutil.which(each.kind)]
    if not there:
        raise UserError(
            "nothing here builds a Dockerfile: install docker, podman or buildah (Debian: apt "
            "install buildah); --build code runs the folder's own program without one"
        )
    return min(there, key=lambda tool: tool.kind != kind)


def _served_docker() -> str:
    home = Path.home()
    found = find_engine("docker", os.environ, home=home, uid=os.getuid(), is_served=is_served)
    return found.socket if found is not None else ""


async def _keep(
    tool: Tool, image: str, name: Reference, data_dir: Path, *, is_engines: bool
) -> None:
    """Have containers of this machine find an image; ``is_engines``: it is there already."""
    if is_engines:
        tool.tag(image, str(name))
        return
    place = place_of(data_dir)
    if place is None:
        raise UserError(f"{tool.kind} has built it, but the engine that runs containers is away")
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "image.tar"
        await asyncio.to_thread(tool.save, image, archive)
        await place.load(archive, name)


async def _push(tool: Tool, image: str, name: Reference, say: Say) -> str:
    tool.tag(image, str(name))
    tool.push(str(name), is_plain=is_plain(name.host), say=say)
    logins = await machine_logins(docker_config(os.environ, Path.home()), name)
    async with client() as http:
        digest = (await Repository(http, name, logins).manifest(name.tag)).digest
    say(f"pushed {name}")
    return f"{name.repository}@{digest}"
