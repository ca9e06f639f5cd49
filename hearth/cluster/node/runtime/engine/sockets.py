"""Which container engine this machine has: looked for where the docker CLI looks, nothing started.

A connection would have systemd start an engine that sleeps behind its socket, so the kernel's list
of listening sockets is asked first. It has those of our network namespace, systemd's among them;
rootless Docker listens in a namespace of its own.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

_LISTENING = "00010000"
_PATIENCE = 1.0
_UNIX = "unix://"


@dataclass(frozen=True, slots=True)
class Found:
    """An engine: its socket, or else the command that can serve one."""

    kind: str
    """docker or podman, as far as the name tells."""
    socket: str = ""
    command: str = ""
    is_root: bool = False

    def __str__(self) -> str:
        rights = "rootful" if self.is_root else "rootless"
        return f"{self.kind} ({rights})"


def find_engine(
    wanted: str,
    env: Mapping[str, str],
    *,
    home: Path,
    uid: int,
    is_served: Callable[[str], bool],
    runc: str = "",
) -> Found | None:
    """The engine of that kind, or for ``auto`` any; a socket that is served comes first.

    ``runc`` is the program that runs containers without an engine, where one works here. It comes
    before an engine that would have to be started.
    """
    for kind, path in _sockets(env, home=home, uid=uid):
        if wanted in ("auto", kind) and is_served(path):
            return Found(kind, path, is_root=_is_of_root(path))
    if wanted in ("auto", "runc") and runc:
        return Found(Path(runc).name, command=runc, is_root=True)
    if wanted in ("auto", "podman"):
        command = shutil.which("podman", path=env.get("PATH"))
        if command is not None:
            return Found("podman", command=command, is_root=uid == 0)
    return None


def _is_of_root(path: str) -> bool:
    """By whose the socket is; by its place, where that cannot be told."""
    try:
        return os.stat(path).st_uid == 0
    except OSError:
        return not path.startswith("/run/user/")


def _sockets(env: Mapping[str, str], *, home: Path, uid: int) -> Iterator[tuple[str, str]]:
    """Candidates, what the user has named first."""
    for url in (env.get("DOCKER_HOST", ""), _context_url(env, home), env.get("CONTAINER_HOST", "")):
        if url.startswith(_UNIX):
            path = url.removeprefix(_UNIX)
            yield ("podman" if "podman" in path else "docker"), path
    runtime_dir = env.get("XDG_RUNTIME_DIR") or f"/run/user/{uid}"
    if uid != 0:
        yield "podman", f"{runtime_dir}/podman/podman.sock"
        yield "docker", f"{runtime_dir}/docker.sock"
    else:
        yield "podman", "/run/podman/podman.sock"
    yield "docker", "/run/docker.sock"
    yield "docker", "/var/run/docker.sock"


def _context_url(env: Mapping[str, str], home: Path) -> str:
    """The address of docker's current context; empty for the default one."""
    folder = Path(env.get("DOCKER_CONFIG") or home / ".docker")
    try:
        name = env.get("DOCKER_CONTEXT") or json.loads((folder / "config.json").read_text()).get(
            "currentContext", ""
        )
        if not name or name == "default":
            return ""
        digest = hashlib.sha256(name.encode()).hexdigest()
        data = json.loads((folder / "contexts/meta" / digest / "meta.json").read_text())
        return str(data["Endpoints"]["docker"]["Host"])
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        return ""


def is_served(path: str, table: Path = Path("/proc/net/unix")) -> bool:
    """Whether somebody listens on a unix socket."""
    with contextlib.suppress(OSError):
        fields = (line.split(maxsplit=7) for line in table.read_text(errors="replace").splitlines())
        if any(len(f) == 8 and f[3] == _LISTENING and f[7] == path for f in fields):
            return True
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as asked:
        asked.settimeout(_PATIENCE)
        asked.connect(path)
        return True
    return False
