"""What a record keeps of a container, and stop signals as images name them. Pure."""

from __future__ import annotations

import contextlib
import re
import signal
from dataclasses import dataclass

ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Handle:
    """What a record keeps of a container: enough to find it and to know it for the same."""

    container: str
    pid: int
    ticks: int
    stop_signal: signal.Signals = signal.SIGTERM

    def __str__(self) -> str:
        return f"{self.container}:{self.pid}:{self.ticks}:{self.stop_signal.value}"

    @classmethod
    def parse(cls, text: str) -> Handle | None:
        """None for one that somebody has broken."""
        container, *numbers = text.split(":")
        try:
            pid, ticks, number = map(int, numbers)
            stop_signal = signal.Signals(number)
        except ValueError:
            return None
        return cls(container, pid, ticks, stop_signal) if ID.fullmatch(container) else None


def signal_of(name: str) -> signal.Signals:
    """``SIGQUIT`` or ``QUIT`` or ``3``; what is none is SIGTERM."""
    text = name.upper()
    with contextlib.suppress(ValueError):
        return signal.Signals(int(text))
    full = text if text.startswith("SIG") else f"SIG{text}"
    return signal.Signals.__members__.get(full, signal.SIGTERM)
