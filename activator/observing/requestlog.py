"""The request log: a thread that writes a line for each request, in pieces, to standard output.

Requests do not wait for it: what finds no room before the thread is left out and counted.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable

from activator.notes import Note
from activator.observing.template import line_of
from hearth.observability.metrics import REQUEST_LOGS
from serving.api.gotemplate import Template

ROOM = 8192
"""Requests that wait for the thread, at most."""

_PIECE = 256
_STANDARD_OUTPUT = 1


def _to_standard_output(text: str) -> None:
    data = text.encode()
    while data:
        data = data[os.write(_STANDARD_OUTPUT, data) :]


class RequestLog:
    """``write`` is called in the thread, with whole lines."""

    def __init__(
        self, template: Template, *, write: Callable[[str], None] = _to_standard_output
    ) -> None:
        self._template = template
        self._write = write
        self._notes: deque[Note] = deque()
        self._woken = threading.Event()
        self._is_closing = False
        self._written = REQUEST_LOGS.labels("written")
        self._dropped = REQUEST_LOGS.labels("dropped")
        self._thread = threading.Thread(target=self._run, name="request-log", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def add(self, note: Note) -> None:
        """Take a request that is over, or leave it out where there is no room. Never waits."""
        if len(self._notes) >= ROOM or self._is_closing:
            self._dropped.inc()
            return
        self._notes.append(note)
        self._woken.set()

    def close(self) -> None:
        """Write what there is. Blocks; call it off the event loop."""
        self._is_closing = True
        self._woken.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._is_closing:
            self._woken.wait()
            self._woken.clear()
            self._empty()
        self._empty()

    def _empty(self) -> None:
        while self._notes:
            count = min(len(self._notes), _PIECE)
            lines = [line_of(self._template, self._notes.popleft()) for _ in range(count)]
            try:
                self._write("".join(lines))
            except OSError:  # nobody reads it any more, or the disk is full
                self._dropped.inc(count)
            else:
                self._written.inc(count)
