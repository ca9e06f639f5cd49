"""Files of the event log: writing, recovery, reading. Blocking; runs in the engine's threads.

A log is a folder of segments named by the sequence number of their first event. Only the last one
is written to. A segment is made durable before the next one starts, so damage by a crash can only
be at the end of the last one: there it is cut off, which loses nothing that was acknowledged.
"""

from __future__ import annotations

import contextlib
import os
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from eventing.engines.event import StoredEvent
from eventing.engines.framing import FRAME_BYTES, frame_length, frames
from eventing.engines.local.frames import arrival_of, decode

_SUFFIX = ".log"
_SCAN_BYTES = 1024 * 1024
_ROOM = bytes(1024 * 1024)
"""Zeros that are written ahead of the events."""


@dataclass(slots=True)
class Segment:
    """One file; ``size`` is its durable length."""

    path: Path
    base: int
    size: int


def segment_path(folder: Path, base: int) -> Path:
    """Return where the segment that begins with this sequence number lies."""
    return folder / f"{base:020d}{_SUFFIX}"


def sync_folder(folder: Path) -> None:
    """Make created, renamed and removed names of a folder durable."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def write_all(fd: int, data: bytes) -> None:
    """Write all of the data; raise OSError where that cannot be."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def recover(folder: Path) -> tuple[list[Segment], int]:
    """Cut a torn tail off; return the segments of a folder and the next sequence number."""
    folder.mkdir(parents=True, exist_ok=True)
    segments = [
        Segment(path, int(path.stem), path.stat().st_size)
        for path in sorted(folder.glob(f"*{_SUFFIX}"))
    ]
    if not segments:
        return [_create(folder, 0)], 0
    last = segments[-1]
    count, good = scan(last.path)
    if good < last.size:
        with last.path.open("r+b") as file:
            file.truncate(good)
            os.fdatasync(file.fileno())
        last.size = good
    return segments, last.base + count


def scan(path: Path) -> tuple[int, int]:
    """Return how many whole events a segment starts with, and where they end."""
    count, end = 0, 0
    for payload in _payloads(path):
        count, end = count + 1, end + FRAME_BYTES + len(payload)
    return count, end


def _payloads(path: Path) -> Iterator[memoryview]:
    """Yield the payloads of the whole events that a segment starts with."""
    with path.open("rb") as file:
        pending = b""
        while chunk := file.read(_SCAN_BYTES):
            pending += chunk
            whole = 0
            for payload, end in frames(pending):
                yield payload
                whole = end
            pending = pending[whole:]


def _create(folder: Path, base: int) -> Segment:
    path = segment_path(folder, base)
    try:
        path.touch()
        sync_folder(folder)
    except OSError:
        path.unlink(missing_ok=True)
        raise
    return Segment(path, base, 0)


class SegmentWriter:
    """Appends to the last segment. One thread at a time.

    The file is a little longer than what is in it: where events are written over zeros that are on
    disk already, a sync has no length and no block to enter into the file system's journal, and so
    waits for nobody else's entries either. It takes a third of the time on a disk at rest, a tenth
    on a busy one. Zeros are no frame, so a reader stops there, and recovery cuts them off.
    """

    def __init__(self, folder: Path, last: Segment, *, segment_bytes: int) -> None:
        self._folder = folder
        self._limit = segment_bytes
        self._position = last.size
        self._room_until = last.size
        """Up to where zeros are written."""
        self._started: Segment | None = None
        self._torn = True  # anything beyond the position is not ours
        self._fd = os.open(last.path, os.O_WRONLY)

    def write(self, data: bytes, base: int) -> Segment | None:
        """Append and make durable; return the new segment if one had to be started.

        After an OSError nothing of the data counts; the next write goes where this one did.
        """
        if self._position and self._position + len(data) > self._limit:
            self._roll(base)
        was_torn, end = self._torn, self._position + len(data)
        if was_torn:
            self._cut()
            os.lseek(self._fd, self._position, os.SEEK_SET)
        self._torn = True
        write_all(self._fd, data)
        if end > self._room_until and not was_torn:  # by then a disk may be full of zeros
            self._make_room(end)
        os.fdatasync(self._fd)
        self._torn = False
        self._position = end
        started, self._started = self._started, None
        return started

    def _make_room(self, end: int) -> None:
        """Write zeros behind the events, if the disk has room for them."""
        self._room_until = end
        with contextlib.suppress(OSError):
            self._room_until += os.pwrite(self._fd, _ROOM, end)

    def _cut(self) -> None:
        """Leave nothing in the file but what is durable."""
        os.ftruncate(self._fd, self._position)
        self._room_until = self._position

    def _roll(self, base: int) -> None:
        segment = _create(self._folder, base)
        try:
            fd = os.open(segment.path, os.O_WRONLY)
        except OSError:
            segment.path.unlink()
            raise
        self._cut()
        os.close(self._fd)
        self._fd, self._position, self._room_until, self._started = fd, 0, 0, segment

    def close(self) -> None:
        """Close the file."""
        self._cut()
        os.close(self._fd)


