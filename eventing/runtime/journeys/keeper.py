"""Keeps the journeys of a process's events: one thread that writes, and the questions asked."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic
from typing import TypeVar

from eventing.engines.event import Position as EnginePosition
from eventing.runtime.config import JourneyLimits
from eventing.runtime.journeys.journeyfile import JourneyFiles
from eventing.runtime.journeys.recorder import Recorder, Taken
from eventing.runtime.journeys.records import packed
from hearth.kube.clock import Clock, wall_clock

log = logging.getLogger(__name__)

T = TypeVar("T")

Batches = Callable[[], Iterator[bytes]]
"""Goes through all batches from the oldest; may be called again."""

Question = Callable[[Batches], T]

_COMPLAINT_SECONDS = 60.0


class LogJourneys:
    """The journeys of one log: what is noted, and what was written."""

    def __init__(
        self, recorder: Recorder, files: JourneyFiles, threads: ThreadPoolExecutor
    ) -> None:
        self.recorder = recorder
        self._files = files
        self._threads = threads
        self._complained_at = float("-inf")

    def flush(self) -> None:
        """Have written what was noted; returns at once."""
        taken = self.recorder.take()
        if taken.notes:
            self._threads.submit(self._write, taken)

    def _write(self, taken: Taken) -> None:
        try:
            self._files.write(packed(taken.pieces))
        except OSError as error:
            self.recorder.lost += taken.notes
            if monotonic() - self._complained_at >= _COMPLAINT_SECONDS:
                self._complained_at = monotonic()
                log.warning("journeys of events cannot be written", extra={"error": str(error)})

    async def ask(self, question: Question[T]) -> T:
        """Answer a question about all batches, in another thread, unwritten notes included."""
        self.flush()
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._threads, lambda: None)
        return await asyncio.to_thread(lambda: question(self._files.batches))

    def size(self) -> int:
        """Return the bytes that it takes. Blocking."""
        return self._files.size()

    def close(self) -> None:
        """Write what was noted; nothing is noted afterwards."""
        self.flush()
        self._threads.submit(self._files.close)

    def remove(self) -> None:
        """Remove all of it."""
        self.recorder.take()
        self._threads.submit(self._files.remove)


class Journeys:
    """Those of all logs of a process."""

    def __init__(
        self, folder: Path, limits: JourneyLimits | None = None, clock: Clock = wall_clock
    ) -> None:
        self._folder = folder
        self._limits = limits or JourneyLimits()
        self._clock = clock
        self._threads = ThreadPoolExecutor(1, "event-journeys")

    def of(self, log_key: str, position_text: Callable[[EnginePosition], str]) -> LogJourneys:
        """Return the journeys of the log with this key, those of earlier processes included."""
        recorder = Recorder(
            clock=self._clock, position_text=position_text, waiting_bytes=self._limits.waiting_bytes
        )
        return LogJourneys(recorder, self._files(log_key), self._threads)

    def _files(self, log_key: str) -> JourneyFiles:
        return JourneyFiles(self._folder / log_key, self._limits)

    async def drop(self, log_key: str) -> None:
        """Remove the journeys of a log that is gone."""
        await asyncio.get_running_loop().run_in_executor(self._threads, self._files(log_key).remove)

    async def keys(self) -> set[str]:
        """Return the keys of all logs that there are journeys of."""
        return await asyncio.to_thread(self._keys)

    def _keys(self) -> set[str]:
        return {path.name for path in self._folder.iterdir()} if self._folder.exists() else set()

    async def close(self) -> None:
        """Write all that was given to be written."""
        await asyncio.to_thread(self._threads.shutdown)
