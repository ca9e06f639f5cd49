"""The files of one log's journeys: batches of notes, appended; the oldest file makes way.

Blocking. One thread writes; others may read meanwhile. Nothing is synced: what a crash of the
machine takes away is only not told. A process that is killed may leave half a batch at the end of
its file; the next one begins a file of its own.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from eventing.engines.framing import frame, frames
from eventing.runtime.config import JourneyLimits
from eventing.runtime.journeys.records import unpacked

_SUFFIX = ".journeys"


class JourneyFiles:
    """A folder, which need not be there before something is written."""

    def __init__(self, folder: Path, limits: JourneyLimits) -> None:
        self._folder = folder
        self._limits = limits
        self._fd = -1
        self._path: Path | None = None
        self._size = 0

    def write(self, payload: bytes) -> None:
        """Append a batch; raise OSError where that cannot be. The next one starts a new file."""
        data = frame(payload)
        if self._path is None or self._size + len(data) > self._limits.file_bytes:
            self._start()
        try:
            written = os.write(self._fd, data)
        except OSError:
            self.close()
            raise
        self._size += written
        if written < len(data):  # the disk is full: what follows a torn batch would not be read
            self.close()

    def _start(self) -> None:
        """Begin a file after all others, and remove the oldest where there is too much.

        A small file counts as a sixteenth of a full one: a process that starts again and again
        makes many.
        """
        self.close()
        self._folder.mkdir(parents=True, exist_ok=True)
        files = self._files()
        number = int(files[-1].stem) + 1 if files else 0
        self._path = self._folder / f"{number:012d}{_SUFFIX}"
        self._fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._size = 0
        left, smallest = self._limits.bytes - self._limits.file_bytes, self._limits.file_bytes // 16
        for path in reversed(files):
            left -= max(path.stat().st_size, smallest)
            if left < 0:
                path.unlink(missing_ok=True)

    def _files(self) -> list[Path]:
        return sorted(self._folder.glob(f"*{_SUFFIX}"))

    def size(self) -> int:
        """Return the bytes that it takes."""
        sizes = []
        for path in self._files():
            with contextlib.suppress(FileNotFoundError):  # made way meanwhile
                sizes.append(path.stat().st_size)
        return sum(sizes)

    def batches(self) -> Iterator[bytes]:
        """Yield the JSON of all batches, the oldest first, as far as they are whole."""
        for path in self._files():
            try:
                data = path.read_bytes()
            except FileNotFoundError:
                continue  # made way meanwhile
            for payload, _ in frames(data):
                yield unpacked(payload)

    def close(self) -> None:
        """Write no further to the file there is."""
        if self._fd >= 0:
            os.close(self._fd)
        self._fd, self._path = -1, None

    def remove(self) -> None:
        """Remove all of it."""
        self.close()
        shutil.rmtree(self._folder, ignore_errors=True)
