"""The waiter (``containers.waiter``) on this machine: its file, and whether a container waits."""

from __future__ import annotations

import asyncio
import contextlib
import platform
from pathlib import Path

from hearth.cluster.node.runtime.api import CreateError, StartError
from hearth.cluster.node.runtime.containers.plan import ContainerPlan
from hearth.cluster.node.runtime.containers.waiter import NAME, waiter, waiting
from hearth.timeouts import time_limit

_SECONDS, _PAUSE = 5.0, 0.001


def made_to_wait(plan: ContainerPlan, folder: Path) -> ContainerPlan:
    """The plan of a container that waits first; the waiter lies in ``folder``, on a disk.

    Raises CreateError where there can be no such container.
    """
    program = waiter(platform.machine())
    path = folder / NAME
    plan_of_it = waiting(plan, path)
    if program is None or plan_of_it is None:
        raise CreateError("CreateContainerError", "it cannot wait before its program begins")
    with contextlib.suppress(OSError):
        if path.read_bytes() == program:
            return plan_of_it
    fresh = path.with_suffix(".new")
    fresh.parent.mkdir(parents=True, exist_ok=True)
    fresh.write_bytes(program)
    fresh.chmod(0o755)
    fresh.replace(path)
    return plan_of_it


async def until_waiting(pid: int) -> None:
    """Returns once a first process waits; raises StartError where it does not."""
    try:
        async with time_limit(_SECONDS):
            while True:
                if _is_waiting(pid):
                    return
                await asyncio.sleep(_PAUSE)
    except TimeoutError:
        raise StartError("the container does not wait") from None


def _is_waiting(pid: int) -> bool:
    """It sleeps nowhere else; raises StartError where it has ended."""
    try:
        name, _, rest = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")
    except OSError:
        rest = b" X"
    state = rest.split()[0]
    if state in (b"Z", b"X"):
        raise StartError("there is no program that it could wait for")
    return state == b"S" and name.endswith(f"({NAME}".encode())
