"""Work that goes on beside what is asked, and is waited for before it matters."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from eventing.engines.kafka.faults import KafkaFault

log = logging.getLogger(__name__)


class Tasks:
    """What Kafka refuses them is said in the log; what else goes wrong is a fault of ours."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Begin it."""
        task = asyncio.get_running_loop().create_task(_guarded(work, name), name=name)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def passed(self) -> None:
        """Wait until those have ended that are there now."""
        if self._running:
            await asyncio.wait(list(self._running))

    async def ended(self) -> None:
        """Wait until all have ended."""
        while self._running:
            await self.passed()


async def _guarded(work: Coroutine[Any, Any, None], name: str) -> None:
    try:
        await work
    except KafkaFault as fault:
        log.warning("Kafka does not let us go on", extra={"at": name, "error": str(fault)})
