"""The files of a folder: which count, what is in them, a digest, and a copy that stays."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path

from pathspec import GitIgnoreSpec

from hearth.functions.detection.application import DetectionError
from hearth.functions.detection.detect import DOCKERFILES

_NEVER = (
    *(".git/", ".hg/", ".svn/", ".hearth/", ".func/", ".idea/", ".vscode/", ".DS_Store"),
    *(".venv/", "venv/", "node_modules/", "__pycache__/"),
    *(".mypy_cache/", ".pytest_cache/", ".ruff_cache/", ".tox/"),
)
_IGNORE_FILES = (".hearthignore", ".gcloudignore", ".dockerignore")
_BESIDE = ("requirements.txt",)  # what goes with a single file
_MOST_FILES = 50_000
_MOST_TEXT = 4 * 1024 * 1024
_DONE = ".complete"


class SourceFolder:
    """A folder on disk, as detection looks at it, or ``only`` one of its files and its packages.

    ``paths`` and ``digest`` are read once.
    """

    def __init__(self, folder: Path, only: str = "") -> None:
        if not folder.is_dir():
            raise DetectionError(f"{folder} is not a folder")
        self.folder = folder
        paths = _files(folder, _ignored(folder)) if not only else iter((only, *_BESIDE))
        self.paths = frozenset(path for path in paths if not only or (folder / path).is_file())

    @property
    def label(self) -> str:
        """The folder as it was named."""
        return str(self.folder)

    def text(self, path: str) -> str:
        """Return a file's text; DetectionError where it is none, or too much of it."""
        place = self.folder / path
        try:
            if place.stat().st_size > _MOST_TEXT:
                raise DetectionError(f"{place} is too large to be looked into")
            return place.read_text("utf-8")
        except (OSError, ValueError) as error:
            raise DetectionError(f"{place} cannot be read: {error}") from error

    @cached_property
    def digest(self) -> str:
        """A digest of all files: names, contents, and whether they can be executed."""
        digest = hashlib.sha256()
        for path in sorted(self.paths):
            place = self.folder / path
            digest.update(os.fsencode(path) + b"\0")
            if place.is_symlink():
                digest.update(b"link\0" + os.fsencode(os.readlink(place)))
            else:
                executable = b"x" if os.access(place, os.X_OK) else b"-"
                with place.open("rb") as file:
                    digest.update(executable + hashlib.file_digest(file, "sha256").digest())
        return "sha256:" + digest.hexdigest()


def kept_copy(source: SourceFolder, place: Path, prepare: Callable[[Path], None]) -> Path:
    """Return a copy of the files at ``place``, made once; ``prepare`` finishes a fresh one.

    A revision runs from its copy, so that it goes on running what was deployed whatever becomes of
    the folder. What was left half made by an end in the middle is made anew.
    """
    if (place / _DONE).exists():
        return place
    shutil.rmtree(place, ignore_errors=True)
    for path in sorted(source.paths):
        target = place / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source.folder / path, target, follow_symlinks=False)
    place.mkdir(parents=True, exist_ok=True)
    prepare(place)
    (place / _DONE).touch()
    return place


def _ignored(folder: Path) -> GitIgnoreSpec:
    """What does not count; patterns are those of git."""
    lines = list(_NEVER)
    for name in _IGNORE_FILES:
        if (folder / name).is_file():
            lines += (folder / name).read_text("utf-8", "replace").splitlines()
            break
    return GitIgnoreSpec.from_lines(lines)


def _files(folder: Path, ignored: GitIgnoreSpec) -> Iterator[str]:
    for count, path in enumerate(_walk(folder, folder, ignored)):
        if count >= _MOST_FILES:
            raise DetectionError(
                f"{folder} has more than {_MOST_FILES:,} files: name what does not belong to the "
                "application in a file .hearthignore, as in .gitignore"
            )
        yield path


def _walk(root: Path, folder: Path, ignored: GitIgnoreSpec) -> Iterator[str]:
    for entry in os.scandir(folder):
        path = os.path.relpath(entry.path, root)
        is_folder = entry.is_dir(follow_symlinks=False)
        is_ignored = ignored.match_file(f"{path}/" if is_folder else path)
        if is_ignored and path not in DOCKERFILES:  # which .dockerignore often names
            continue
        if is_folder:
            yield from _walk(root, Path(entry.path), ignored)
        elif entry.is_symlink() or stat.S_ISREG(entry.stat().st_mode):
            yield path
