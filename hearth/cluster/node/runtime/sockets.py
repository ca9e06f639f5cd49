"""Where processes listen, as /proc has it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from hearth.cluster.node.pod.listening import Listening, parse_sockets

_TABLES = ("tcp", "tcp6")


def of_processes(pids: Iterable[int]) -> Listening:
    """Of processes in this machine's own network."""
    held = {inode for pid in pids for inode in _inodes(pid)}
    return Listening(frozenset(at for inode, at in _all("self") if inode in held), False)


def of_network(pid: int) -> Listening | None:
    """Of all processes in the network of one; None where it is this machine's, or not seen."""
    try:
        if os.readlink(f"/proc/{pid}/ns/net") == os.readlink("/proc/self/ns/net"):
            return None
        return Listening(frozenset(at for _, at in _all(str(pid))), True)
    except OSError:
        return None


def _all(process: str) -> Iterator[tuple[int, tuple[str, int]]]:
    for table in _TABLES:
        path = Path(f"/proc/{process}/net/{table}")
        if table == "tcp" or path.exists():  # a kernel may have no IPv6
            yield from parse_sockets(path.read_text())


def _inodes(pid: int) -> Iterator[int]:
    with contextlib.suppress(OSError):
        for fd in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(OSError):
                link = os.readlink(f"/proc/{pid}/fd/{fd}")
                if link.startswith("socket:["):
                    yield int(link[8:-1])
