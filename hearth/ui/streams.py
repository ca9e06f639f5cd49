"""Server-sent events: what is shown, from the first viewer's coming to the last one's going.

A viewer is a loop that sends what is newer than the version it has, at most four times a second,
and waits where its connection is full. It delays nobody, and nothing is queued for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import orjson

from hearth.kube.clock import Clock, wall_clock
from hearth.timeouts import time_limit
from hearth.ui.tables import Tables
from hearth.ui.watching import DECLARED, Watching, shown

log = logging.getLogger(__name__)

Json = dict[str, Any]
PACE_SECONDS = 0.25
BEAT_SECONDS = 10.0
"""So often something is sent, if only to say that there is nothing."""
LINGER_SECONDS = 5.0
"""A page that is loaded anew comes back within this; nothing has to be listed again then."""
_FIRST_SECONDS = 1.0
"""A first answer waits so long for all to be listed; what comes later is told as it comes."""
STREAM_SECONDS = 240.0
"""A stream ends before the gateway ends it, after 300 s; the browser goes on where it was."""


def event(name: str, data: Json, event_id: str = "") -> bytes:
    """Return a server-sent event."""
    head = f"id: {event_id}\n" if event_id else ""
    return f"{head}event: {name}\ndata: ".encode() + orjson.dumps(data) + b"\n\n"


class _Show:
    """The tables while somebody looks, and the task that keeps them."""

    def __init__(self, make: Callable[[Tables], Watching], clock: Clock) -> None:
        self.viewers = 0
        self.tables = Tables(self._wake)
        self._epoch = secrets.token_hex(4)
        self._clock = clock
        self._news = asyncio.Event()
        self._encoded: dict[tuple[int, int], bytes] = {}
        self._watching = make(self.tables)
        self.task = asyncio.create_task(self._watching.run(), name="page-watching")
        self.task.add_done_callback(self._over)

    def _wake(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()

    def _over(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            log.error("the page's watches ended", exc_info=task.exception())
        self._wake()

    async def listed(self) -> None:
        """Wait for what there is, but not for long."""
        with contextlib.suppress(TimeoutError):
            async with time_limit(_FIRST_SECONDS):
                await self._watching.synced()

    def version_of(self, event_id: str) -> int | None:
        """Return the version that a viewer has seen of this show; None: of another one."""
        epoch, _, version = event_id.partition("-")
        return int(version) if epoch == self._epoch and version.isdecimal() else None

    def message(self, version: int | None, me: Json) -> tuple[bytes, int]:
        """Return what is new since a version, and the version of now; b"" for nothing."""
        now = self.tables.version
        rows = None if version is None else self._delta(version, now)
        if rows is None:
            told = {"at": self._clock(), "me": me, "tables": dict(shown(self.tables))}
            return event("snapshot", told, self._id(now)), now
        return rows, now

    def _delta(self, version: int, now: int) -> bytes | None:
        """The same bytes for all viewers that are equally far."""
        found = self._encoded.get((version, now))
        if found is None:
            rows = self.tables.since(version)
            if rows is None:
                return None
            rows.pop(DECLARED, None)
            told = {"at": self._clock(), "rows": rows}
            found = event("delta", told, self._id(now)) if rows else b""
            self._encoded = {key: each for key, each in self._encoded.items() if key[1] == now}
            self._encoded[version, now] = found
        return found

    async def news(self, version: int, seconds: float) -> bool:
        """Wait so long for something newer; whether there is."""
        with contextlib.suppress(TimeoutError):
            async with time_limit(seconds):
                while self.tables.version == version and not self.task.done():
                    await self._news.wait()
        return self.tables.version != version

    def _id(self, version: int) -> str:
        return f"{self._epoch}-{version}"


class Streams:
    """Who looks at the moment, and what is shown to all of them."""

    def __init__(self, make: Callable[[Tables], Watching], *, clock: Clock = wall_clock) -> None:
        """``make`` begins to watch for the tables that it is given."""
        self._make = make
        self._clock = clock
        self._show: _Show | None = None

    async def stream(self, me: Json, last_id: str = "") -> AsyncIterator[bytes]:
        """Tell one viewer what there is and what changes; ``last_id`` is of what it saw last."""
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + STREAM_SECONDS
        with self._looking() as show:
            yield b"retry: 500\n\n"
            version = show.version_of(last_id)
            if version is None:
                await show.listed()
            while loop.time() < ends_at and not show.task.done():
                message, version = show.message(version, me)
                if message:
                    yield message
                await asyncio.sleep(PACE_SECONDS)
                if not await show.news(version, BEAT_SECONDS):
                    yield event("beat", {"at": self._clock()})

    @contextlib.contextmanager
    def _looking(self) -> Iterator[_Show]:
        show = self._show
        if show is None or show.task.done():
            show = self._show = _Show(self._make, self._clock)
        show.viewers += 1
        try:
            yield show
        finally:
            show.viewers -= 1
            if not show.viewers:
                asyncio.get_running_loop().call_later(LINGER_SECONDS, self._rest, show)

    def _rest(self, show: _Show) -> None:
        if not show.viewers:
            show.task.cancel()
            if self._show is show:
                self._show = None

    async def close(self) -> None:
        """Watch no more."""
        show, self._show = self._show, None
        if show is not None:
            show.task.cancel()
            await asyncio.gather(show.task, return_exceptions=True)
