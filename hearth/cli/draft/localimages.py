"""Images that only this machine knows: pushed to a registry for an export, or told of.

Of ``hearth deploy`` of a folder (a command, of which an image can be made), of a Dockerfile (an
image in the store here), of ``hearth image add`` (a command, of which nothing can be made).
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

from hearth.cli.errors import UserError
from hearth.cli.imageplaces import place_at_hand
from hearth.cli.images import LOCAL, found_in
from hearth.cluster.node.images.store import ImageSpec, ImageStore
from hearth.functions.building.sources import SourceFolder
from hearth.functions.deploying.settings import FILE, DeploySettings, read_file
from hearth.functions.drafting.exporting import images
from hearth.kube import meta
from hearth.kube.meta import Object
from hearth.oci.references import InvalidImageName, parse_reference

_to_stderr = partial(print, file=sys.stderr)


async def with_images(data_dir: Path, registry: str | None, obj: Object) -> list[str]:
    """Name images by where a registry has them now; return what is left to say of others."""
    told = []
    for container in images(obj):
        image = str(container["image"])
        known = _known_here(data_dir, image)
        is_stored = known is None and image.startswith(f"{LOCAL}/")
        if known is None and not is_stored:
            continue
        if registry is None or not (is_stored or _is_folder(known)):
            told.append(_only_here(obj, image, known))
        elif known is None:
            container["image"] = await _pushed(data_dir, image, f"{registry}/{meta.name(obj)}")
        else:
            container["image"] = await _made(data_dir, known, registry, meta.name(obj))
    return told


def _known_here(data_dir: Path, image: str) -> ImageSpec | None:
    """What an image's name means here, where it means a command of this machine."""
    try:
        known = ImageStore(data_dir).resolve(image)
    except InvalidImageName:
        return None
    return None if known is None or known.is_stand_in else known


def _is_folder(known: ImageSpec | None) -> bool:
    """Whether it was made of a folder that is still there."""
    return known is not None and bool(known.content) and Path(known.source).is_dir()


def _only_here(obj: Object, image: str, known: ImageSpec | None) -> str:
    called = f"{meta.name(obj)} runs {image.partition('@')[0]}, which only this machine knows"
    if known is None:
        return f"{called}: --registry HOST/PATH pushes it"
    if _is_folder(known):
        return f"{called}: --registry HOST/PATH makes an image of {known.source} and pushes it"
    return f"{called}: build an image of it, push it to a registry, and name that one"


async def _made(data_dir: Path, known: ImageSpec, registry: str, name: str) -> str:
    """An image of the folder that is deployed; of the copy that runs where it has changed."""
    from hearth.cli.deploy.sending import sent_image

    source = SourceFolder(Path(known.source))
    if source.digest != known.content:
        source = SourceFolder(Path(known.workdir))
    settings = DeploySettings(name=name, registry=registry)
    if FILE in source.paths:
        settings = settings.over(read_file(source.text(FILE)))
    return await sent_image(data_dir, source, found_in(source), settings, _to_stderr)


async def _pushed(data_dir: Path, image: str, name: str) -> str:
    """An image of the store here, or of the engine."""
    place = place_at_hand(data_dir)
    if place is None:
        raise UserError(f"{image} cannot be pushed: nothing that runs containers answers here")
    try:
        reference = parse_reference(image)
        to = parse_reference(f"{name}:{image.partition('@')[0].rpartition(':')[2]}")
    except InvalidImageName as error:
        raise UserError(str(error)) from error
    digest = await place.push(reference, to, _Told())
    _to_stderr(f"pushed {to}")
    return f"{to.repository}@{digest}"


class _Told:
    """Hears of the pieces of an image, and tells nothing: stdout may be the manifests."""

    def __call__(self, piece: str, state: str) -> None:
        """``state`` is a percentage or a word."""
