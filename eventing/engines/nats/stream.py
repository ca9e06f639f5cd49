"""What a stream has, and what of it is needed, as the server said last.

The stream keeps what it has (its retention is by limits, nothing goes to make room): events go when
no consumer needs them any more, which is looked after here, so that they can be looked at and
replayed, and stay for those that are set aside.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast

from eventing.engines.nats import names
from eventing.engines.nats.asides import Asides
from eventing.engines.nats.config import NatsLimits, StreamOptions
from eventing.engines.nats.connection import Connection
from eventing.engines.nats.faults import NatsError
from eventing.engines.nats.reading import first_since
from eventing.engines.nats.recent import Recent
from eventing.engines.seam import Begin, LogStats, Start, StartAt

log = logging.getLogger(__name__)


class Stream:
    """One log's stream, which others publish to as well."""

    def __init__(
        self,
        connection: Connection,
        name: str,
        *,
        ensure: Callable[[], Awaitable[str]],
        made: str,
        options: StreamOptions,
        limits: NatsLimits,
        recent: Recent,
    ) -> None:
        self.connection = connection
        self.name = name
        self.subject = names.event_subject(connection.server.prefix, name)
        self.options = options
        self.limits = limits
        self.recent = recent
        self.made = made
        """When it was made: one made anew counts from 1 again."""
        self.touched = True
        """Whether there is something to look at."""
        self.unseen_bytes = 0
        """What was appended since the server was last asked how large it is."""
        self.first, self.last, self.size = 1, 0, 0
        self.lags: dict[str, int] = {}
        self.keeps_spare = True
        self.problem = ""
        """A right that we lack here."""
        self._events = self._unsettled = self._low = 0
        self._ensure = ensure
        self._looking: asyncio.Task[None] | None = None
        connection.told.append(self._told)
        connection.on_return(self.well)

    def _told(self, problem: str) -> None:
        if self.name.lower() in problem.lower():
            self.problem = problem

    def well(self) -> None:
        """Something went well, or may: what was refused is tried again."""
        self.problem = ""

    # -- looking -----------------------------------------------------------------------------

    async def look(self) -> None:
        """Ask the server what it has."""
        before = self.unseen_bytes
        info = await self.connection.call(f"STREAM.INFO.{self.name}")
        state = info["state"]
        self.last, self.size = int(state["last_seq"]), int(state["bytes"])
        self._events = int(state["messages"])
        self.first = int(state["first_seq"]) if self._events else self.last + 1
        self.unseen_bytes -= before

    def look_soon(self) -> None:
        """Ask, and make it where it is gone."""
        if self._looking is None:
            self._looking = asyncio.get_running_loop().create_task(
                self._look_again(), name=f"looking-{self.name}"
            )

    async def _look_again(self) -> None:
        try:
            await self.make_sure()
            await self.look()
        except NatsError as error:
            log.warning("the size of a stream is not known", extra={"error": str(error)})
        finally:
            self._looking = None

    async def make_sure(self) -> None:
        """Make it where somebody removed it."""
        made = await self._ensure()
        if made != self.made:
            self.made = made
            self.recent.forget(self.name)

    async def sequence(self, begin: Begin) -> int:
        """Return where somebody begins."""
        if begin is Start.EARLIEST:
            return 1
        if isinstance(begin, StartAt):
            return cast(int, begin.position)
        await self.look()
        if begin is Start.LATEST:
            return self.last + 1
        return await first_since(self.connection, self.name, begin.arrival_ns, self.last + 1)

    # -- what is needed ----------------------------------------------------------------------

    def room(self, *, own: bool) -> int:
        """Return how many bytes there may be: half for producers, all for what is our own."""
        given = self.options.max_bytes
        most = given // 2 if given else self.limits.log_bytes
        return 2 * most if own else most

    async def release(self, consumers: Mapping[str, Mapping[str, Any]], asides: Asides) -> None:
        """Let go of what no consumer needs, but for the newest of it."""
        unsettled, low = 0, self.last + 1
        lags: dict[str, int] = {}
        for consumer_id, state in consumers.items():
            left = int(state["num_pending"]) + int(state["num_ack_pending"])
            lags[consumer_id] = left + asides.recalled_of(names.plain(consumer_id))
            unsettled = max(unsettled, left)
            if left:
                low = min(low, int(state["ack_floor"]["stream_seq"]) + 1)
        self.lags, self._unsettled = lags, unsettled
        parked = asides.parked_low()
        self._low = min(low, parked) if parked is not None else low
        await self._purge()

    async def _purge(self) -> None:
        end, keeps = self.last + 1, self.keeps_spare and self.options.keeps
        kept = min(self.limits.kept_bytes, self.room(own=False) // 4) if keeps else 0
        mean = self.size / self._events if self._events else 1.0
        until = self._low if not kept else min(self._low, end - int(kept / mean))
        if until - self.first > self._events // 16 and until > self.first:
            purged = {"seq": until, "filter": self.subject} if until < end else {}
            await self.connection.call(f"STREAM.PURGE.{self.name}", purged)
            await self.look()

    def stats(self) -> LogStats:
        """Return what was last known."""
        needed = self.last + 1 - max(self._low, self.first)
        share = needed / self._events if self._events else 0.0
        needed_bytes = int(self.size * min(max(share, 0.0), 1.0))
        size = self.size + self.unseen_bytes
        return LogStats(size, needed_bytes, self._unsettled, problem=self.problem)

    async def close(self) -> None:
        """Wait for the look that is under way."""
        self.connection.told.remove(self._told)
        self.connection.off_return(self.well)
        if self._looking is not None:
            await asyncio.wait([self._looking])
