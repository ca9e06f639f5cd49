"""One log: a stream that others publish to as well, and an eye on what of it is needed.

The stream keeps what it has (its retention is by limits, nothing goes to make room): events go when
no consumer needs them any more, which is looked after here, so that they can be looked at and
replayed, and stay for those that are set aside.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping, Sequence
from dataclasses import replace
from functools import partial
from time import monotonic
from typing import Any, cast

from nats.aio.msg import Msg

from eventing.engines.event import Position, RenderedEvent, StoredEvent
from eventing.engines.nats import names
from eventing.engines.nats.asides import Aside, Asides, Kind
from eventing.engines.nats.config import NatsLimits, StreamOptions
from eventing.engines.nats.connection import NOBODY, Connection, NatsError, result_of
from eventing.engines.nats.consumer import NatsConsumer
from eventing.engines.nats.messages import block_for, message_id
from eventing.engines.nats.reading import NatsReading, first_since
from eventing.engines.nats.recent import Recent
from eventing.engines.seam import (
    Appended,
    Begin,
    Listener,
    LogStats,
    Refused,
    Standing,
    Start,
    StartAt,
    Unavailable,
)
from hearth.timeouts import time_limit

log = logging.getLogger(__name__)

Done = Callable[[NatsError | None], None]

_MOST_OF_A_BATCH = 1000
"""The server's own limit (ADR-50)."""
_FULL = (10077, 10047, 10023)
"""Its limits are reached; it has no room; it has no resources."""
_TOO_LARGE = 10054
_HAS_DUPLICATES = 10201
_NOT_FOUND = (10014, 10059)
"""No such consumer; no such stream."""
_FULL_SECONDS = 5
_IDLE_TIMES = 5
"""A log in which nothing was done here is looked at so much more seldom."""
_PORTION_BYTES = 1024 * 1024
_PAUSE_SECONDS = 0.01
_TYPES_BYTES = 2048
"""So much of what the broker knows of an event has room in a message beside it."""


