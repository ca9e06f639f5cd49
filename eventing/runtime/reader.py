"""Reads a log on behalf of one subscription: from its consumer until that is at the tail.

The log is the queue, memory a cache of its end. A reader is live while its consumer is attached
to the tail; when more is held than memory may hold, it goes back to reading.

One that begins reads little ahead of what is delivered, and twice as much each time it gets on:
after a restart with many backlogs memory would else be filled with all of them first, while
producers and events that are only just coming wait for that.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from eventing.engines.event import StoredEvent
from eventing.engines.seam import Consumer
from eventing.runtime.accounting import HeldEvents
from eventing.runtime.sharing import Share

log = logging.getLogger(__name__)

_FIRST_BYTES = 64 * 1024
"""How far a reader reads ahead at first."""
_MOST_BYTES = 64 * 1024 * 1024
"""More than anybody may hold."""
_PAUSE_SECONDS = 1.0
"""After a fetch that failed."""


class Reader:
    """``take`` gets what matches, in order; what does not is settled here.

    ``before`` is awaited each time before reading begins. ``behind`` is told whether it reads.
    """

    def __init__(
        self,
        consumer: Consumer,
        held: HeldEvents,
        *,
        name: str,
        matches: Callable[[StoredEvent], bool],
        take: Callable[[StoredEvent], None],
        before: Callable[[], Awaitable[None]],
        behind: Callable[[bool], None],
        share: Share,
    ) -> None:
        self._consumer = consumer
        self._held = held
        self._name = name
        self._matches = matches
        self._take = take
        self._before = before
        self._behind = behind
        self._share = share
        self._ahead = _FIRST_BYTES
        self._task: asyncio.Task[None] | None = None
        self.live = False
        """Whether events of the tail are to be offered."""

    def start(self) -> None:
        """Read until the consumer is at the tail."""
        self.live = False
        self._behind(True)
        self._task = asyncio.create_task(self._run(), name=f"catch-up-{self._name}")

    def fall_back(self, event: StoredEvent) -> None:
        """Go on from the log, beginning with this event of the tail. Only while live."""
        self._consumer.detach(event)
        self._ahead = _MOST_BYTES  # as much is held already
        self.start()

    async def _run(self) -> None:
        while True:
            try:
                await self._catch_up()
                return
            except Exception:
                log.exception("reading an event log failed", extra={"subscription": self._name})
                await asyncio.sleep(_PAUSE_SECONDS)

    async def _catch_up(self) -> None:
        consumer = self._consumer
        await self._before()
        held_before = -1
        while not consumer.attach():
            await self._held.wait_for_room(self._ahead)
            if self._held.bytes < held_before or held_before == 0:
                self._ahead = min(2 * self._ahead, _MOST_BYTES)
            found = await consumer.fetch(self._held.fetched_within(self._ahead))
            await self._share.may_look(len(found))
            for event in found:
                if self._matches(event):
                    self._take(event)
                else:
                    consumer.settle(event)
            held_before = self._held.bytes
        self.live = True
        self._behind(False)

    def close(self) -> None:
        """Stop; what is not settled is given again to the next reader."""
        self.live = False
        if self._task is not None:
            self._task.cancel()
        self._consumer.close()
