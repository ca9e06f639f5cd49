"""Writes a set of files so that a reader sees either the old set or the new one.

The layout is kubelet's, because programs know it: files live in a dated folder, ``..data`` is a
symlink to it that is swapped in one rename, and the visible names are symlinks through ``..data``.
The date comes before ``..data`` in any order, and a program that walks the folder and ends at the
first thing that it cannot read, as Knative's do at that symlink, has read all files by then.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath

from hearth.cluster.node.pod.environment import ConfigError
from hearth.cluster.node.pod.owners import Owners
from hearth.cluster.node.pod.payload import File

_DATA = "..data"
NOBODY = Owners()


def write_files(folder: Path, files: Mapping[str, File], owners: Owners = NOBODY) -> bool:
    """Makes ``folder`` hold exactly these files; False when it did already.

    Any user may look into the folder: who is kept out is kept out by modes of files, and by the
    folder of the pod, which is above it and never shown to a container.
    """
    for path in files:
        _check(path)
    current = folder / _DATA
    files = {path: replace(file, mode=owners.file_mode(file.mode)) for path, file in files.items()}
    if current.is_dir() and _holds(current, files):
        return False
    folder.mkdir(parents=True, exist_ok=True)
    open_folder(folder, owners)
    dated = time.strftime("..%Y_%m_%d_%H_%M_%S.", time.gmtime())
    fresh = Path(tempfile.mkdtemp(prefix=dated, dir=folder))
    open_folder(fresh, owners)
    for path, file in files.items():
        _write(fresh, path, file, owners)
    before = current.resolve() if current.is_symlink() else None
    swap = folder / "..data_tmp"
    with contextlib.suppress(FileNotFoundError):
        swap.unlink()
    swap.symlink_to(fresh.name)
    os.replace(swap, current)
    _link_names(folder, {PurePosixPath(path).parts[0] for path in files})
    if before is not None:
        shutil.rmtree(before, ignore_errors=True)
    return True


def open_folder(folder: Path, owners: Owners, mode: int = 0o755) -> None:
    """Gives a folder its mode and its group."""
    give(folder, group=owners.group)
    folder.chmod(owners.folder_mode(mode))


def give(path: Path, *, group: int | None = None, user: int | None = None) -> None:
    """Gives a file or folder to others; without root it stays our own."""
    if group is not None or user is not None:
        with contextlib.suppress(PermissionError):
            os.chown(path, -1 if user is None else user, -1 if group is None else group)


def _write(fresh: Path, path: str, file: File, owners: Owners) -> None:
    target = fresh / path
    for folder in reversed(target.relative_to(fresh).parents[:-1]):
        if not (fresh / folder).is_dir():
            (fresh / folder).mkdir()
            open_folder(fresh / folder, owners)
    target.write_bytes(file.content)
    give(target, group=owners.group, user=file.user)
    target.chmod(file.mode)


def _check(path: str) -> None:
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts or parts[0].startswith(".."):
        raise ConfigError(f'invalid path "{path}" in a volume')


def _holds(current: Path, files: Mapping[str, File]) -> bool:
    present = {str(p.relative_to(current)) for p in current.rglob("*") if p.is_file()}
    return present == set(files) and all(
        (current / path).read_bytes() == file.content
        and (current / path).stat().st_mode & 0o7777 == file.mode
        for path, file in files.items()
    )


def _link_names(folder: Path, names: set[str]) -> None:
    for entry in folder.iterdir():
        if not entry.name.startswith("..") and entry.name not in names:
            entry.unlink()
    for name in names:
        link = folder / name
        if not link.is_symlink():
            link.symlink_to(f"{_DATA}/{name}")
