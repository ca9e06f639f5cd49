"""Has what a folder holds made into an image: for this machine's pods, or in a registry."""

from __future__ import annotations

from pathlib import Path

from hearth.cli.errors import UserError
from hearth.cli.images import LOCAL, built_image
from hearth.functions.building.environments import Say
from hearth.functions.building.sources import SourceFolder
from hearth.functions.deploying.settings import DeploySettings
from hearth.functions.detection.application import Application


async def made_image(
    source: SourceFolder,
    application: Application,
    settings: DeploySettings,
    *,
    data_dir: Path,
    kubeconfig: Path | None,
    say: Say,
) -> tuple[str, int | None]:
    """Return the image's name with its digest, and the port that it exposes, if it says one.

    ``settings`` have its name, and its registry where ``kubeconfig`` names a cluster. Raise
    UserError with what to do.
    """
    if settings.registry is None and kubeconfig is not None:
        raise UserError(
            "a cluster takes images from a registry: say which with --registry HOST/PATH; what "
            "`docker login` knows of it is used"
        )
    if application.dockerfile:
        from hearth.cli.dockerfiles import container_image

        return await container_image(data_dir, source, application, settings, say)
    if settings.registry is not None:
        from hearth.cli.deploy.sending import sent_image

        return await sent_image(data_dir, source, application, settings, say), None
    return built_image(data_dir, source, application, f"{LOCAL}/{settings.name}", say), None
