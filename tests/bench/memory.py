"""What a process holds in memory, as the kernel counts it."""

from __future__ import annotations

import re
from pathlib import Path


def resident(pid: int, name: str = "VmRSS") -> int:
    """Octets of a line of its status: resident now, or the most since ``forget_peak`` (VmHWM)."""
    found = re.search(rf"^{name}:\s+(\d+) kB$", Path(f"/proc/{pid}/status").read_text(), re.M)
    if found is None:
        raise RuntimeError(f"process {pid} has no {name}")
    return int(found[1]) * 1024


def forget_peak(pid: int) -> int:
    """Begin to count the peak anew; returns what is resident now."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")
    return resident(pid)


def peak(pid: int) -> int:
    """The most that was resident at any moment since ``forget_peak``."""
    return resident(pid, "VmHWM")
