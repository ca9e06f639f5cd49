"""What a pipeline is made of: a script by itself, or with a folder and packages, as an image."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hearth.cli.errors import UserError
from hearth.cli.pipelines.place import Place
from hearth.pipelines.packing import USUAL
from hearth.pipelines.reading import ScriptError, read_script

if TYPE_CHECKING:
    from hearth.functions.building.sources import SourceFolder
    from hearth.functions.detection.application import Application


@dataclass(frozen=True, slots=True)
class Script:
    """A script, and what it takes where Hearth's own image does not do."""

    label: str
    """As it was named."""
    name: str
    """Of the pipeline, where no other is given."""
    text: str
    source: SourceFolder
    application: Application | None


def is_script(what: str) -> bool:
    """Whether a word means a file or a folder, and no pipeline's name.

    A folder is written as a path (``./build``), or has a pipeline.py.
    """
    path = Path(what)
    if path.is_dir():
        return "/" in what or what.startswith((".", "~")) or (path / USUAL).is_file()
    return what.endswith(".py") or "/" in what or path.is_file()


def read(path: Path) -> Script:
    """Return what a file or a folder holds; raise UserError where it is no use."""
    from hearth.functions.building.sources import SourceFolder
    from hearth.pipelines import packing

    path = path.expanduser()
    with _told(path):
        whole = Path(os.path.abspath(path))
        if path.is_dir():
            source, name = SourceFolder(whole), whole.name
            file = packing.script_in(source)
            label = str(path / file)
        else:
            source, name = SourceFolder(whole.parent, whole.name), whole.stem
            file, label = whole.name, str(path)
        text = (source.folder / file).read_text()
        try:
            read_script(text)
        except ScriptError as error:
            raise UserError(f"{label}: {error}") from error
        return Script(label, name, text, source, packing.application(source, file))


@contextmanager
def _told(path: Path) -> Iterator[None]:
    from hearth.functions.detection.application import DetectionError

    try:
        yield
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: {getattr(error, 'strerror', None) or error}") from error
    except DetectionError as error:
        raise UserError(str(error)) from error


async def built(script: Script, name: str, place: Place, flags: Mapping[str, Any]) -> str:
    """Return the image of a script's folder and packages, "" where it takes none.

    ``flags`` are settings of ``hearth deploy``: registry, base, platforms.
    """
    if script.application is None:
        if any(flags.values()):
            print(f"no image is made: {script.label} imports nothing that Hearth's own has not")
        return ""
    from hearth.cli.deploy.building import made_image
    from hearth.functions.deploying.settings import FILE, SettingsError, read_file, settings_of

    try:
        given = {key: value for key, value in flags.items() if value is not None}
        settings = settings_of({**given, "name": name}, "the command line")
        if FILE in script.source.paths:
            settings = settings.over(read_file(script.source.text(FILE)))
    except SettingsError as error:
        raise UserError(str(error)) from error
    if settings.registry is None and (flags.get("base") or flags.get("platforms")):
        raise UserError("--base and --platform are of an image: say with --registry where it goes")
    print(f"found: {' '.join(script.application.reasons)}")
    image, _ = await made_image(
        script.source,
        script.application,
        settings,
        data_dir=place.data_dir,
        kubeconfig=place.kubeconfig,
        say=print,
    )
    return image
