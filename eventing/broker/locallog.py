"""The default engine: segment files on the local disk, one folder per broker.

Appends of all brokers go through one writer thread. While it waits for ``fdatasync``, further
events gather and become the next group: one sync for all of them (group commit). An event is
reported durable, and shown to readers, only after that.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from eventing.broker.cursor import CursorState
from eventing.broker.cursorfile import CursorFile
from eventing.broker.engine import Appended, NewEvent, Refused
from eventing.broker.record import StoredEvent, encode
from eventing.broker.segments import Place, Portion, Segment, SegmentWriter, read, recover

log = logging.getLogger(__name__)

T = TypeVar("T")

_PENDING_BYTES = 32 * 1024 * 1024
"""Events of one broker waiting in memory to be written; more are refused for now."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes of one log: when a segment is full, and how much may be kept for slow Triggers."""

    segment_bytes: int = 32 * 1024 * 1024
    log_bytes: int = 1024 * 1024 * 1024


class LocalLog:
    """One broker's log. Use on the event loop only."""

    def __init__(self, engine: LocalEngine, folder: Path, state: _Opened, limits: Limits) -> None:
        self._engine = engine
        self._folder = folder
        self._segments = state.segments
        self._writer = state.writer
        self._cursors = state.cursors
        self._limits = limits
        self._end = state.end
        self._size = sum(segment.size for segment in state.segments)
        self._pending: list[tuple[bytes, NewEvent, Appended]] = []
        self._pending_bytes = 0
        self._writing: asyncio.Future[Segment | None] | None = None
        self._scheduled = False
        self._listener: Callable[[Sequence[StoredEvent]], None] = lambda events: None
        self._closed = False

    @property
    def start(self) -> int:
        return self._segments[0].base

    @property
    def end(self) -> int:
        return self._end

    @property
    def size(self) -> int:
        return self._size

    def append(self, event: NewEvent, done: Appended) -> None:
        if self._closed:
            raise Refused("the broker is going away")
        if self._size + self._pending_bytes > self._limits.log_bytes:
            raise Refused(
                "the broker's log is full until its slowest Trigger has caught up",
                status=429,
                retry_after=5,
            )
        if self._pending_bytes > _PENDING_BYTES:
            raise Refused("too many events are waiting to be written", status=429)
        data = encode(event.arrival_ns, event.ttl, event.head, event.types, event.data)
        self._pending.append((data, event, done))
        self._pending_bytes += len(data)
        if not self._scheduled and self._writing is None:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._write)

    def on_durable(self, callback: Callable[[Sequence[StoredEvent]], None]) -> None:
        self._listener = callback

    def reader(self, position: int) -> LocalReader:
        return LocalReader(self, max(position, self.start))

    def cursors(self) -> Mapping[str, CursorState]:
        return dict(self._cursors.states)

    def save_cursors(self, states: Mapping[str, CursorState | None], *, durable: bool) -> None:
        if not self._closed:
            self._engine.write(lambda: self._cursors.save(states, durable=durable))

    def release(self, position: int) -> None:
        """Removes whole segments below a position; the last one always stays."""
        while len(self._segments) > 1 and self._segments[1].base <= position:
            gone = self._segments.pop(0)
            self._size -= gone.size
            self._engine.write(partial(gone.path.unlink, missing_ok=True))

    async def read(self, place: Place, max_bytes: int) -> Portion:
        if place.sequence >= self._end:
            return Portion((), place)
        segments, end = tuple(self._segments), self._end
        return await self._engine.read(lambda: read(segments, place, end=end, max_bytes=max_bytes))

    async def close(self) -> None:
        """Writes what is pending, then closes the files."""
        self._closed = True
        while self._pending or self._writing is not None:
            if self._writing is None:
                self._write()
            if self._writing is not None:
                await asyncio.wait([self._writing])
            await asyncio.sleep(0)
        await self._engine.written(self._close_files)

    def _close_files(self) -> None:
        self._writer.close()
        self._cursors.close()

    # -- group commit ------------------------------------------------------------------------

    def _write(self) -> None:
        self._scheduled = False
        if not self._pending or self._writing is not None:
            return
        batch, self._pending, self._pending_bytes = self._pending, [], 0
        data = b"".join([entry[0] for entry in batch])
        base = self._end
        self._writing = writing = self._engine.submit(lambda: self._writer.write(data, base))
        writing.add_done_callback(lambda future: self._written(batch, len(data), future))

    def _written(
        self,
        batch: list[tuple[bytes, NewEvent, Appended]],
        size: int,
        future: asyncio.Future[Segment | None],
    ) -> None:
        self._writing = None
        error = None if future.cancelled() else future.exception()
        if future.cancelled() or error is not None:
            self._failed(batch, error)
        else:
            self._committed(batch, size, future.result())
        if self._pending:
            self._write()

    def _failed(
        self, batch: list[tuple[bytes, NewEvent, Appended]], error: BaseException | None
    ) -> None:
        log.error("events cannot be written", extra={"log": self._folder.name, "error": str(error)})
        refusal = Refused(f"the event cannot be stored: {error}", retry_after=5)
        for _, _, done in batch:
            done(refusal)

    def _committed(
        self, batch: list[tuple[bytes, NewEvent, Appended]], size: int, started: Segment | None
    ) -> None:
        if started is not None:
            self._segments.append(started)
        self._segments[-1].size += size
        self._size += size
        stored = []
        for sequence, (_, event, done) in enumerate(batch, self._end):
            stored.append(
                StoredEvent(
                    sequence,
                    event.arrival_ns,
                    event.ttl,
                    event.head,
                    event.types,
                    event.data,
                    event.attributes,
                )
            )
            done(None)
        self._end += len(batch)
        self._listener(stored)


