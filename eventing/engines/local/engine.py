"""The local engine: logs under one folder, which it locks.

Order is total, a consumer belongs to one process, and so does the log: its one writer is also
what tells consumers of new events, from memory. Ingress and dispatcher therefore share a process.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from eventing.engines.local.config import LogLimits
from eventing.engines.local.frames import MAX_EVENT_BYTES
from eventing.engines.local.log import LocalLog, LogFiles
from eventing.engines.local.threads import Threads
from eventing.engines.seam import Capabilities, Order


class LocalEngine:
    """Raises RuntimeError where another process works on the folder."""

    capabilities = Capabilities(
        order=Order.TOTAL,
        partitioned=False,
        redelivers=False,
        consumer_groups=False,
        processes=False,
        deduplicates=False,
        max_event_bytes=MAX_EVENT_BYTES,
    )

    def __init__(self, folder: Path, limits: LogLimits | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._limits = limits or LogLimits()
        self._lock = _locked(folder)
        self._threads = Threads()
        self._logs: dict[str, LocalLog] = {}
        self._opening = asyncio.Lock()

    async def keys(self) -> Collection[str]:
        """Return the keys of all logs there are."""
        return await self._threads.read(self._list)

    def _list(self) -> list[str]:
        return sorted(path.name for path in self._folder.iterdir() if path.is_dir())

    async def open(self, key: str, options: Mapping[str, Any] | None = None) -> LocalLog:
        """Open a log, making it where there is none."""
        async with self._opening:
            opened = self._logs.get(key)
            if opened is None:
                folder = self._folder / key
                files = await self._threads.write(lambda: LogFiles.open(folder, self._limits))
                opened = self._logs[key] = LocalLog(files, self._threads, self._limits)
            return opened

    async def drop(self, key: str) -> None:
        """Remove a log with all its events and consumers."""
        opened = self._logs.pop(key, None)
        if opened is not None:
            await opened.close()
        await self._threads.write(lambda: shutil.rmtree(self._folder / key, ignore_errors=True))

    async def close(self) -> None:
        """Close all logs and unlock the folder."""
        for opened in self._logs.values():
            await opened.close()
        self._logs.clear()
        await asyncio.to_thread(self._threads.stop)
        os.close(self._lock)


def _locked(folder: Path) -> int:
    """Two processes must not write one log."""
    lock = os.open(folder / "lock", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        raise RuntimeError(f"another broker works on {folder}") from error
    return lock
