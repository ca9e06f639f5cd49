"""The folder that builds lie in: one build at a time, and what nobody runs any more goes."""

from __future__ import annotations

import contextlib
import fcntl
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

_KINDS = ("source-*", "python-*", "node-*")
_LAYERS = "images"  # of images that were sent: made again when they are needed


@contextlib.contextmanager
def building(builds: Path) -> Iterator[None]:
    """Hold the folder: two builds of the same files, or one and a removal, wait for each other."""
    builds.mkdir(parents=True, exist_ok=True)
    with (builds / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def remove_unused(builds: Path, named: Iterable[str]) -> int:
    """Remove copies, packages and layers that none of the texts names; return how many bytes went.

    ``named`` is all that images of this machine say: programs, folders, variables.
    """
    if not builds.exists():
        return 0
    texts = tuple(named)
    gone = 0
    with building(builds):
        found = [place for kind in _KINDS for place in builds.glob(kind)]
        for place in (*found, *builds.glob(_LAYERS)):
            if not any(str(place) in text for text in texts):
                gone += _size(place)
                shutil.rmtree(place, ignore_errors=True)
    return gone


def _size(place: Path) -> int:
    return sum(path.lstat().st_size for path in place.rglob("*") if not path.is_dir())
