"""Holds namespaces to what their events may take on disk, while that is limited."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping

from eventing.runtime.diskquota import Verdict, verdict_of, verdicts
from eventing.runtime.openlogs import OpenLogs
from eventing.runtime.places import Place
from hearth.kube.guards import caught

_LOOK_SECONDS = 0.1
"""What logs take is known without looking at the disk."""
_MEASURE_SECONDS = 1.0
"""What else there is, is looked at on the disk."""

Sizes = Callable[[], Mapping[str, int]]


class DiskWatch:
    """Looks again and again, as long as there is a limit."""

    def __init__(self, logs: OpenLogs, kept: Sizes) -> None:
        """``kept`` returns the bytes of events beside the logs, by namespace. It may block."""
        self._logs = logs
        self._kept = kept
        self._most = 0
        self._has_limit = asyncio.Event()
        self._found: Mapping[str, Verdict] = {}

    def limit(self, most: int) -> None:
        """Let each namespace's events take so many bytes from now on; 0 for any number."""
        self._most = most
        if most:
            self._has_limit.set()
        else:
            self._has_limit.clear()

    def refusal(self, place: Place) -> str:
        """Return why a namespace may send no event; empty where it may."""
        return verdict_of(self._found, place.namespace).refusal

    async def run(self) -> None:
        """Look, until cancelled."""
        while True:
            await self._has_limit.wait()
            try:
                await self._watch()
            except Exception:
                caught("disk quota")
                await asyncio.sleep(_MEASURE_SECONDS)

    async def _watch(self) -> None:
        while self._most:
            others = await asyncio.to_thread(self._measure)
            for _ in range(round(_MEASURE_SECONDS / _LOOK_SECONDS)):
                self._judge(verdicts(self._most, self._logs.use(), others) if self._most else {})
                await asyncio.sleep(_LOOK_SECONDS)
        self._judge({})

    def _judge(self, found: Mapping[str, Verdict]) -> None:
        self._found = found
        self._logs.judge(found)

    def _measure(self) -> Mapping[str, int]:
        found: Counter[str] = self._logs.journey_sizes()
        found.update(self._kept())
        return found
