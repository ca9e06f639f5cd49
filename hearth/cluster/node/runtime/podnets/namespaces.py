"""Network namespaces that are kept by a file, as ``ip netns`` keeps them.

A namespace belongs to a thread. What is done inside one is done by a thread that returns to its
own afterwards; one that cannot return ends the process rather than serve from the wrong network.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

_NEWNET, _BIND, _DETACH = 0x40000000, 4096, 2
_OWN = "/proc/thread-self/ns/net"

T = TypeVar("T")
_libc = ctypes.CDLL(None, use_errno=True)


def _call(name: str, *args: object) -> None:
    if getattr(_libc, name)(*args) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


@contextlib.contextmanager
def _elsewhere() -> Iterator[int]:
    """The caller may leave its namespace in the block; yields a descriptor of that namespace."""
    home = os.open(_OWN, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield home
    finally:
        if _libc.setns(home, _NEWNET) != 0:
            os.abort()
        os.close(home)


def make_namespace(path: Path, set_up: Callable[[int], None]) -> None:
    """Make a namespace that ``path`` keeps; ``set_up`` runs in it, with that of the caller."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.touch(mode=0o600)
    with _elsewhere() as home:
        _call("unshare", _NEWNET)
        _call("mount", _OWN.encode(), os.fsencode(path), None, ctypes.c_ulong(_BIND), None)
        set_up(home)


def in_namespace(path: Path, work: Callable[[], T]) -> T:
    """Do something in a namespace. It keeps the thread: nothing that waits long."""
    with _elsewhere(), open(path, "rb") as there:
        _call("setns", there.fileno(), _NEWNET)
        return work()


def connect_inside(path: Path, port: int) -> socket.socket:
    """A socket connected to a port of the loopback address in there; raises OSError."""
    return in_namespace(path, lambda: socket.create_connection(("localhost", port), timeout=5))


def remove_namespace(path: Path) -> None:
    """Let go of a namespace: it ends with the last process in it."""
    with contextlib.suppress(OSError):
        _call("umount2", os.fsencode(path), _DETACH)
    path.unlink(missing_ok=True)