@dataclass(frozen=True, slots=True)
class Place:
    """A sequence number, with the file offset of its event where known."""

    sequence: int
    base: int = -1
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Portion:
    """What one read gave. ``skipped`` events were damaged and cannot be read."""

    events: Sequence[StoredEvent]
    following: Place
    skipped: int = 0


def first_since(segments: Sequence[Segment], arrival_ns: int, *, end: int) -> int:
    """Return the sequence number of the first event that arrived then or later; else ``end``.

    Events lie in the order in which they came. Where the clock was set back meanwhile, some of
    an earlier time may follow.
    """
    number = 0
    while number + 1 < len(segments):
        first = _first_arrival(segments[number + 1].path)
        if first is None or first >= arrival_ns:
            break
        number += 1
    segment = segments[number]
    after = segments[number + 1].base if number + 1 < len(segments) else end
    for count, payload in enumerate(_payloads(segment.path)):
        if segment.base + count >= after or arrival_of(payload) >= arrival_ns:
            return min(segment.base + count, after)
    return after


def _first_arrival(path: Path) -> int | None:
    """None for a segment without an event."""
    return next((arrival_of(payload) for payload in _payloads(path)), None)


def read(segments: Sequence[Segment], place: Place, *, end: int, max_bytes: int) -> Portion:
    """Return events from a place on, of one segment, up to ``end`` (exclusive)."""
    number = bisect_right([segment.base for segment in segments], place.sequence) - 1
    segment = segments[max(number, 0)]
    after = segments[number + 1].base if number + 1 < len(segments) else end
    with segment.path.open("rb", buffering=0) as file:
        fd = file.fileno()
        if place.base != segment.base:
            place = _seek(fd, segment.base, max(place.sequence, segment.base))
        events, offset = _read_at(fd, place, limit=min(after, end), max_bytes=max_bytes)
    if not events and place.sequence < after:
        return Portion((), Place(after), skipped=after - place.sequence)
    return Portion(events, Place(place.sequence + len(events), segment.base, offset))


def _seek(fd: int, base: int, sequence: int) -> Place:
    """The offset of an event in its segment, by the lengths of those before it."""
    offset = 0
    for _ in range(base, sequence):
        length = frame_length(os.pread(fd, FRAME_BYTES, offset))
        if not length:
            break
        offset += length
    return Place(sequence, base, offset)


def _read_at(fd: int, place: Place, *, limit: int, max_bytes: int) -> tuple[list[StoredEvent], int]:
    chunk = os.pread(fd, max(max_bytes, FRAME_BYTES), place.offset)
    needed = frame_length(chunk[:FRAME_BYTES])
    if needed > len(chunk):
        chunk = os.pread(fd, needed, place.offset)
    events: list[StoredEvent] = []
    consumed = 0
    for payload, frame_end in frames(chunk):
        if place.sequence + len(events) >= limit:
            break
        events.append(decode(payload, place.sequence + len(events)))
        consumed = frame_end
    return events, place.offset + consumed
