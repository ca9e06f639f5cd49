"""How much of the disk a folder takes."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

_BLOCK = 512  # what st_blocks counts in, whatever the file system (stat(2))


def disk_usage(folder: Path, most: int) -> int:
    """Bytes of all files and folders, each once; what is more than ``most`` is not looked for.

    Symlinks lead nowhere, also those that a container puts in the way meanwhile.
    """
    total = 0
    seen: set[tuple[int, int]] = set()
    with contextlib.suppress(OSError):  # the folder has gone
        for _, folders, files, at in os.fwalk(folder):
            total += sum(_bytes(name, at, seen) for name in (".", *files, *folders))
            if total > most:
                break
    return total


def _bytes(name: str, folder: int, seen: set[tuple[int, int]]) -> int:
    try:
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except OSError:
        return 0
    identity = (found.st_dev, found.st_ino)
    if identity in seen:
        return 0
    if found.st_nlink > 1:
        seen.add(identity)
    return found.st_blocks * _BLOCK
