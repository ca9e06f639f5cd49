"""Commands of runc, which crun takes as well."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from hearth.cluster.node.runtime.bundles.config import capabilities_of
from hearth.cluster.node.runtime.bundles.kernel import able
from hearth.cluster.node.runtime.containers.launching import launch_text
from hearth.cluster.node.runtime.containers.waiter import PATH
from hearth.timeouts import time_limit

ENVIRONMENT = {"PATH": PATH}
_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Runc:
    """A program and where it keeps what it knows."""

    program: str
    state: Path

    def command(self, log: Path, *words: str) -> tuple[str, ...]:
        """A command line; errors go to ``log``, a line of JSON each."""
        head = (self.program, "--root", str(self.state), "--log", str(log), "--log-format", "json")
        return (*head, *words)

    def delete(self, container: str) -> None:
        """Kills and removes a container, with its control groups; no harm where there is none."""
        words = (self.program, "--root", str(self.state), "delete", "--force", container)
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            subprocess.run(words, env=ENVIRONMENT, capture_output=True, timeout=_SECONDS)

    def start(self, container: str) -> None:
        """Has the first process go on to its program; raises OSError, SubprocessError."""
        words = (self.program, "--root", str(self.state), "start", container)
        subprocess.run(words, env=ENVIRONMENT, capture_output=True, timeout=_SECONDS, check=True)

    def known(self) -> list[str]:
        """The containers that there are, running or not."""
        with contextlib.suppress(FileNotFoundError):
            return os.listdir(self.state)
        return []


def error_in(log: Path) -> str:
    """The last error of a log, without the words around it; empty where there is none."""
    found = ""
    with contextlib.suppress(OSError):
        for line in log.read_text(errors="replace").splitlines():
            with contextlib.suppress(ValueError, AttributeError):
                entry = json.loads(line)
                found = entry.get("msg", "") if entry.get("level") == "error" else found
    return launch_text(found.rpartition("container process: ")[2])


def find_program(path: str = PATH) -> str:
    """runc, else crun, on that path, where it works here; empty for none.

    It needs root with all that mounts and networks take. crun refuses a machine whose cgroup v2
    tree has controllers beside v1 (hybrid).
    """
    if os.geteuid() != 0 or not {"SYS_ADMIN", "NET_ADMIN", "MKNOD"} <= capabilities_of(able()):
        return ""
    is_pure = Path("/sys/fs/cgroup/cgroup.controllers").exists()
    found = shutil.which("runc", path=path) or (is_pure and shutil.which("crun", path=path))
    return found or ""


def version_of(program: str) -> str:
    """``runc 1.1.5``."""
    said = subprocess.run(
        [program, "--version"], env=ENVIRONMENT, capture_output=True, text=True, timeout=_SECONDS
    )
    words = said.stdout.split("\n", 1)[0].split()
    return words[-1].partition("+")[0] if words else "0"


async def read_once(pipe: Path) -> None:
    """Reads what the first process writes once somebody reads; raises OSError, TimeoutError."""
    loop = asyncio.get_running_loop()
    fd = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    came: asyncio.Future[None] = loop.create_future()
    loop.add_reader(fd, _set, came)
    try:
        async with time_limit(_SECONDS):
            await came
    finally:
        loop.remove_reader(fd)
        os.close(fd)


def _set(came: asyncio.Future[None]) -> None:
    if not came.done():
        came.set_result(None)
