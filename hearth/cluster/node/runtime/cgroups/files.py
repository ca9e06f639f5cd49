"""What the files of control groups say: where groups lie, counters, limits. Pure.

cgroup v1 (``admin-guide/cgroup-v1`` of the kernel's documentation) has a tree for each controller,
v2 (``admin-guide/cgroup-v2``) one for all; a hybrid machine has both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

CONTROLLERS = ("cpu", "cpuacct", "memory", "pids")
"""Those of v1 that are used here; v2 has the counts of ``cpuacct`` in ``cpu``."""
_PERIOD_MICROSECONDS = 100_000
_LEAST_QUOTA_MICROSECONDS = 1_000
_ESCAPES = {"\\040": " ", "\\011": "\t", "\\012": "\n", "\\134": "\\"}


@dataclass(frozen=True, slots=True)
class Mounts:
    """Where the trees are mounted, and what each shows: (mount point, root of what is shown)."""

    v1: Mapping[str, tuple[str, str]]
    v2: tuple[str, str] | None


@dataclass(frozen=True, slots=True)
class Folders:
    """The folders of one group: by controller of v1; that of v2 for what v1 has not."""

    v1: Mapping[str, Path]
    v2: Path | None = None

    def of(self, controller: str) -> Path | None:
        """The folder in which the group's files of a controller are."""
        return self.v1.get(controller, self.v2)

    def child(self, *names: str) -> Folders:
        """The folders of a group below this one."""
        v2 = self.v2.joinpath(*names) if self.v2 else None
        return Folders({key: path.joinpath(*names) for key, path in self.v1.items()}, v2)

    @property
    def all(self) -> list[Path]:
        """Each folder once; controllers may share one (``cpu,cpuacct``)."""
        return list(dict.fromkeys([*self.v1.values(), *([self.v2] if self.v2 else [])]))


def parse_mounts(mountinfo: str) -> Mounts:
    """The trees by ``/proc/self/mountinfo``; of several mounts of one tree the first."""
    v1: dict[str, tuple[str, str]] = {}
    v2 = None
    for line in mountinfo.splitlines():
        left, _, right = line.partition(" - ")
        mount, kind = left.split(), right.split()
        if len(mount) < 5 or not kind or kind[0] not in ("cgroup", "cgroup2"):
            continue
        place = (_unescaped(mount[4]), _unescaped(mount[3]))
        if kind[0] == "cgroup2":
            v2 = v2 or place
        else:
            for controller in set(kind[-1].split(",")) & set(CONTROLLERS):
                v1.setdefault(controller, place)
    return Mounts(v1, v2)


def _unescaped(text: str) -> str:
    for escape, character in _ESCAPES.items():
        text = text.replace(escape, character)
    return text


def parse_groups(text: str, mounts: Mounts) -> Folders:
    """The groups of a process by its ``/proc/PID/cgroup``."""
    v1: dict[str, Path] = {}
    v2 = None
    for line in text.splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0" and not controllers:
            v2 = _folder(mounts.v2, path) if mounts.v2 else None
        for controller in controllers.split(","):
            if controller in mounts.v1:
                v1[controller] = _folder(mounts.v1[controller], path)
    return Folders(v1, None if len(v1) == len(CONTROLLERS) else v2)


def _folder(place: tuple[str, str], path: str) -> Path:
    point, root = place
    inside = PurePosixPath(path)
    if root != "/" and inside.is_relative_to(root):
        inside = PurePosixPath("/") / inside.relative_to(root)
    return Path(point) / str(inside).lstrip("/")


@dataclass(frozen=True, slots=True)
class Counters:
    """What a group with all below it uses.

    ``memory_bytes`` is the working set, as kubelet has it: without files that can go at once.
    """

    cpu_seconds: float = 0.0
    memory_bytes: int = 0
    pids: int = 0
    oom_kills: int = 0


FILES = {
    "cpuacct": ("cpuacct.usage", "cpu.stat"),
    "memory": ("memory.usage_in_bytes", "memory.current"),
    "memory.stat": ("memory.stat", "memory.stat"),
    "pids": ("pids.current", "pids.current"),
    "oom": ("memory.oom_control", "memory.events"),
}
"""The files that are read, as v1 and v2 name them."""


def parse_counters(texts: Mapping[str, str]) -> Counters:
    """From the texts of ``FILES``, those that could be read."""
    used = _number(texts.get("memory", ""))
    stat = _fields(texts.get("memory.stat", ""))
    idle = stat.get("total_inactive_file", stat.get("inactive_file", 0))  # v1 with those below, v2
    cpu = texts.get("cpuacct", "")
    usec = _fields(cpu).get("usage_usec")
    return Counters(
        cpu_seconds=_number(cpu) / 1e9 if usec is None else usec / 1e6,
        memory_bytes=max(used - idle, 0),
        pids=_number(texts.get("pids", "")),
        oom_kills=_fields(texts.get("oom", "")).get("oom_kill", 0),
    )


def _number(text: str) -> int:
    return int(text) if text.strip().isdecimal() else 0


def _fields(text: str) -> dict[str, int]:
    pairs = (line.split() for line in text.splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdecimal()}


@dataclass(frozen=True, slots=True)
class Limits:
    """What a group may use at most; None for no limit.

    ``cpu_shares`` (2 to 262144) are its part where processors are short.
    """

    cpu_millis: int | None = None
    cpu_shares: int | None = None
    memory_bytes: int | None = None
    pids: int | None = None


def limit_files(limits: Limits, folders: Folders) -> list[tuple[Path, str, bool]]:
    """What is written to set limits: file, text, and whether it may be missing (swap)."""
    written: list[tuple[Path, str, bool]] = []
    cpu, memory, pids = (folders.of(each) for each in ("cpu", "memory", "pids"))
    if limits.cpu_millis is not None and cpu is not None:
        quota = max(limits.cpu_millis * _PERIOD_MICROSECONDS // 1000, _LEAST_QUOTA_MICROSECONDS)
        if "cpu" in folders.v1:
            written.append((cpu / "cpu.cfs_period_us", str(_PERIOD_MICROSECONDS), False))
            written.append((cpu / "cpu.cfs_quota_us", str(quota), False))
        else:
            written.append((cpu / "cpu.max", f"{quota} {_PERIOD_MICROSECONDS}", False))
    if limits.cpu_shares is not None and cpu is not None:
        if "cpu" in folders.v1:
            written.append((cpu / "cpu.shares", str(limits.cpu_shares), False))
        else:
            weight = 1 + (limits.cpu_shares - 2) * 9999 // 262142  # as kubelet and runc have it
            written.append((cpu / "cpu.weight", str(weight), False))
    if limits.memory_bytes is not None and memory is not None:
        amount = str(limits.memory_bytes)
        if "memory" in folders.v1:
            written.append((memory / "memory.limit_in_bytes", amount, False))
            written.append((memory / "memory.memsw.limit_in_bytes", amount, True))
        else:
            written.append((memory / "memory.max", amount, False))
            written.append((memory / "memory.swap.max", "0", True))
            written.append((memory / "memory.oom.group", "1", True))
    if limits.pids is not None and pids is not None:
        written.append((pids / "pids.max", str(limits.pids), False))
    return written
