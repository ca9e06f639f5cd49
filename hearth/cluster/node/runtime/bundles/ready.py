"""A container that runs, or is about to."""

from __future__ import annotations

import signal
from dataclasses import dataclass

from hearth.cluster.node.runtime.processes.console import Console
from hearth.cluster.node.runtime.processes.process import Process


@dataclass(slots=True)
class Ready:
    """A container whose first process waits for one word, or runs."""

    container: str
    process: Process
    console: Console
    image: str
    stop_signal: signal.Signals
    waits: bool = False
    """Whether its program is the waiter, until the word."""

    async def close(self) -> None:
        """Ends it, and lets go of it."""
        self.process.signal(signal.SIGKILL)
        await self.process.wait()
        self.console.close()
