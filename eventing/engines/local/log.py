"""One log of the local engine: group commit, consumers, release of what nobody needs.

While a group of events is being written and synced, further ones gather and become the next
group: one ``fdatasync`` for all of them. An event is reported durable, and shown to consumers,
only after that.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import cast

from eventing.engines.cursor import CursorState
from eventing.engines.event import Position, RenderedEvent, StoredEvent
from eventing.engines.local.config import LogLimits
from eventing.engines.local.consumer import LocalConsumer, LocalReading
from eventing.engines.local.cursorfile import CursorFile
from eventing.engines.local.frames import MAX_EVENT_BYTES, encode
from eventing.engines.local.segments import (
    Place,
    Portion,
    Segment,
    SegmentWriter,
    first_since,
    read,
    recover,
)
from eventing.engines.local.threads import Threads
from eventing.engines.seam import (
    Appended,
    Begin,
    Listener,
    LogStats,
    Refused,
    Standing,
    Start,
    StartAt,
    StartTime,
)

log = logging.getLogger(__name__)


@dataclass(slots=True)
class LogFiles:
    """The open files of one log, and what recovery said of them."""

    folder: Path
    segments: list[Segment]
    end: int
    writer: SegmentWriter
    cursors: CursorFile

    @classmethod
    def open(cls, folder: Path, limits: LogLimits) -> LogFiles:
        """Recover a log's folder, making it where there is none. Blocking."""
        segments, end = recover(folder)
        writer = SegmentWriter(folder, segments[-1], segment_bytes=limits.segment_bytes)
        return cls(folder, segments, end, writer, CursorFile(folder))

    def close(self) -> None:
        """Close both files. Blocking."""
        self.writer.close()
        self.cursors.close()


@dataclass(slots=True)
class _Append:
    """One append on its way to the disk."""

    data: bytes
    events: Sequence[RenderedEvent]
    done: Appended


