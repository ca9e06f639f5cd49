"""Writes files into a folder, all or none, and never over others unless that is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from hearth.cli.errors import UserError


def write_files(folder: Path, files: Mapping[str, str], *, force: bool) -> None:
    """Write files by their paths in a folder; UserError names those that are there already."""
    for path in files:
        check_inside(folder, path)
    there = [path for path, text in files.items() if _differs(folder / path, text)]
    if there and not force:
        raise UserError(
            f"{folder} has {', '.join(sorted(there))} already, which would change: nothing was "
            "written; --force writes over"
        )
    for path, text in files.items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, "utf-8")


def _differs(place: Path, text: str) -> bool:
    if not place.exists() and not place.is_symlink():
        return False
    return not place.is_file() or place.read_bytes() != text.encode()


def check_inside(folder: Path, path: str) -> None:
    """Raise UserError where a path leaves the folder, by its words or by a link on the way."""
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts or not pure.parts or "\0" in path:
        raise UserError(f"{path!r} leaves the folder: it is not written")
    root = folder.resolve()
    if not (folder / path).resolve().is_relative_to(root):
        raise UserError(f"{path} is led out of {folder} by a link: it is not written")
