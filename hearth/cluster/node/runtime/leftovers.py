"""Removes what Hearths of root have left in the kernel that nobody will come back for.

A killed Hearth leaves containers, their networks and control groups to the next start on the same
data folder. Where that folder is gone and no process holds its networks, there is no next start.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from hearth.cluster.node.runtime.bundles.kernel import FOLDER as CONTAINERS
from hearth.cluster.node.runtime.bundles.kernel import unmount
from hearth.cluster.node.runtime.podnets.podnets import FOLDER as NETWORKS
from hearth.cluster.node.runtime.podnets.podnets import PodNets

log = logging.getLogger(__name__)

_GROUPS = Path("/sys/fs/cgroup")
_TRIES, _PAUSE = 100, 0.01


async def remove_leftovers(
    networks: Path = NETWORKS, containers: Path = CONTAINERS, groups: Path = _GROUPS
) -> list[str]:
    """Looks for them and removes them; the names of those that are gone."""
    gone = []
    for nets in await asyncio.to_thread(_left, networks):
        name = nets.folder.name
        try:
            await asyncio.to_thread(_end_containers, name, containers / name, groups)
            await nets.sweep()
        except OSError as error:
            log.warning("leftovers stay", extra={"leftovers": name, "error": str(error)})
        else:
            gone.append(name)
            log.info("leftovers of a data folder that is gone removed", extra={"leftovers": name})
    return gone


def _left(networks: Path) -> list[PodNets]:
    folders = sorted(networks.iterdir()) if networks.is_dir() else ()
    return [nets for folder in folders if (nets := PodNets.left(folder)) is not None]


def _end_containers(name: str, folder: Path, groups: Path) -> None:
    """Those of runc: processes by their control groups, then mounts, files and groups."""
    found = [*groups.glob(f"*/hearth-{name}"), groups / f"hearth-{name}"]
    for _ in range(_TRIES):
        pids = {pid for group in found for pid in _processes(group)}
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if not pids:
            break
        time.sleep(_PAUSE)
    for mounted in _mounts_below(folder):
        unmount(mounted)
    shutil.rmtree(folder, ignore_errors=True)
    for group in found:
        for below in sorted(group.rglob("*/"), reverse=True):
            below.rmdir()
        if group.is_dir():
            group.rmdir()


def _processes(group: Path) -> Iterator[int]:
    for file in group.rglob("cgroup.procs"):
        with contextlib.suppress(OSError):
            yield from map(int, file.read_text().split())


def _mounts_below(folder: Path) -> list[Path]:
    """The innermost first."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    points = (Path(line.split()[4]) for line in lines)
    return sorted((point for point in points if folder in point.parents), reverse=True)