class LocalLog:
    """Use on the event loop only."""

    def __init__(self, files: LogFiles, threads: Threads, limits: LogLimits) -> None:
        self._files = files
        self._segments = files.segments
        self._threads = threads
        self._limits = limits
        self._end = files.end
        self._size = sum(segment.size for segment in files.segments)
        self._pending: list[_Append] = []
        self._pending_bytes = 0
        self._writing: asyncio.Future[Segment | None] | None = None
        self._scheduled = False
        self._listener: Listener = lambda events: None
        self._consumers: dict[str, LocalConsumer] = {}
        self._saved = dict(files.cursors.states)
        self._first = self._low = self._end
        """The oldest events that some consumer is to be given, and that one needs, at the last
        checkpoint. They are not the same where events are set aside."""
        self._look_what_is_needed()
        self._touched = True
        self._doubtful: set[str] = set()
        """Consumers of which the file may get to know what is not so."""
        self._keeps_spare = True
        self._closed = False

    @property
    def start(self) -> int:
        """The sequence number of the oldest event that can still be read."""
        return self._segments[0].base

    @property
    def end(self) -> int:
        """One past the sequence number of the newest durable event."""
        return self._end

    def stats(self) -> LogStats:
        """Return bytes on disk and events that some consumer needs."""
        return LogStats(self._size, self._needed_bytes(), self._end - self._first)

    def _needed_bytes(self) -> int:
        """Of whole segments: what is not needed in the first of them cannot go before the rest."""
        if self._low >= self._end:
            return 0
        needed = 0
        for segment in reversed(self._segments):
            needed += segment.size
            if segment.base <= self._low:
                break
        return needed

    def spare(self, *, kept: bool) -> None:
        """Whether what no consumer needs may be kept."""
        if kept != self._keeps_spare:
            self._keeps_spare = kept
            self._touched = True

    @property
    def tells_tail(self) -> bool:
        """All of it, for there is one writer."""
        return True

    def listen(self, listener: Listener) -> None:
        """Name the one who is told of events that became durable."""
        self._listener = listener

    # -- appending ---------------------------------------------------------------------------

    def append(self, events: Sequence[RenderedEvent], done: Appended, *, own: bool = False) -> None:
        """Write all of the events in one group, or raise Refused."""
        self._check_room(own=own)
        data = encode(events[0]) if len(events) == 1 else b"".join(map(encode, events))
        if len(data) > MAX_EVENT_BYTES:
            _check_sizes(events)
        self._pending.append(_Append(data, events, done))
        self._pending_bytes += len(data)
        if not self._scheduled and self._writing is None:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._write)

    def _check_room(self, *, own: bool) -> None:
        if self._closed:
            raise Refused("the log is being closed")
        most = self._limits.log_bytes + (self._limits.own_bytes if own else 0)
        if self._size + self._pending_bytes > most:
            raise Refused(
                "the broker's log is full until its slowest Trigger has caught up",
                status=429,
                retry_after=5,
            )
        if self._pending_bytes > self._limits.pending_bytes:
            raise Refused("too many events are waiting to be written", status=429)

    def _write(self) -> None:
        self._scheduled = False
        if not self._pending or self._writing is not None:
            return
        group, self._pending, self._pending_bytes = self._pending, [], 0
        data = b"".join([each.data for each in group])
        writer, base = self._files.writer, self._end
        self._writing = writing = self._threads.write(lambda: writer.write(data, base))
        writing.add_done_callback(lambda future: self._written(group, len(data), future))

    def _written(
        self, group: list[_Append], size: int, future: asyncio.Future[Segment | None]
    ) -> None:
        self._writing = None
        error = None if future.cancelled() else future.exception()
        if future.cancelled() or error is not None:
            self._failed(group, error)
            self._write()
        else:
            base = self._grow(group, size, future.result())
            self._write()  # the disk is busy with the next group while this one is told of
            self._tell(group, base)

    def _failed(self, group: list[_Append], error: BaseException | None) -> None:
        facts = {"log": self._files.folder.name, "error": str(error)}
        log.error("events cannot be written", extra=facts)
        refusal = Refused(f"the event cannot be stored: {error}", retry_after=5)
        for each in group:
            each.done(refusal)

    def _grow(self, group: list[_Append], size: int, started: Segment | None) -> int:
        """Count a group as durable; return the sequence number of its first event."""
        if started is not None:
            self._segments.append(started)
        self._segments[-1].size += size
        self._size += size
        base = self._end
        self._end = base + sum([len(each.events) for each in group])
        self._touched = True
        return base

    def _tell(self, group: list[_Append], base: int) -> None:
        """Tell those who wait for it, then the listener."""
        stored: list[StoredEvent] = []
        for each in group:
            for event in each.events:
                stored.append(
                    StoredEvent(
                        event.arrival_ns,
                        event.ttl,
                        event.head,
                        event.types,
                        event.data,
                        event.known_attributes,
                        base + len(stored),
                    )
                )
            each.done(None)
        self._listener(stored)

    # -- consuming ---------------------------------------------------------------------------

    async def consumers(self) -> Collection[str]:
        """Return the ids of all consumers."""
        return list(self._saved)

    async def look(self, begin: Begin) -> LocalReading:
        """Read without being a consumer."""
        return LocalReading(self, await self._sequence_of(begin))

    def position_text(self, position: Position) -> str:
        """Return a sequence number as text."""
        return str(position)

    def position_of(self, text: str) -> Position:
        """Return the sequence number of a text."""
        if not (text.isascii() and text.isdigit()):
            raise ValueError(f"{text!r} is no position in this log: those are numbers from 0 on")
        return int(text)

    def part_of(self, position: Position) -> int:
        """There is one part."""
        return 0

    async def consume(
        self, consumer_id: str, start: Begin = Start.LATEST, *, ordered: bool = False
    ) -> LocalConsumer:
        """Open a consumer; the state of a new one is on disk before any later event."""
        earlier = self._consumers.get(consumer_id)
        state = earlier.cursor.state() if earlier else self._saved.get(consumer_id)
        if state is None:
            state = CursorState(await self._sequence_of(start))
            await self._save_new(consumer_id, state)
        consumer = self._consumers[consumer_id] = LocalConsumer(self, state)
        return consumer

    async def _save_new(self, consumer_id: str, state: CursorState) -> None:
        self._saved[consumer_id] = state  # holds back the release of what it needs
        change = {consumer_id: state}
        try:
            await self._threads.write(lambda: self._files.cursors.save(change, durable=True))
        except OSError:
            del self._saved[consumer_id]
            raise

    async def _sequence_of(self, start: Begin) -> int:
        match start:
            case StartTime(arrival_ns=moment):
                return await self._first_since(moment)
            case StartAt(position=position):
                return min(max(cast(int, position), self.start), self._end)
            case Start.EARLIEST:
                return self.start
            case Start.LATEST:
                return self._end

    async def _first_since(self, arrival_ns: int) -> int:
        while True:
            segments = tuple(self._segments)
            search = partial(first_since, segments, arrival_ns, end=self._end)
            try:
                return await self._threads.read(search)
            except FileNotFoundError:
                if self._segments[0] is segments[0]:
                    raise  # else one was released meanwhile

    async def seek(self, consumer_id: str, begin: Begin) -> None:
        """Move a consumer that is closed; on disk on return."""
        to = await self._sequence_of(begin)
        earlier = self._consumers.pop(consumer_id, None)
        before = earlier.cursor.state() if earlier else self._saved[consumer_id]
        state = self._saved[consumer_id] = before.moved(max(to, self.start))
        try:
            change = {consumer_id: state}
            await self._threads.write(lambda: self._files.cursors.save(change, durable=True))
        except OSError:
            self._saved[consumer_id] = before
            self._doubtful.add(consumer_id)  # the next write would bring what this one could not
            self._touched = True
            raise

    async def standing(self, consumer_id: str) -> Standing:
        """Return the state of a cursor."""
        earlier = self._consumers.get(consumer_id)
        state = earlier.cursor.state() if earlier else self._saved[consumer_id]
        notes, still = state.notes, set(state.open)
        aside: dict[Position, str] = {at: text for at, text in notes.items() if at not in still}
        following = (state.next,) if state.next < self._end else ()
        return Standing(following, {at: notes.get(at, "") for at in state.open}, aside)

    async def place(self, consumer_id: str, standing: Standing) -> None:
        """Write a cursor."""
        following = cast(int, standing.following[0]) if standing.following else self._end
        still = cast(Mapping[int, str], standing.open)
        notes = {at: text for at, text in still.items() if text} | {
            at: text or "-" for at, text in cast(Mapping[int, str], standing.aside).items()
        }
        self._consumers.pop(consumer_id, None)
        await self._save_new(consumer_id, CursorState(following, tuple(sorted(still)), notes))

    def lag(self, consumer_id: str) -> int | None:
        """Return what its cursor says."""
        consumer = self._consumers.get(consumer_id)
        if consumer is not None:
            return consumer.lag
        state = self._saved.get(consumer_id)
        return None if state is None else max(self._end - state.next, 0) + len(state.open)

    @property
    def has_released(self) -> bool:
        """Whether events have gone from it."""
        return self.start > 0

    async def forget(self, consumer_id: str) -> None:
        """Remove a consumer, on disk too."""
        self._consumers.pop(consumer_id, None)
        self._touched = True
        if self._saved.pop(consumer_id, None) is not None and not self._closed:
            await self._save({consumer_id: None})

    async def read(self, place: Place, max_bytes: int) -> Portion:
        """Read durable events from a place on."""
        if place.sequence >= self._end:
            return Portion((), place)
        segments, end = tuple(self._segments), self._end
        return await self._threads.read(lambda: read(segments, place, end=end, max_bytes=max_bytes))

    def touch(self) -> None:
        """Note that the next checkpoint has something to do."""
        self._touched = True

    # -- keeping state -----------------------------------------------------------------------

    async def checkpoint(self) -> None:
        """Save the cursors that moved and remove whole segments that nobody needs."""
        if self._touched and not self._closed:
            await self._checkpoint(everything=False)

    async def _checkpoint(self, *, everything: bool) -> None:
        self._touched = False
        changes: dict[str, CursorState | None] = {}
        for consumer_id, consumer in self._consumers.items():
            cursor = consumer.cursor
            stale = self._end - self._saved[consumer_id].next > self._limits.stale_events
            if cursor.changed or everything or stale or consumer_id in self._doubtful:
                consumer.catch_up()
                changes[consumer_id] = self._saved[consumer_id] = cursor.state()
                cursor.changed = False
                self._doubtful.discard(consumer_id)
        self._look_what_is_needed()
        self._release(self._low)
        if changes:
            await self._save(changes)

    async def _save(self, changes: Mapping[str, CursorState | None]) -> None:
        """Without a sync: what a crash of the machine undoes here is only delivered again."""
        cursors = self._files.cursors
        try:
            await self._threads.write(lambda: cursors.save(changes, durable=False))
        except OSError as error:
            # The file is written anew with the next change.
            log.error("cursors cannot be saved", extra={"error": str(error)})

    def _look_what_is_needed(self) -> None:
        """By all consumers, open or not."""
        low = first = self._end
        for consumer_id, state in self._saved.items():
            consumer = self._consumers.get(consumer_id)
            if consumer is not None and consumer.is_idle:
                continue  # as most are of thousands
            needs = consumer or state
            low, first = min(low, needs.low), min(first, needs.first)
        self._low, self._first = low, first

    def _release(self, position: int) -> None:
        """Remove whole segments below a position, but for the newest that are to be kept.

        The last one always stays.
        """
        kept = self._limits.kept if self._keeps_spare else 0
        while (
            len(self._segments) > 1
            and self._segments[1].base <= position
            and self._size - self._segments[0].size >= kept
        ):
            released = self._segments.pop(0)
            self._size -= released.size
            self._threads.write_later(partial(released.path.unlink, missing_ok=True))

    async def answered(self) -> None:
        """Return when all that is pending is written."""
        while self._pending or self._writing is not None:
            if self._writing is None:
                self._write()
            if self._writing is not None:
                await asyncio.wait([self._writing])
            await asyncio.sleep(0)

    async def close(self) -> None:
        """Write what is pending, save all cursors, close the files."""
        self._closed = True
        await self.answered()
        await self._checkpoint(everything=True)
        await self._threads.write(self._files.close)


def _check_sizes(events: Sequence[RenderedEvent]) -> None:
    for event in events:
        if len(event.head) + len(event.data) > MAX_EVENT_BYTES:
            raise Refused("the event is larger than the log takes", status=413)
