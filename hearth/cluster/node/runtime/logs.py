"""Log files of containers: bounded, whatever a container prints."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

log = logging.getLogger(__name__)

FILE_LIMIT = 10 * 1024 * 1024


@dataclass(slots=True)
class RotatingFile:
    """The current file and one older (``.1``), each of ``limit`` bytes at most.

    A full disk loses log lines, not the container.
    """

    path: Path
    limit: int = FILE_LIMIT
    _file: BinaryIO | None = None
    _size: int = 0
    _is_failing: bool = False

    def write(self, data: bytes) -> None:
        """Appends; begins a new file first where this one would grow beyond the limit."""
        try:
            self._write(data)
        except OSError as error:
            if not self._is_failing:
                log.warning(
                    "log cannot be written", extra={"path": str(self.path), "error": str(error)}
                )
            self._is_failing = True
        else:
            self._is_failing = False

    def _write(self, data: bytes) -> None:
        if self._file is None:
            self._file = open(self.path, "ab", buffering=0)  # noqa: SIM115
            self._size = self._file.tell()
        if self._size + len(data) > self.limit and self._size:
            self._file.close()
            self._file = None
            self.path.replace(self.path.with_name(self.path.name + ".1"))
            self._file = open(self.path, "ab", buffering=0)  # noqa: SIM115
            self._size = 0
        self._file.write(data)
        self._size += len(data)

    def close(self) -> None:
        """Closes the current file; a later write opens it again."""
        if self._file is not None:
            self._file.close()
            self._file = None
