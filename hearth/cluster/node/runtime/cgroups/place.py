"""Where we may make control groups of our own."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from hearth.cluster.node.runtime.cgroups.files import Folders, Limits
from hearth.cluster.node.runtime.cgroups.group import Group

_NEEDED = ("cpu", "memory", "pids")


def find_place(name: str) -> tuple[Group | None, str]:
    """A group of that name in which groups with limits can be made, or why there is none.

    v1: below our own group. v2: below our own, else below the nearest group above that lets us:
    one that has processes cannot have groups with limits ("no internal processes").
    """
    own = Group.of()
    if own is None or not own.folders.all:
        return None, "this machine has no control groups"
    if missing := [each for each in _NEEDED if own.folders.of(each) is None]:
        return None, f"the control groups of this machine lack {', '.join(missing)}"
    why = ""
    for folders in _candidates(own.folders):
        place = Group(folders).child(name)
        try:
            _enable(folders)
            place.make()
            _enable(place.folders)
            place.limit(Limits(cpu_shares=_shares()))
        except OSError as error:
            why = why or f"{error.filename or folders.all[0]}: {error.strerror}"
            with contextlib.suppress(OSError):
                place.remove()
        else:
            return place, ""
    return None, why


def _shares() -> int:
    """What all containers weigh together against the rest of the machine, as with kubelet."""
    return min(1024 * len(os.sched_getaffinity(0)), 262_144)


def _candidates(own: Folders) -> list[Folders]:
    if own.v2 is None or own.v1:
        return [own]
    above = [each for each in own.v2.parents if (each / "cgroup.procs").exists()]
    return [own, *(Folders({}, each) for each in above)]


def _enable(folders: Folders) -> None:
    """Lets the groups below have limits (v2)."""
    if folders.v2 is None or folders.v1:
        return
    control = Path(folders.v2) / "cgroup.subtree_control"
    missing = set(_NEEDED) - set(control.read_text().split())
    if missing:
        control.write_text(" ".join(f"+{each}" for each in sorted(missing)))
