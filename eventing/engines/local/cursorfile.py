"""The file of a log's cursors: changes appended in batches, rewritten when it has grown.

Blocking; runs in the engine's writer thread. Losing the newest batches in a crash only means that
some events are delivered again.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from eventing.engines.cursor import CursorState, decode_states, encode_states
from eventing.engines.framing import frame, frames
from eventing.engines.local.segments import sync_folder, write_all

_REWRITE_BYTES = 1024 * 1024


class CursorFile:
    """Opened by reading it; ``states`` holds the cursors by consumer id, as saved."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "cursors"
        self.states = _load(self._path)
        self._fd = -1
        self._torn = False
        self._rewrite()

    def save(self, changes: Mapping[str, CursorState | None], *, durable: bool) -> None:
        """Append changes, None for a removal; ``durable`` says that they must survive a crash."""
        data = frame(encode_states(changes, self.states))
        _update(self.states, changes)
        if self._torn or self._size + len(data) > max(_REWRITE_BYTES, 4 * self._rewritten):
            self._rewrite()
            return
        self._torn = True  # until all is written: what follows a part of a batch is not read
        write_all(self._fd, data)
        if durable:
            os.fdatasync(self._fd)
        self._torn = False
        self._size += len(data)

    def _rewrite(self) -> None:
        """Replace the file by one batch of all cursors, in one step."""
        fresh = self._path.with_suffix(".new")
        data = frame(encode_states(self.states))
        with fresh.open("wb") as file:
            file.write(data)
            file.flush()
            os.fdatasync(file.fileno())
        fresh.replace(self._path)
        sync_folder(self._path.parent)
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = os.open(self._path, os.O_WRONLY | os.O_APPEND)
        self._size = self._rewritten = len(data)
        self._torn = False

    def close(self) -> None:
        """Make all durable and close the file."""
        os.fdatasync(self._fd)
        os.close(self._fd)


def _load(path: Path) -> dict[str, CursorState]:
    states: dict[str, CursorState] = {}
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return states
    for payload, _ in frames(data):
        _update(states, decode_states(bytes(payload), states))
    return states


def _update(states: dict[str, CursorState], changes: Mapping[str, CursorState | None]) -> None:
    for key, state in changes.items():
        if state is None:
            states.pop(key, None)
        else:
            states[key] = state
