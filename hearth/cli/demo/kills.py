"""Ends processes as a crash does: SIGKILL, and nobody is told."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

from hearth.cli.demo.stage import Failed
from hearth.cli.state import read_state


def kill_component(data_dir: Path, name: str) -> None:
    """Kills a process of Hearth, or the server that it runs; it is started again."""
    pid = read_state(data_dir)["components"][name]
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    os.kill(int(children[0]) if children else pid, signal.SIGKILL)


def kill_pod(name: str) -> None:
    """Kills the process of a pod; Failed where none is found."""
    mark = f"\0HOSTNAME={name}\0".encode()
    for environment in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):  # it has ended, or is another user's
            if mark in b"\0" + environment.read_bytes():
                os.kill(int(environment.parent.name), signal.SIGKILL)
                return
    raise Failed(f"no process of pod {name} was found")
