"""What ``hearth deploy`` was given: a folder, one file, or the name of an image."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hearth.functions.building.sources import SourceFolder
from hearth.functions.detection.application import DetectionError
from hearth.functions.detection.detect import DOCKERFILES


@dataclass(frozen=True, slots=True)
class Target:
    """``source`` is what is built; None where ``label`` is an image's name."""

    label: str
    source: SourceFolder | None


def target_of(text: str) -> Target:
    """Return what a word of the command line means; DetectionError where it names nothing."""
    path = Path(text).expanduser()
    is_dockerfile = path.name in DOCKERFILES and path.is_file()
    if path.is_dir() or is_dockerfile:
        folder = path.absolute().parent if is_dockerfile else path.absolute()
        return Target(folder.name, SourceFolder(folder))
    if path.is_file():
        return Target(path.stem, SourceFolder(path.absolute().parent, only=path.name))
    if text.startswith((".", "/", "~")) or text.endswith((".py", ".js", ".go", "/")):
        raise DetectionError(f"there is no file or folder {text}")
    return Target(text, None)
