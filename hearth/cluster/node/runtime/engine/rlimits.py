"""Limits that an engine must be told, because it may not raise its own.

Podman gives every container 1048576 open files. Without CAP_SYS_RESOURCE that is refused, unless
limits are named, both of them, within those of the engine's own process.
"""

from __future__ import annotations

import re
import socket
import struct
from pathlib import Path

_SYS_RESOURCE = 24
_NAMES = {"nofile": "Max open files", "nproc": "Max processes"}
_MOST_PROCESSES = 32768


def missing_rlimits(socket_path: str) -> dict[str, int]:
    """What containers may have at most, by name; nothing where the engine may give all."""
    pid = _listener(socket_path)
    try:
        status = Path(f"/proc/{pid}/status").read_text()
        limits = Path(f"/proc/{pid}/limits").read_text()
    except OSError:
        return {}
    return rlimits_of(status, limits)


def rlimits_of(status: str, limits: str) -> dict[str, int]:
    """The same, of the two files that the kernel has about a process. Pure."""
    found = re.search(r"^CapEff:\s*([0-9a-f]+)", status, re.MULTILINE)
    if found is None or int(found[1], 16) & (1 << _SYS_RESOURCE):
        return {}
    made = {}
    for name, title in _NAMES.items():
        line = re.search(rf"^{title}\s+\S+\s+(\S+)", limits, re.MULTILINE)
        hard = int(line[1]) if line and line[1].isdigit() else _MOST_PROCESSES
        made[name] = min(hard, _MOST_PROCESSES) if name == "nproc" else hard
    return made


def _listener(socket_path: str) -> int:
    """Who listens on a socket; 0 where nobody does."""
    with socket.socket(socket.AF_UNIX) as asked:
        try:
            asked.connect(socket_path)
            credentials = asked.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        except OSError:
            return 0
    pid: int = struct.unpack("3i", credentials)[0]
    return pid
