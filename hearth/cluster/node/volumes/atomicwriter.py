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
from pathlib import Path, PurePosixPath

from hearth.cluster.node.pod.environment import ConfigError
from hearth.cluster.node.pod.payload import File

_DATA = "..data"


def write_files(folder: Path, files: Mapping[str, File]) -> bool:
    """Makes ``folder`` hold exactly these files; False when it did already."""
    for path in files:
        _check(path)
    current = folder / _DATA
    if current.is_dir() and _holds(current, files):
        return False
    folder.mkdir(parents=True, exist_ok=True)
    dated = time.strftime("..%Y_%m_%d_%H_%M_%S.", time.gmtime())
    fresh = Path(tempfile.mkdtemp(prefix=dated, dir=folder))
    fresh.chmod(0o755)
    for path, file in files.items():
        target = fresh / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.content)
        target.chmod(file.mode)
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
