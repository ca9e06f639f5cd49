"""The end of a log whose engine tells of nothing, read while somebody waits for an event of it."""

from __future__ import annotations

import asyncio
import logging

from eventing.engines.seam import EventLog, Reading, StartTime, Unavailable
from eventing.runtime.expectations import Expectations

log = logging.getLogger(__name__)

_PORTION_BYTES = 1024 * 1024
_PAUSE_SECONDS = 0.01
_AGAIN_SECONDS = 0.25
_CLOCKS_NS = 1_000_000_000
"""Events may bear times of other processes, whose clocks differ by so much."""


class Tail:
    """Reads, whatever process appended; costs nothing while nobody waits."""

    def __init__(self, events: EventLog, expectations: Expectations) -> None:
        self._log = events
        self._expectations = expectations
        self._task: asyncio.Task[None] | None = None

    def follow(self, since_ns: int) -> None:
        """Read what came since a moment, and what comes, as long as anybody waits."""
        if self._task is None:
            begin = StartTime(since_ns - _CLOCKS_NS)
            self._task = asyncio.create_task(self._run(begin), name="tail")

    async def _run(self, begin: StartTime) -> None:
        reading: Reading | None = None
        try:
            while self._expectations:
                try:
                    reading = reading or await self._log.look(begin)
                    events = await reading.fetch(_PORTION_BYTES)
                except Unavailable as error:
                    log.warning("replies cannot be read", extra={"error": str(error)})
                    await asyncio.sleep(_AGAIN_SECONDS)
                    continue
                self._expectations.tell(events)
                if not events:
                    await asyncio.sleep(_PAUSE_SECONDS)
        finally:
            self._task = None

    def close(self) -> None:
        """Read no more."""
        if self._task is not None:
            self._task.cancel()
