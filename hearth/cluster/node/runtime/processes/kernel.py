"""What the node reads from the kernel: the machine's size, out-of-memory kills, usage."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from hearth.cluster.node.registration.nodeobject import Machine, go_architecture
from hearth.cluster.node.runtime.processes.process import start_ticks, stat_fields
from hearth.cluster.node.worker.folder import PodFolder, all_folders

_SESSION, _USER_TICKS, _SYSTEM_TICKS, _RSS_PAGES = 3, 11, 12, 21


def read_machine(data_dir: Path) -> Machine:
    """The machine we run on."""
    return Machine(
        cpus=len(os.sched_getaffinity(0)),
        memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        disk_bytes=shutil.disk_usage(data_dir).total,
        architecture=go_architecture(platform.machine()),
        kernel=platform.release(),
        os_image=_os_image(),
        machine_id=_first_line("/etc/machine-id"),
        boot_id=_first_line("/proc/sys/kernel/random/boot_id"),
    )


def _os_image() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", "Linux")
    except OSError:
        return "Linux"


def _first_line(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""


class OutOfMemoryWatch:
    """Tells whether the kernel has killed for memory since it was last asked."""

    def __init__(self) -> None:
        self._seen = _oom_kills()

    def has_killed(self) -> bool:
        before, self._seen = self._seen, _oom_kills()
        return self._seen > before


def _oom_kills() -> int:
    try:
        for line in Path("/proc/vmstat").read_text().splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    except OSError:
        pass
    return 0


@dataclass(frozen=True, slots=True)
class Usage:
    """What one container uses now, all its processes together."""

    namespace: str
    pod: str
    container: str
    pid: int
    cpu_seconds: float
    memory_bytes: int


def read_usage(pods_dir: Path) -> list[Usage]:
    """The running containers of a data folder; works from any process of the same user."""
    sessions = _by_session()
    return [usage for folder in all_folders(pods_dir) for usage in _of_pod(folder, sessions)]


def _of_pod(folder: PodFolder, sessions: dict[int, tuple[float, int]]) -> Iterator[Usage]:
    saved = folder.load()
    if saved is None:
        return
    for name, record in saved.records.items():
        running = record.running
        if running is None or start_ticks(running.pid) != running.start_ticks:
            continue
        cpu, memory = sessions.get(running.pid, (0.0, 0))
        yield Usage(saved.namespace, saved.name, name, running.pid, cpu, memory)


def _by_session() -> dict[int, tuple[float, int]]:
    """CPU seconds and resident bytes of each session."""
    tick, page = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
    found: dict[int, tuple[float, int]] = {}
    for fields in _all_processes(os.listdir("/proc")):
        session = int(fields[_SESSION])
        cpu, memory = found.get(session, (0.0, 0))
        ticks = int(fields[_USER_TICKS]) + int(fields[_SYSTEM_TICKS])
        found[session] = (cpu + ticks / tick, memory + int(fields[_RSS_PAGES]) * page)
    return found


def _all_processes(names: Iterable[str]) -> Iterator[list[bytes]]:
    for name in names:
        if name.isdigit():
            fields = stat_fields(int(name))
            if fields is not None:
                yield fields
