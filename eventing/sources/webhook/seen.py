"""Which deliveries were taken: the newest of each WebhookSource, in memory and in a file.

A record is twelve octets of a digest and four of a time (hours would do; it is for people). It is
appended and synced before the sender hears that its delivery was taken, so after a crash nothing is
sent twice of which that was said. What a crash cuts off is no record. A file that has twice as many
as are remembered is written anew.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import struct
from collections import OrderedDict
from collections.abc import Iterable
from pathlib import Path

MOST = 10_000
"""Deliveries of one WebhookSource that are remembered; senders try again for three days."""
_RECORD = struct.Struct(">12sI")
_SUFFIX = ".seen"


def token_of(*parts: str) -> bytes:
    """Return what stands for a delivery."""
    return hashlib.sha256("\0".join(parts).encode()).digest()[:12]


class Seen:
    """The deliveries of one WebhookSource."""

    def __init__(self, path: Path, *, most: int = MOST) -> None:
        """Read the file; raises OSError where that cannot be."""
        self._path = path
        self._most = most
        self._known: OrderedDict[bytes, int] = OrderedDict()
        content = path.read_bytes() if path.exists() else b""
        whole = len(content) - len(content) % _RECORD.size
        self._count = whole // _RECORD.size
        for token, when in _RECORD.iter_unpack(content[:whole]):
            self._keep(token, when)
        self._is_torn = whole != len(content)

    def __contains__(self, token: bytes) -> bool:
        return token in self._known

    def __len__(self) -> int:
        return len(self._known)

    def add(self, tokens: Iterable[bytes], now: float) -> None:
        """Remember a delivery; return once it is on disk. Raises OSError."""
        new = [each for each in tokens if each not in self._known]
        for token in new:
            self._keep(token, int(now))
        self._count += len(new)
        if self._is_torn or self._count > 2 * self._most:
            self._write(self._path.with_suffix(".new"), self._known.items(), "wb")
            os.replace(self._path.with_suffix(".new"), self._path)
            self._count, self._is_torn = len(self._known), False
        else:
            self._write(self._path, ((each, int(now)) for each in new), "ab")

    def _keep(self, token: bytes, when: int) -> None:
        self._known[token] = when
        if len(self._known) > self._most:
            self._known.popitem(last=False)

    @staticmethod
    def _write(path: Path, records: Iterable[tuple[bytes, int]], mode: str) -> None:
        with path.open(mode) as file:
            file.write(b"".join(_RECORD.pack(*each) for each in records))
            file.flush()
            os.fdatasync(file.fileno())


class Memory:
    """The files of all WebhookSources, in one folder."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder = folder
        self._open: dict[str, Seen] = {}

    def of(self, key: str) -> Seen:
        """Return what is remembered under a key; raises OSError."""
        if key not in self._open:
            self._open[key] = Seen(self._folder / f"{key}{_SUFFIX}")
        return self._open[key]

    def close(self, key: str) -> None:
        """Forget what is in memory."""
        self._open.pop(key, None)

    def keep_only(self, keys: set[str]) -> None:
        """Remove the files of all others."""
        for path in self._folder.glob(f"*{_SUFFIX}"):
            if path.stem not in keys:
                self.close(path.stem)
                with contextlib.suppress(OSError):
                    path.unlink()