class NatsLog:
    """Use on the event loop only."""

    def __init__(
        self,
        connection: Connection,
        stream: str,
        prefix: str,
        *,
        ensure: Callable[[], Awaitable[str]],
        made: str,
        options: StreamOptions,
        limits: NatsLimits,
        recent: Recent,
        clock: Callable[[], float],
    ) -> None:
        self.connection = connection
        self.stream = stream
        self.limits = replace(limits, ack_seconds=options.ack_seconds or limits.ack_seconds)
        self.clock = clock
        self.recent = recent
        self.touched = True
        self.made = made
        """When the stream was made: one made anew counts from 1 again."""
        self._ensure = ensure
        self.asides = Asides(
            connection, names.aside_name(stream), names.aside_subject(prefix, stream)
        )
        self._options = options
        self._subject = names.event_subject(prefix, stream)
        self._names: dict[str, str] | None = None
        self._consumers: set[NatsConsumer] = set()
        self._leaving: set[asyncio.Task[None]] = set()
        self._pending_bytes = 0
        self._unseen_bytes = 0
        """What was appended since the server was last asked how large the stream is."""
        self._first, self._last, self._size, self._events = 1, 0, 0, 0
        self._unsettled, self._low = 0, 0
        self._lags: dict[str, int] = {}
        self._refreshed = 0.0
        self._refreshing: asyncio.Task[None] | None = None
        self._keeps_spare = True
        self._closed = False

    # -- appending ---------------------------------------------------------------------------

    def append(self, events: Sequence[RenderedEvent], done: Appended, *, own: bool = False) -> None:
        """Publish all of the events or none, or raise Refused."""
        size = sum(event.size for event in events)
        self._check(events, size, own=own)
        self._pending_bytes += size
        self._append(events, partial(self._appended, done, size), own=own)

    def _append(
        self,
        events: Sequence[RenderedEvent],
        done: Done,
        *,
        own: bool,
    ) -> None:
        if len(events) == 1:
            self._publish(events[0], b"", done, own=own)
        else:
            self._publish_all(events, done, own=own)

    def _check(self, events: Sequence[RenderedEvent], size: int, *, own: bool) -> None:
        if self._closed or not self.connection.is_connected:
            raise Refused("the broker has no connection to NATS")
        most = self.connection.max_event_bytes
        for event in events:
            more = max(0, len(event.types) - _TYPES_BYTES)
            if len(event.head) + len(event.data) + more > most:
                raise Refused(f"the event is larger than NATS takes ({most} bytes)", status=413)
        if len(events) > _MOST_OF_A_BATCH:
            raise Refused(f"NATS takes {_MOST_OF_A_BATCH} events at once at most", status=413)
        if self._pending_bytes + size > self.limits.pending_bytes:
            raise Refused("too many events are waiting for NATS", status=429)
        if self._size + self._unseen_bytes + self._pending_bytes > self._room(own=own):
            self._look_soon()
            raise Refused(
                "the broker's log is full until its slowest Trigger has caught up",
                status=429,
                retry_after=_FULL_SECONDS,
            )

    def _room(self, *, own: bool) -> int:
        given = self._options.max_bytes
        most = given // 2 if given else self.limits.log_bytes
        return 2 * most if own else most

    def _publish(self, event: RenderedEvent, more: bytes, done: Done, *, own: bool) -> None:
        block = block_for(event, more if own else more + message_id(event))
        answered = partial(self._acknowledged, done, event)
        self.connection.ask(self._subject, event.data, answered, block=block)

    def _acknowledged(self, done: Done, event: RenderedEvent, found: Msg | NatsError) -> bool:
        try:
            if isinstance(found, NatsError):
                raise found
            said = result_of(found)
        except NatsError as error:
            done(error)
            return True
        if self._consumers and not said.get("duplicate") and "batch" not in said:
            # What it is sent for need not be read again off what the server sends.
            known = event.attributes
            self.recent.put(
                self.stream,
                StoredEvent(
                    event.arrival_ns,
                    event.ttl,
                    event.head,
                    event.types,
                    event.data,
                    known,
                    int(said["seq"]),
                ),
            )
        done(None)
        return True

    def _publish_all(self, events: Sequence[RenderedEvent], done: Done, *, own: bool) -> None:
        """All of them in one batch, of which the last is answered for all (ADR-50)."""
        batch_id = secrets.token_hex(16).encode()
        batch = b"Nats-Batch-Id: %b\r\nNats-Batch-Sequence: %d\r\n"
        for number, event in enumerate(events[:-1], 1):
            more = batch % (batch_id, number) + (b"" if own else message_id(event))
            self.connection.publish(self._subject, event.data, block_for(event, more))
        last = batch % (batch_id, len(events)) + b"Nats-Batch-Commit: 1\r\n"

        def answered(error: NatsError | None) -> None:
            if error is not None and error.code == _HAS_DUPLICATES:
                self._one_by_one(list(events), done)
            else:
                done(error)

        self._publish(events[-1], last, answered, own=own)

    def _one_by_one(self, events: list[RenderedEvent], done: Done) -> None:
        """Some of a batch are there already, for it is sent again: what is missing is added."""

        def answered(error: NatsError | None) -> None:
            if error is not None or not events:
                done(error)
            else:
                self._publish(events.pop(0), b"", answered, own=False)

        answered(None)

    def _appended(self, done: Appended, size: int, error: NatsError | None) -> None:
        self._pending_bytes -= size
        if error is None:
            self._unseen_bytes += size
            self.touched = True
            done(None)
        else:
            if error.code in (*_FULL, NOBODY):
                self._look_soon()
            done(_refusal(error))

    @property
    def tells_tail(self) -> bool:
        """Others publish as well: consumers fetch."""
        return False

    def listen(self, listener: Listener) -> None:
        """Nobody is told of the tail: whoever wants events fetches them."""

    # -- consumers ---------------------------------------------------------------------------

    async def _listed(self) -> dict[str, tuple[str, dict[str, Any]]]:
        """Return name and state of each consumer by its id; of one that was moved, the newest."""
        found: dict[str, tuple[str, dict[str, Any]]] = {}
        offset, total = 0, 1
        while offset < total:
            page = await self.connection.call(f"CONSUMER.LIST.{self.stream}", {"offset": offset})
            total, consumers = int(page.get("total", 0)), page.get("consumers") or []
            offset += len(consumers)
            for each in consumers:
                consumer_id = (each["config"].get("metadata") or {}).get(names.CONSUMER)
                name = each["name"]
                if consumer_id is None:
                    continue
                known = found.get(consumer_id)
                if known is None or names.generation_of(known[0]) < names.generation_of(name):
                    found[consumer_id] = name, each
            if not consumers:
                break
        return found

    async def consumers(self) -> Collection[str]:
        """Return the ids of all consumers."""
        return list(await self._listed())

    async def _known(self) -> dict[str, str]:
        if self._names is None:
            self._names = {key: name for key, (name, _) in (await self._listed()).items()}
        return self._names

    async def consume(self, consumer_id: str, start: Begin = Start.LATEST) -> NatsConsumer:
        """Open a consumer where it stopped, or a new one at ``start``."""
        await self.asides.open()
        known = await self._known()
        name = known.get(consumer_id) or names.consumer_name(consumer_id, 0)
        info = await self._made(consumer_id, name, start)
        known[consumer_id] = name
        following = int(info["delivered"]["stream_seq"]) + 1
        consumer = NatsConsumer(self, consumer_id, name, following)
        await consumer.start()
        await consumer.take_over()
        self._consumers.add(consumer)
        self.touched = True
        return consumer

    async def _made(self, consumer_id: str, name: str, start: Begin) -> dict[str, Any]:
        """Return a consumer's state; make it where there is none."""
        try:
            return await self.connection.call(f"CONSUMER.INFO.{self.stream}.{name}")
        except NatsError as error:
            if error.code != _NOT_FOUND[0]:
                raise
        return await self._make(consumer_id, name, await self._policy(start))

    async def _make(self, consumer_id: str, name: str, policy: Mapping[str, Any]) -> dict[str, Any]:
        config = {
            "durable_name": name,
            "name": name,
            "ack_policy": "explicit",
            "ack_wait": int(self.limits.ack_seconds * 1e9),
            "max_ack_pending": self._options.max_pending,
            "max_deliver": -1,
            "metadata": {names.CONSUMER: consumer_id},
            **self._options.consumer,
            **policy,
        }
        body = {"stream_name": self.stream, "config": config, "action": "create"}
        return await self.connection.call(f"CONSUMER.CREATE.{self.stream}.{name}", body)

    async def _policy(self, start: Begin) -> Mapping[str, Any]:
        if start is Start.LATEST:
            return self._options.begin or {"deliver_policy": "new"}
        if start is Start.EARLIEST:
            return {"deliver_policy": "all"}
        sequence = await self._sequence(start)
        return {"deliver_policy": "by_start_sequence", "opt_start_seq": max(sequence, 1)}

    async def _sequence(self, begin: Begin) -> int:
        if begin is Start.EARLIEST:
            return 1
        if isinstance(begin, StartAt):
            return cast(int, begin.position)
        await self._look()
        if begin is Start.LATEST:
            return self._last + 1
        return await first_since(self.connection, self.stream, begin.arrival_ns, self._last + 1)

    async def find(self, consumer_id: str, following: int, made: str) -> str:
        """Return the name of a consumer now; make it anew where somebody removed it.

        Then it goes on from ``following``, or with all there is where the stream was ``made`` anew.
        """
        self._names = None
        await self._make_sure()
        name = (await self._known()).get(consumer_id)
        if name is None:
            name = names.consumer_name(consumer_id, 0)
            is_same = made == self.made
            policy = await self._policy(StartAt(following) if is_same else Start.EARLIEST)
            await self._make(consumer_id, name, policy)
            log.warning("a consumer was made anew", extra={"consumer": consumer_id})
        return name

    async def seek(self, consumer_id: str, begin: Begin) -> None:
        """Have a closed consumer begin elsewhere: one of the next generation takes its place.

        The one with the highest generation counts, so a crash in between leaves one of the two.
        """
        await self._left()
        sequence = await self._sequence(begin)
        await self._renew(consumer_id, sequence)
        await self.asides.open()
        tag = names.plain(consumer_id)
        for at, aside in list(self.asides.of(tag).items()):
            if at >= sequence or aside.kind != "p":
                self.asides.put(tag, at, None)
        await self.asides.flush()
        self.touched = True

    async def _renew(self, consumer_id: str, sequence: int) -> None:
        """Put a consumer that begins there in the place of the one there is, if there is one."""
        self._names = None
        known = await self._known()
        old = known.get(consumer_id)
        generation = 0 if old is None else names.generation_of(old) + 1
        name = names.consumer_name(consumer_id, generation)
        policy = {"deliver_policy": "by_start_sequence", "opt_start_seq": max(sequence, 1)}
        await self._make(consumer_id, name, policy)
        known[consumer_id] = name
        if old is not None:
            await self.connection.call(f"CONSUMER.DELETE.{self.stream}.{old}")
        self.touched = True

    async def standing(self, consumer_id: str) -> Standing:
        """Have the server give again what is unsettled, for it does not tell which that is."""
        await self._left()
        _, state = (await self._listed())[consumer_id]
        following, pending = (
            int(state["delivered"]["stream_seq"]) + 1,
            int(state["num_ack_pending"]),
        )
        consumer = await self.consume(consumer_id)
        try:
            async with time_limit(2 * self.limits.ack_seconds):
                while len(found := consumer.unsettled(following)) < pending:
                    await consumer.fetch(_PORTION_BYTES)
        except TimeoutError:
            text = f"another process works on {pending - len(found)} events of {self.stream}"
            raise Unavailable(text) from None
        finally:
            consumer.close()
        await self._look()
        notes = self.asides.of(consumer.tag)
        recalled = [at for at, each in notes.items() if each.kind is Kind.RECALLED]
        still: dict[Position, str] = {
            at: notes[at].text if at in notes else "" for at in (*found, *recalled)
        }
        aside: dict[Position, str] = {
            at: each.text for at, each in notes.items() if each.kind is Kind.PARKED
        }
        return Standing((following,) if following <= self._last else (), still, aside)

    async def place(self, consumer_id: str, standing: Standing) -> None:
        """Make a consumer of the next generation; what lies before it is recalled or set aside."""
        await self._left()
        await self._look()
        following = cast(int, standing.following[0]) if standing.following else self._last + 1
        still = dict(cast(Mapping[int, str], standing.open))
        while still.get(following - 1) == "":
            following -= 1
            del still[following]
        await self.asides.open()
        tag = names.plain(consumer_id)
        self.asides.forget(tag)
        for at, text in still.items():
            self.asides.put(tag, at, Aside(Kind.RECALLED, text))
        for at, text in cast(Mapping[int, str], standing.aside).items():
            self.asides.put(tag, at, Aside(Kind.PARKED, text or "-"))
        await self.asides.flush()
        await self._renew(consumer_id, following)

    def lag(self, consumer_id: str) -> int | None:
        """Return what the server said last."""
        return self._lags.get(consumer_id)

    async def answered(self) -> None:
        """Return when the server has answered for all."""
        while self._pending_bytes:  # noqa: ASYNC110  # once in the life of a log
            await asyncio.sleep(_PAUSE_SECONDS)

    async def forget(self, consumer_id: str) -> None:
        """Remove a consumer, and what is kept beside the log for it."""
        await self._left()
        self._names = None
        name = (await self._known()).pop(consumer_id, None)
        if name is not None:
            await self.connection.call(f"CONSUMER.DELETE.{self.stream}.{name}")
        await self.asides.open()
        self.asides.forget(names.plain(consumer_id))
        self.touched = True

    def left(self, consumer: NatsConsumer, leaving: Coroutine[Any, Any, None]) -> None:
        """Note that a consumer is closed, and have it leave."""
        self._consumers.discard(consumer)
        task = asyncio.get_running_loop().create_task(leaving, name=f"leaving-{consumer.name}")
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    async def _left(self) -> None:
        """Wait until closed consumers have left."""
        if self._leaving:
            await asyncio.wait(list(self._leaving))

    async def keep_alive(self) -> None:
        """Say of what is unsettled that it is worked on."""
        for consumer in list(self._consumers):
            await consumer.keep_alive()

    # -- looking -----------------------------------------------------------------------------

    async def look(self, begin: Begin) -> NatsReading:
        """Read without being a consumer."""
        return NatsReading(self.connection, self.stream, await self._sequence(begin))

    def position_text(self, position: Position) -> str:
        """Positions are sequence numbers of the stream."""
        return str(position)

    def position_of(self, text: str) -> Position:
        """Return the position that a text means."""
        if not text.isdecimal():
            raise ValueError(f"{text} is no position of a log")
        return int(text)

    @property
    def has_released(self) -> bool:
        """Whether events have gone from it."""
        return self._first > 1

    # -- what is needed ----------------------------------------------------------------------

    async def checkpoint(self) -> None:
        """Save notes; now and then let go of what nobody needs. Not while the server is away."""
        if not self.connection.is_connected:
            return
        try:
            await self._checkpoint()
        except NatsError as error:
            self.touched = True
            facts = {"stream": self.stream, "error": str(error)}
            log.warning("what is needed of a stream cannot be saved", extra=facts)

    async def _checkpoint(self) -> None:
        await self.asides.flush()
        now = monotonic()
        seconds = self.limits.refresh_seconds * (1 if self.touched else _IDLE_TIMES)
        if (self.touched or self._consumers) and now - self._refreshed >= seconds:
            self._refreshed = now
            self.touched = False
            await self.connection.flush()
            await self._look()
            await self._release()

    async def _look(self) -> None:
        """Ask the server what the stream has."""
        before = self._unseen_bytes
        info = await self.connection.call(f"STREAM.INFO.{self.stream}")
        self._see(info["state"])
        self._unseen_bytes -= before

    def _see(self, state: dict[str, Any]) -> None:
        self._last, self._size = int(state["last_seq"]), int(state["bytes"])
        self._events = int(state["messages"])
        self._first = int(state["first_seq"]) if self._events else self._last + 1

    def _look_soon(self) -> None:
        if self._refreshing is None:
            self._refreshing = asyncio.get_running_loop().create_task(
                self._look_again(), name=f"looking-{self.stream}"
            )

    async def _make_sure(self) -> None:
        """Make the streams where somebody removed them."""
        made = await self._ensure()
        if made != self.made:
            self.made = made
            self.recent.forget(self.stream)

    async def _look_again(self) -> None:
        try:
            await self._make_sure()
            await self._look()
        except NatsError as error:
            log.warning("the size of a stream is not known", extra={"error": str(error)})
        finally:
            self._refreshing = None

    async def _release(self) -> None:
        """Let go of what no consumer needs, but for the newest of it."""
        end, unsettled, low = self._last + 1, 0, self._last + 1
        lags: dict[str, int] = {}
        for consumer_id, (_, state) in (await self._listed()).items():
            left = int(state["num_pending"]) + int(state["num_ack_pending"])
            lags[consumer_id] = left + self.asides.recalled_of(names.plain(consumer_id))
            unsettled = max(unsettled, left)
            if left:
                low = min(low, int(state["ack_floor"]["stream_seq"]) + 1)
        self._lags = lags
        parked = self.asides.parked_low()
        self._unsettled = unsettled
        self._low = min(low, parked) if parked is not None else low
        keeps = self._keeps_spare and self._options.keeps
        kept = min(self.limits.kept_bytes, self._room(own=False) // 4) if keeps else 0
        mean = self._size / self._events if self._events else 1.0
        until = self._low if not kept else min(self._low, end - int(kept / mean))
        if until - self._first > max(self._events // 16, 0) and until > self._first:
            purged = {"seq": until, "filter": self._subject} if until < end else {}
            await self.connection.call(f"STREAM.PURGE.{self.stream}", purged)
            await self._look()

    def spare(self, *, kept: bool) -> None:
        """Whether what no consumer needs may be kept."""
        if kept != self._keeps_spare:
            self._keeps_spare, self.touched = kept, True

    def stats(self) -> LogStats:
        """Return what was last known."""
        size = self._size + self._unseen_bytes
        needed = self._last + 1 - max(self._low, self._first)
        share = needed / self._events if self._events else 0.0
        return LogStats(size, int(self._size * min(max(share, 0.0), 1.0)), self._unsettled)

    async def close(self) -> None:
        """Let consumers leave, save what is to be saved."""
        for consumer in list(self._consumers):
            consumer.close()
        await self._left()
        if self._refreshing is not None:
            await asyncio.wait([self._refreshing])
        try:
            await self.asides.flush()
        except NatsError as error:
            log.warning("notes cannot be saved", extra={"error": str(error)})
        self._closed = True
        await self.asides.close()


def _refusal(error: NatsError) -> Refused:
    if error.code in _FULL:
        text = f"the broker's log has no room at NATS: {error}"
        return Refused(text, status=429, retry_after=_FULL_SECONDS)
    if error.code == _TOO_LARGE:
        return Refused(f"the event is larger than its stream takes: {error}", status=413)
    return Refused(f"the event cannot be stored: {error}")