class LocalReader:
    """Reads one log forward; remembers the file offset."""

    def __init__(self, source: LocalLog, position: int) -> None:
        self._log = source
        self._place = Place(position)

    @property
    def position(self) -> int:
        return self._place.sequence

    async def read(self, max_bytes: int) -> Sequence[StoredEvent]:
        while self._place.sequence < self._log.end:
            portion = await self._log.read(self._place, max_bytes)
            self._place = portion.following
            if portion.skipped:
                log.error("events of the log are damaged", extra={"events": portion.skipped})
            if portion.events:
                return portion.events
        return ()

    def close(self) -> None:
        return None


@dataclass(slots=True)
class _Opened:
    segments: list[Segment]
    end: int
    writer: SegmentWriter
    cursors: CursorFile


class LocalEngine:
    """Logs under one folder, which it locks: two brokers must not write one log."""

    def __init__(self, folder: Path, limits: Limits | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._limits = limits or Limits()
        self._lock = os.open(folder / "lock", os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._lock)
            raise RuntimeError(f"another broker works on {folder}") from error
        self._writers = ThreadPoolExecutor(1, "event-writer")
        self._readers = ThreadPoolExecutor(2, "event-reader")
        self._logs: dict[str, LocalLog] = {}

    def keys(self) -> Sequence[str]:
        return sorted(path.name for path in self._folder.iterdir() if path.is_dir())

    async def open(self, key: str) -> LocalLog:
        found = self._logs.get(key)
        if found is None:
            folder = self._folder / key
            opened = await self.written(lambda: self._open_files(folder))
            found = self._logs[key] = LocalLog(self, folder, opened, self._limits)
        return found

    def _open_files(self, folder: Path) -> _Opened:
        segments, end = recover(folder)
        writer = SegmentWriter(folder, segments[-1], segment_bytes=self._limits.segment_bytes)
        return _Opened(segments, end, writer, CursorFile(folder))

    async def drop(self, key: str) -> None:
        found = self._logs.pop(key, None)
        if found is not None:
            await found.close()
        await self.written(lambda: shutil.rmtree(self._folder / key, ignore_errors=True))

    async def close(self) -> None:
        for found in self._logs.values():
            await found.close()
        self._logs.clear()
        self._writers.shutdown(wait=True)
        self._readers.shutdown(wait=True)
        os.close(self._lock)

    # -- for the logs --------------------------------------------------------------------------

    def submit(self, work: Callable[[], T]) -> asyncio.Future[T]:
        """Runs in the writer thread."""
        return asyncio.get_running_loop().run_in_executor(self._writers, work)

    def write(self, work: Callable[[], object]) -> None:
        """Runs in the writer thread some time; failures are logged."""
        self._writers.submit(_logged, work)

    async def written(self, work: Callable[[], T]) -> T:
        return await self.submit(work)

    async def read(self, work: Callable[[], Portion]) -> Portion:
        return await asyncio.get_running_loop().run_in_executor(self._readers, work)


def _logged(work: Callable[[], object]) -> None:
    try:
        work()
    except OSError as error:
        log.error("the event log cannot be kept in order", extra={"error": str(error)})
