"""What the node says of the machine it runs on."""

from __future__ import annotations

import os
import platform
import shutil
from pathlib import Path

from hearth.cluster.node.registration.nodeobject import Machine, go_architecture


def read_machine(data_dir: Path) -> Machine:
    """Reads size, kernel and names of this machine; its disk is the one that holds ``data_dir``."""
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
