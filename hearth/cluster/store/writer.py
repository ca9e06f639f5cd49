"""The one thread that writes to the database: many waiting writes share one commit.

``Store`` hands rows over, those of one turn of its loop together, and hears back, on this thread,
once they are on disk. While one commit waits for the disk the next batch gathers, so the number of
commits follows the disk's speed.
"""

from __future__ import annotations

import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from hearth.cluster.store import sql

MAX_BATCH = 512
_STOP = object()

Finished = Callable[[Sequence["Job"], Exception | None], None]


class Job(NamedTuple):
    """A row to write, with whatever the store wants to find again when it is on disk."""

    row: sql.Row
    token: Any


@dataclass(frozen=True, slots=True)
class Maintenance:
    """Work on the database between two batches."""

    work: Callable[[sqlite3.Connection], Any]
    done: Callable[[Any, Exception | None], None]


class Writer:
    """Owns the writing connection and its thread."""

    def __init__(self, path: Path, finished: Finished) -> None:
        self._queue: queue.SimpleQueue[Sequence[Job] | Maintenance | object] = queue.SimpleQueue()
        self._connection = sql.connect(path)
        sql.create_tables(self._connection)
        self._finished = finished
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)

    @property
    def connection(self) -> sqlite3.Connection:
        """For loading, before ``start``; afterwards it belongs to the thread."""
        return self._connection

    def start(self) -> None:
        """Starts the thread; the connection belongs to it from now on."""
        self._thread.start()

    def put(self, work: Sequence[Job] | Maintenance) -> None:
        """Hands work over to the thread, jobs for one commit; does not wait."""
        self._queue.put(work)

    def stop(self) -> None:
        """Writes what is waiting, then ends; blocks until done."""
        if self._thread.is_alive():
            self._queue.put(_STOP)
            self._thread.join()
        self._connection.close()

    def _run(self) -> None:
        while True:
            batch, other = self._next()
            if batch:
                self._commit(batch)
            if isinstance(other, Maintenance):
                self._maintain(other)
            elif other is _STOP:
                return

    def _next(self) -> tuple[list[Job], object]:
        """The rows that wait, till they reach the limit or to something else, and that."""
        batch: list[Job] = []
        while len(batch) < MAX_BATCH and not (batch and self._queue.empty()):
            waiting = self._queue.get()
            if not isinstance(waiting, list):
                return batch, waiting
            batch += waiting
        return batch, None

    def _commit(self, batch: Sequence[Job]) -> None:
        error: Exception | None = None
        try:
            sql.insert(self._connection, [job.row for job in batch])
        except sqlite3.Error as problem:
            error = problem
        self._finished(batch, error)

    def _maintain(self, work: Maintenance) -> None:
        try:
            result = work.work(self._connection)
        except sqlite3.Error as problem:
            work.done(None, problem)
        else:
            work.done(result, None)
