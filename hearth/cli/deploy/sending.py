"""Has an image of a folder made and put to a registry, with what docker's config knows of both."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from hearth.cli.errors import UserError
from hearth.functions.building.builds import building
from hearth.functions.building.environments import Say
from hearth.functions.building.errors import BuildError
from hearth.functions.building.sources import SourceFolder
from hearth.functions.deploying.settings import DeploySettings
from hearth.functions.detection.application import Application
from hearth.functions.imaging import plan
from hearth.functions.imaging.image import ImageMaker, Order
from hearth.oci.errors import OciError
from hearth.oci.helpers import docker_config, machine_logins
from hearth.oci.manifests import Platform, platform_of
from hearth.oci.references import InvalidImageName, parse_reference
from hearth.oci.registry import client


async def sent_image(
    data_dir: Path,
    source: SourceFolder,
    application: Application,
    settings: DeploySettings,
    say: Say,
) -> str:
    """Return the image's name with its digest, once the registry has it; raise UserError."""
    try:
        order = _order(source, application, settings)
        config = docker_config(os.environ, Path.home())
        async with client() as http:
            with building(data_dir / "builds"):
                maker = ImageMaker(data_dir / "builds", http, say)
                digest = await maker.make(
                    order,
                    await machine_logins(config, order.base),
                    await machine_logins(config, order.name),
                )
    except (BuildError, InvalidImageName, OciError) as error:
        raise UserError(str(error)) from error
    say(f"pushed {order.name}")
    return f"{order.name.repository}@{digest}"


def _order(source: SourceFolder, application: Application, settings: DeploySettings) -> Order:
    base = settings.base or plan.BASES[plan.language(application)]
    tag = source.digest.removeprefix("sha256:")[:12]
    return Order(
        source,
        application,
        parse_reference(base),
        tuple(_platform(text) for text in settings.platforms or ()) or (_ours(),),
        parse_reference(f"{settings.registry}/{settings.name}:{tag}"),
    )


def _ours() -> Platform:
    return platform_of(platform.machine())


def _platform(text: str) -> Platform:
    system, slash, architecture = text.partition("/")
    if system != "linux" or not slash or not architecture:
        raise UserError(f"platform {text!r}: give one as linux/amd64")
    return Platform(system, architecture)
