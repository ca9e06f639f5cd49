"""What only the kernel does for containers: overlay mounts, children of others as our own."""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

FOLDER = Path("/run/hearth-containers")
"""Of all nodes' containers."""
_DETACH, _CLONE_FS = 2, 0x200
_libc = ctypes.CDLL(None, use_errno=True)


class Overlays:
    """Mounts layers. A mount names all of them in one page, so they are named from their folder.

    A thread of its own stands there.
    """

    def __init__(self, layers: Path) -> None:
        self._layers = layers
        self._thread = ThreadPoolExecutor(1, "overlays", self._stand_there)

    def _stand_there(self) -> None:
        _check(_libc.unshare(_CLONE_FS), "unshare")
        os.chdir(self._layers)

    def mount(self, layers: Sequence[Path], writable: Path, target: Path) -> None:
        """Lays ``layers``, from below, under ``writable`` at ``target``; raises OSError."""
        for each in (writable / "upper", writable / "work", target):
            each.mkdir(parents=True)
        (writable / "upper").chmod(0o755)  # the root of the container, whatever our umask
        lower = ":".join(layer.name for layer in reversed(layers))
        options = f"lowerdir={lower},upperdir={writable}/upper,workdir={writable}/work"
        self._thread.submit(_mount_overlay, target, options).result()

    def close(self) -> None:
        """Ends the thread."""
        self._thread.shutdown()


def _mount_overlay(target: Path, options: str) -> None:
    kind = b"overlay"
    _check(
        _libc.mount(kind, os.fsencode(target), kind, ctypes.c_ulong(0), os.fsencode(options)),
        "mount",
    )


def unmount(target: Path) -> None:
    """Lets go of a mount, where there is one."""
    _libc.umount2(os.fsencode(target), _DETACH)


def _check(result: int, name: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def able() -> int:
    """The capabilities that this process can give to others, as bits."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapBnd:"):
            return int(line.split()[1], 16)
    return 0


def has_swap_limit() -> bool:
    """Whether groups can be kept from swapping."""
    v1 = Path("/sys/fs/cgroup/memory")
    return not v1.exists() or (v1 / "memory.memsw.limit_in_bytes").exists()


def remove_groups(name: str) -> None:
    """Removes control groups of that name at the top of all trees, where they are empty."""
    top = Path("/sys/fs/cgroup")
    for folder in (*top.glob(f"*/{name}"), top / name):
        with contextlib.suppress(OSError):
            folder.rmdir()
