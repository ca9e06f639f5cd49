"""One log: a stream, the consumers of it, and what is kept beside it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import replace
from time import monotonic

from eventing.engines.event import Position, RenderedEvent
from eventing.engines.nats import moving, names
from eventing.engines.nats.appending import Appending
from eventing.engines.nats.asides import Asides
from eventing.engines.nats.config import NatsLimits, StreamOptions
from eventing.engines.nats.connection import Connection
from eventing.engines.nats.consumer import NatsConsumer
from eventing.engines.nats.consumers import Consumers
from eventing.engines.nats.faults import NatsError
from eventing.engines.nats.reading import NatsReading
from eventing.engines.nats.recent import Recent
from eventing.engines.nats.stream import Stream
from eventing.engines.seam import Appended, Begin, Listener, LogStats, Standing, Start

log = logging.getLogger(__name__)

_IDLE_TIMES = 5
"""A log in which nothing was done here is looked at so much more seldom."""
_PAUSE_SECONDS = 0.01


class NatsLog:
    """Use on the event loop only."""

    def __init__(
        self,
        connection: Connection,
        stream: str,
        *,
        ensure: Callable[[], Awaitable[str]],
        made: str,
        options: StreamOptions,
        limits: NatsLimits,
        recent: Recent,
        clock: Callable[[], float],
    ) -> None:
        self.stream = stream
        own = replace(limits, ack_seconds=options.ack_seconds or limits.ack_seconds)
        prefix = connection.server.prefix
        self.asides = Asides(
            connection, names.aside_name(stream), names.aside_subject(prefix, stream)
        )
        self._connection = connection
        self._limits = own
        self._stream = Stream(
            connection,
            stream,
            ensure=ensure,
            made=made,
            options=options,
            limits=own,
            recent=recent,
        )
        self._consumers = Consumers(self._stream, self.asides, own, clock)
        self._appending = Appending(self._stream, lambda: bool(self._consumers.opened))
        self._refreshed = 0.0

    # -- appending ---------------------------------------------------------------------------

    def append(self, events: Sequence[RenderedEvent], done: Appended, *, own: bool = False) -> None:
        """Publish all of the events or none, or raise Refused."""
        self._appending.append(events, done, own=own)

    async def answered(self) -> None:
        """Return when the server has answered for all."""
        while self._appending.pending_bytes:  # noqa: ASYNC110  # once in the life of a log
            await asyncio.sleep(_PAUSE_SECONDS)

    @property
    def tells_tail(self) -> bool:
        """Others publish as well: consumers fetch."""
        return False

    def listen(self, listener: Listener) -> None:
        """Nobody is told of the tail: whoever wants events fetches them."""

    # -- consumers ---------------------------------------------------------------------------

    async def consumers(self) -> Collection[str]:
        """Return the ids of all consumers."""
        return list(await self._consumers.listed())

    async def consume(
        self, consumer_id: str, start: Begin = Start.LATEST, *, ordered: bool = False
    ) -> NatsConsumer:
        """Open a consumer where it stopped, or a new one at ``start``."""
        return await self._consumers.open(consumer_id, start, ordered=ordered)

    async def seek(self, consumer_id: str, begin: Begin) -> None:
        """Have a closed consumer begin elsewhere."""
        await moving.seek(self._consumers, consumer_id, begin)

    async def standing(self, consumer_id: str) -> Standing:
        """Return how far a closed consumer is."""
        return await moving.standing(self._consumers, consumer_id)

    async def place(self, consumer_id: str, standing: Standing) -> None:
        """Make or replace a closed consumer, to go on like that."""
        await moving.place(self._consumers, consumer_id, standing)

    async def forget(self, consumer_id: str) -> None:
        """Remove a consumer, and what is kept beside the log for it."""
        await self._consumers.forget(consumer_id)

    def lag(self, consumer_id: str) -> int | None:
        """Return what the server said last."""
        return self._stream.lags.get(consumer_id)

    async def keep_alive(self) -> None:
        """Say of what is unsettled that it is worked on."""
        for consumer in list(self._consumers.opened):
            await consumer.keep_alive()

    # -- looking -----------------------------------------------------------------------------

    async def look(self, begin: Begin) -> NatsReading:
        """Read without being a consumer."""
        return NatsReading(self._connection, self.stream, await self._stream.sequence(begin))

    def position_text(self, position: Position) -> str:
        """Positions are sequence numbers of the stream."""
        return str(position)

    def position_of(self, text: str) -> Position:
        """Return the position that a text means."""
        if not text.isdecimal():
            raise ValueError(f"{text} is no position of a log")
        return int(text)

    def part_of(self, position: Position) -> int:
        """There is one part."""
        return 0

    @property
    def has_released(self) -> bool:
        """Whether events have gone from it."""
        return self._stream.first > 1

    # -- what is needed ----------------------------------------------------------------------

    async def checkpoint(self) -> None:
        """Save notes; now and then let go of what nobody needs. Not while the server is away."""
        if not self._connection.is_connected:
            return
        try:
            await self._checkpoint()
        except NatsError as error:
            self._stream.touched = True
            facts = {"stream": self.stream, "error": str(error)}
            log.warning("what is needed of a stream cannot be saved", extra=facts)

    async def _checkpoint(self) -> None:
        await self.asides.flush()
        stream, now = self._stream, monotonic()
        seconds = self._limits.refresh_seconds * (1 if stream.touched else _IDLE_TIMES)
        if (stream.touched or self._consumers.opened) and now - self._refreshed >= seconds:
            self._refreshed = now
            stream.touched = False
            await self._connection.flush()
            await stream.look()
            states = {key: state for key, (_, state) in (await self._consumers.listed()).items()}
            await stream.release(states, self.asides)

    def spare(self, *, kept: bool) -> None:
        """Whether what no consumer needs may be kept."""
        if kept != self._stream.keeps_spare:
            self._stream.keeps_spare, self._stream.touched = kept, True

    def stats(self) -> LogStats:
        """Return what was last known."""
        return self._stream.stats()

    async def close(self) -> None:
        """Let consumers leave, save what is to be saved."""
        for consumer in list(self._consumers.opened):
            consumer.close()
        await self._consumers.gone()
        await self._stream.close()
        try:
            await self.asides.flush()
        except NatsError as error:
            log.warning("notes cannot be saved", extra={"error": str(error)})
        self._appending.closed = True
        await self.asides.close()
