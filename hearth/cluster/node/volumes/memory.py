"""Volumes in memory: a tmpfs where we may mount one (CAP_SYS_ADMIN), else a folder on disk."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

_NOSUID, _NODEV, _DETACH = 2, 4, 2  # linux/mount.h, umount2(2)
_libc = ctypes.CDLL(None, use_errno=True)


def mount_memory(path: Path, size_bytes: int | None) -> bool:
    """Puts memory at a folder; False where it is there already, or this process may not."""
    if path.is_mount():
        return False
    options = "mode=0777" + ("" if size_bytes is None else f",size={size_bytes}")
    done = _libc.mount(
        b"tmpfs", os.fsencode(path), b"tmpfs", ctypes.c_ulong(_NOSUID | _NODEV), options.encode()
    )
    return bool(done == 0)


def unmount_all(folder: Path) -> None:
    """Lets go of the memory at the folders right below one; who still uses it keeps it."""
    if folder.is_dir():
        for path in folder.iterdir():
            if not path.is_symlink() and path.is_mount():
                _libc.umount2(os.fsencode(path), _DETACH)
