"""Tells the API server what pods and machine use, by a socket in the folder that both know.

Whoever connects gets one JSON document. Nothing is read while nobody asks; the first answer after a
pause takes ``FIRST_SECONDS``, since a rate needs two readings. Readings are shared by all who ask
within ``RESOLUTION_SECONDS``.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import orjson

from hearth.cluster.node.runtime.api import Usage
from hearth.cluster.node.usagewindow import MACHINE, Count, Name, Reading, kept, rates
from hearth.kube.clock import Clock
from hearth.kube.guards import caught

FIRST_SECONDS = 0.5
RESOLUTION_SECONDS = 1.0
LONGEST_PATH = 107
"""sockaddr_un of Linux has 108 bytes, with a zero at the end (unix(7))."""
ReadUsage = Callable[[], Sequence[Usage]]


def socket_path(data_dir: Path) -> Path:
    """Where is listened."""
    return data_dir / "run" / "node.sock"


class UsageServer:
    """Answers with rates; ``usage`` may block, and is called in a thread."""

    def __init__(self, node_name: str, usage: ReadUsage, clock: Clock) -> None:
        self._node_name = node_name
        self._usage = usage
        self._clock = clock
        self._readings: list[Reading] = []
        self._reading = asyncio.Lock()
        self._answering: set[asyncio.Task[None]] = set()

    @contextlib.asynccontextmanager
    async def listening(self, path: Path) -> AsyncIterator[None]:
        """Answers inside the block; where the path is too long for a socket, nobody asks."""
        if len(os.fsencode(path)) > LONGEST_PATH:
            yield
            return
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        server = await asyncio.start_unix_server(self._answer, path)
        os.chmod(path, 0o600)
        async with server:
            try:
                yield
            finally:
                for task in self._answering:
                    task.cancel()
                await asyncio.gather(*self._answering, return_exceptions=True)

    async def document(self) -> dict[str, Any]:
        """The node's name, when it was read, and what everything uses."""
        async with self._reading:
            self._readings = kept(self._readings, self._clock())
            if not self._readings:
                await self._read()
                await asyncio.sleep(FIRST_SECONDS)
                await self._read()
            elif self._clock() - self._readings[-1].at >= RESOLUTION_SECONDS:
                await self._read()
            newest = self._readings[-1].at
            return {"node": self._node_name, "at": newest, "uses": rates(self._readings)}

    async def _read(self) -> None:
        self._readings.append(await asyncio.to_thread(self._counts))

    def _counts(self) -> Reading:
        counts: dict[Name, Count] = {
            (each.namespace, each.pod, each.container): Count(each.cpu_seconds, each.memory_bytes)
            for each in self._usage()
        }
        return Reading(self._clock(), counts | {MACHINE: read_machine_use()})

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._answering.add(task)
        try:
            writer.write(orjson.dumps(await self.document()))
            await writer.drain()
        except ConnectionError:
            pass  # who asked went away
        except Exception:
            caught("node-usage")
        finally:
            writer.close()
            self._answering.discard(task)


def read_machine_use() -> Count:
    """CPU time of all processors but idle, and memory that is not available to new programs."""
    ticks = [int(each) for each in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    idle = ticks[3] + ticks[4]
    lines = (line.split() for line in Path("/proc/meminfo").read_text().splitlines()[:3])
    memory = {name: int(kibibytes) * 1024 for name, kibibytes, _ in lines}
    return Count(
        (sum(ticks) - idle) / os.sysconf("SC_CLK_TCK"),
        memory["MemTotal:"] - memory["MemAvailable:"],
    )
