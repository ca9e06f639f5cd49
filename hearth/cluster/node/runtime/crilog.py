"""The log format of container runtimes: ``TIME STREAM F|P TEXT`` a line. Pure.

A line longer than the limit is written in pieces marked P (partial), the last one F (full).
"""

from __future__ import annotations

import datetime

MAX_TEXT = 16 * 1024


def timestamp(nanoseconds: int) -> str:
    """``2026-11-20T17:00:00.123456789Z``."""
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    moment = datetime.datetime.fromtimestamp(seconds, tz=datetime.UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"


class LineFormatter:
    """Turns what a stream delivers into log lines; keeps an unfinished line back."""

    def __init__(self, stream: str) -> None:
        self._stream = stream
        self._pending = b""

    def feed(self, data: bytes, nanoseconds: int) -> bytes:
        """The log lines that ``data`` completes."""
        head = f"{timestamp(nanoseconds)} {self._stream} ".encode()
        *lines, self._pending = (self._pending + data).split(b"\n")
        out: list[bytes] = []
        for line in lines:
            self._cut(out, head, line)
        while len(self._pending) > MAX_TEXT:
            out.append(head + b"P " + self._pending[:MAX_TEXT])
            self._pending = self._pending[MAX_TEXT:]
        return b"\n".join((*out, b"")) if out else b""

    def finish(self, nanoseconds: int) -> bytes:
        """The unfinished line at the end of the stream, as if it had been ended."""
        return self.feed(b"\n", nanoseconds) if self._pending else b""

    @staticmethod
    def _cut(out: list[bytes], head: bytes, line: bytes) -> None:
        while len(line) > MAX_TEXT:
            out.append(head + b"P " + line[:MAX_TEXT])
            line = line[MAX_TEXT:]
        out.append(head + b"F " + line)


def last_lines(log: bytes, *, lines: int, size: int) -> str:
    """The text of the last log lines, within a size in bytes; for termination messages."""
    text = b""
    entries = log.splitlines()[-lines:]
    for entry in entries:
        parts = entry.split(b" ", 3)
        if len(parts) == 4:
            text += parts[3] + (b"\n" if parts[2] == b"F" else b"")
    return text[-size:].decode(errors="replace")
