"""The threads of the local engine: one that writes for all logs, two that read."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

log = logging.getLogger(__name__)

T = TypeVar("T")


class Threads:
    """Runs blocking work for the event loop. What goes to the writer is done in order."""

    def __init__(self) -> None:
        self._writer = ThreadPoolExecutor(1, "event-writer")
        self._readers = ThreadPoolExecutor(2, "event-reader")

    def write(self, work: Callable[[], T]) -> asyncio.Future[T]:
        """Run in the writer thread."""
        return asyncio.get_running_loop().run_in_executor(self._writer, work)

    def write_later(self, work: Callable[[], object]) -> None:
        """Run in the writer thread some time; a failure is logged."""
        self._writer.submit(_logged, work)

    def read(self, work: Callable[[], T]) -> asyncio.Future[T]:
        """Run in a reader thread."""
        return asyncio.get_running_loop().run_in_executor(self._readers, work)

    def stop(self) -> None:
        """Finish all work, then end the threads. Blocks meanwhile."""
        self._writer.shutdown(wait=True)
        self._readers.shutdown(wait=True)


def _logged(work: Callable[[], object]) -> None:
    try:
        work()
    except OSError as error:
        log.error("the event log cannot be kept in order", extra={"error": str(error)})
