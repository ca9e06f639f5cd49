"""One log: a topic that others may write to as well, and how far its consumers are."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Collection, Coroutine, Mapping, Sequence
from time import monotonic
from typing import Any, Protocol, cast

from confluent_kafka import KafkaError, KafkaException

from eventing.engines.cursor import CursorState
from eventing.engines.event import Position, RenderedEvent, StoredEvent
from eventing.engines.kafka import names
from eventing.engines.kafka.client import Client, KafkaFault, fault_of
from eventing.engines.kafka.config import KafkaLimits
from eventing.engines.kafka.consumer import At, KafkaConsumer
from eventing.engines.kafka.messages import record_of
from eventing.engines.kafka.reading import KafkaReading, event_at, first_since
from eventing.engines.kafka.states import Known, States, Write, changes, written
from eventing.engines.kafka.tails import Portion, Tail
from eventing.engines.kafka.threads import Member, Read, Reader
from eventing.engines.seam import (
    Appended,
    Begin,
    Listener,
    LogStats,
    Refused,
    Standing,
    Start,
    StartTime,
)
from hearth.timeouts import time_limit

log = logging.getLogger(__name__)

MAX_EVENT_BYTES = 1_000_000
_TYPES_BYTES = 2048
"""So much of what the broker knows of an event has room in a record beside it."""
_PAUSE_SECONDS = 0.01
_FULL_SECONDS = 5
_STATUSES = {
    KafkaError.MSG_SIZE_TOO_LARGE: 413,
    KafkaError.RECORD_LIST_TOO_LARGE: 413,
    KafkaError._QUEUE_FULL: 429,
}


class Keeper(Protocol):
    """Keeps how far consumers are, for all logs."""

    states: States

    async def sync(self) -> None:
        """Know all that was written until now."""

    async def put(self, writes: Sequence[Write]) -> None:
        """Write, and wait until that is durable."""


class KafkaLog:
    """Use on the event loop only."""

    def __init__(
        self,
        client: Client,
        reader: Reader,
        keeper: Keeper,
        *,
        topic: str,
        partitions: Sequence[int],
        limits: KafkaLimits,
    ) -> None:
        self.topic = topic
        self.limits = limits
        self.tails = dict[int, Tail]()
        self._touched = True
        self._changed = asyncio.Event()
        self._client = client
        self._reader = reader
        self._keeper = keeper
        self._partitions = list(partitions)
        self._consumers: dict[str, KafkaConsumer] = {}
        self.member: Member | None = None
        self._arrived = asyncio.Event()
        self._leaving: set[asyncio.Task[None]] = set()
        self._saving = asyncio.Lock()
        self._pending_bytes = 0
        self._unseen_bytes = 0
        """What was appended since it was last asked how much is unsettled."""
        self._mean = 1024.0
        """Bytes of an event, about."""
        self._begins: dict[int, int] = {}
        self._ends: dict[int, int] = {}
        self._unsettled = 0
        self._saved_at = 0.0
        self._ending = self._closed = False

    def touch(self) -> None:
        """Note that the next checkpoint has something to do."""
        self._touched = True
        self._changed.set()

    # -- appending ---------------------------------------------------------------------------

    def append(self, events: Sequence[RenderedEvent], done: Appended, *, own: bool = False) -> None:
        """Write all of the events, or raise Refused.

        Where Kafka takes some of them and not others, all are refused, and come again.
        """
        size = sum(event.size for event in events)
        self._check(events, size, own=own)
        self._pending_bytes += size
        left = len(events)
        problem: KafkaError | None = None

        def answered(error: KafkaError | None) -> None:
            nonlocal left, problem
            left -= 1
            problem = problem or error
            if not left:
                self._appended(done, size, len(events), problem)

        for number, event in enumerate(events):
            try:
                self._client.produce(self.topic, record_of(event), answered)
            except (BufferError, KafkaException) as error:
                what = KafkaError._QUEUE_FULL if isinstance(error, BufferError) else error.args[0]
                problem = what if isinstance(what, KafkaError) else KafkaError(what)
                for _ in events[number:]:
                    self._client.loop.call_soon(answered, problem)
                return

    def _check(self, events: Sequence[RenderedEvent], size: int, *, own: bool) -> None:
        if self._closed:
            raise Refused("the broker has no connection to Kafka")
        for event in events:
            more = max(0, len(event.types) - _TYPES_BYTES)
            if len(event.head) + len(event.data) + more > MAX_EVENT_BYTES:
                text = f"the event is larger than Kafka takes ({MAX_EVENT_BYTES} bytes)"
                raise Refused(text, status=413)
        if self._pending_bytes + size > self.limits.pending_bytes:
            raise Refused("too many events are waiting for Kafka", status=429)
        needed = self._unsettled * self._mean + self._unseen_bytes + self._pending_bytes
        if self._has_consumers() and needed > self.limits.log_bytes * (2 if own else 1):
            self._touched = True
            raise Refused(
                "the broker's log is full until its slowest Trigger has caught up",
                status=429,
                retry_after=_FULL_SECONDS,
            )

    def _has_consumers(self) -> bool:
        return bool(self._keeper.states.consumers(self.topic))

    def _appended(self, done: Appended, size: int, count: int, error: KafkaError | None) -> None:
        self._pending_bytes -= size
        if error is None:
            self._unseen_bytes += size
            self._mean += (size / count - self._mean) / 16
            self._touched = True
            done(None)
            return
        fault = fault_of(error, f"the event cannot be stored in topic {self.topic}")
        done(Refused(str(fault), status=_STATUSES.get(error.code(), 503)))

    def listen(self, listener: Listener) -> None:
        """Nobody is told of the tail: whoever wants events fetches them."""

    @property
    def tells_tail(self) -> bool:
        """Others write as well: consumers fetch."""
        return False

    # -- partitions that are ours ------------------------------------------------------------

    def assigned(self, partitions: Sequence[int]) -> None:
        """Know the partitions; consumers begin in them once it is known how far they are."""
        for partition in partitions:
            self.tails[partition] = Tail(self.limits.tail_bytes // len(self._partitions))
        self._spawn(self._begin(partitions), "kafka-begin")

    async def _begin(self, partitions: Sequence[int]) -> None:
        try:
            await self._keeper.sync()
        except KafkaFault as fault:
            if self._ending:
                return
            log.warning("partitions wait", extra={"topic": self.topic, "error": str(fault)})
            await asyncio.sleep(1)
            self._spawn(self._begin(partitions), "kafka-begin")
            return
        for consumer in self._consumers.values():
            self._begin_consumer(consumer, partitions)
        self._wake()

    def _begin_consumer(self, consumer: KafkaConsumer, partitions: Collection[int]) -> None:
        for partition in partitions:
            if partition in self.tails:
                state = self._keeper.states.state(self.topic, consumer.id, partition)
                consumer.begin(partition, state or CursorState(0))  # one that was added later

    async def revoked(self, partitions: Sequence[int], *, lost: bool) -> None:
        """Save how far consumers are, and let go."""
        for partition in partitions:
            self.tails.pop(partition, None)
        if not lost and not self._closed:
            await self._work_off(partitions)
            for consumer in list(self._consumers.values()):
                await self.save(consumer)
        for consumer in self._consumers.values():
            for partition in partitions:
                consumer.end(partition)

    async def _work_off(self, partitions: Sequence[int]) -> None:
        """Wait for a moment: what is settled before others have it does not come twice."""

        def is_busy() -> bool:
            consumers = self._consumers.values()
            return any(each.is_busy(partition) for each in consumers for partition in partitions)

        with contextlib.suppress(TimeoutError):
            async with time_limit(self.limits.answer_seconds / 2):
                while is_busy():
                    self._changed.clear()
                    await self._changed.wait()

    def heard(self, reads: Sequence[Read]) -> None:
        """Take in what came at the ends of our partitions."""
        for partition, offset, record in reads:
            tail = self.tails.get(partition)
            if tail is None or (tail.end is not None and offset < tail.end):
                continue
            if record is None:
                tail.reach(offset)
            else:
                tail.add(offset, event_at(record, At(partition, offset)))
        self._touched = True
        self._wake()

    def failed(self, fault: KafkaFault) -> None:
        """Say so."""
        log.warning("events cannot be read", extra={"topic": self.topic, "error": str(fault)})

    def _wake(self) -> None:
        self._arrived.set()
        self._arrived = asyncio.Event()

    async def wait(self) -> None:
        """Wait until something has come."""
        await self._arrived.wait()

    async def read_on(self, places: Mapping[int, int], max_bytes: int) -> dict[int, Portion]:
        """Read from places on, as far as there is something."""
        found, following = await self._reader.read(self.topic, places, max_bytes)
        events: dict[int, list[StoredEvent]] = {partition: [] for partition in places}
        for partition, offset, record in found:
            event = event_at(record, At(partition, offset)) if record is not None else None
            if event is not None:
                events[partition].append(event)
        return {each: Portion(events[each], following[each]) for each in places}

    # -- consumers ---------------------------------------------------------------------------

    async def consumers(self) -> Collection[str]:
        """Return the ids of all consumers."""
        await self._keeper.sync()
        return list(self._keeper.states.consumers(self.topic))

    async def consume(self, consumer_id: str, start: Begin = Start.LATEST) -> KafkaConsumer:
        """Open a consumer where it stopped, or a new one at ``start``."""
        await self._left()
        await self._keeper.sync()
        known = self._keeper.states.consumers(self.topic).get(consumer_id)
        if known is None:
            known = await self._made(consumer_id, Known(0, await self._places(start)))
        consumer = KafkaConsumer(self, consumer_id, known.generation)
        self._consumers[consumer_id] = consumer
        self._begin_consumer(consumer, self.tails)
        if self.member is None:
            group = names.members_group(self._client.server.prefix, self.topic)
            self.member = Member(self._client, self.topic, self, group)
            self.member.start()
        self._touched = True
        return consumer

    async def _made(self, consumer_id: str, wanted: Known) -> Known:
        """Make a consumer; where several processes do so at once, the first one's counts."""
        await self._keeper.put([written(self.topic, consumer_id, wanted)])
        await self._keeper.sync()
        known = self._keeper.states.consumers(self.topic)[consumer_id]
        if known != wanted:
            await self._keeper.put([written(self.topic, consumer_id, known)])  # also when compacted
        return known

    def moved(self) -> None:
        """Have consumers begin anew that others have moved."""
        known = self._keeper.states.consumers(self.topic)
        for consumer in self._consumers.values():
            now = known.get(consumer.id)
            if now is not None and now.generation > consumer.generation:
                consumer.restart(now.generation)
                self._begin_consumer(consumer, self.tails)
                self._wake()

    async def _places(self, begin: Begin) -> dict[int, int]:
        """Where to begin in each partition."""
        if begin is Start.LATEST:
            return await self._client.ends(self.topic, self._partitions)
        if begin is Start.EARLIEST:
            return await self._client.begins(self.topic, self._partitions)
        if isinstance(begin, StartTime):
            return await self._since(begin.arrival_ns)
        at = cast(At, begin.position)
        found = await self.read_on({at.partition: at.offset}, 1)
        events = found[at.partition].events
        places = (
            await self._since(events[0].arrival_ns) if events else await self._places(Start.LATEST)
        )
        return {at.partition: at.offset} | {k: v for k, v in places.items() if k != at.partition}

    async def _since(self, arrival_ns: int) -> dict[int, int]:
        return await first_since(
            self._client, self._reader, self.topic, self._partitions, arrival_ns
        )

    async def seek(self, consumer_id: str, begin: Begin) -> None:
        """Have a closed consumer begin elsewhere: its next generation does.

        The record that says so comes after all that belongs to it.
        """
        await self._left()
        places = await self._places(begin)
        await self._keeper.sync()
        states = self._keeper.states
        generation = states.consumers(self.topic)[consumer_id].generation
        for partition, to in places.items():
            old = states.state(self.topic, consumer_id, partition)
            if old is not None:
                at = self.topic, consumer_id, generation + 1, partition
                await self._keeper.put(list(changes(*at, None, old.moved(to))))
        await self._clear(consumer_id, Known(generation + 1, places))

    async def standing(self, consumer_id: str) -> Standing:
        """Return the cursors of all partitions, as they were saved."""
        await self._left()
        await self._keeper.sync()
        ends = await self._client.ends(self.topic, self._partitions)
        following: list[Position] = []
        still: dict[Position, str] = {}
        aside: dict[Position, str] = {}
        for partition, state in self.states_of(consumer_id).items():
            if state.next < ends.get(partition, 0):
                following.append(At(partition, state.next))
            for at in state.open:
                still[At(partition, at)] = state.notes.get(at, "")
            for at in state.notes.keys() - set(state.open):
                aside[At(partition, at)] = state.notes[at]
        return Standing(tuple(following), still, aside)

    async def place(self, consumer_id: str, standing: Standing) -> None:
        """Begin a generation, with cursors in all partitions."""
        await self._left()
        await self._keeper.sync()
        places = await self._client.ends(self.topic, self._partitions)
        places |= dict(cast(tuple[At, ...], standing.following))
        known = self._keeper.states.consumers(self.topic).get(consumer_id)
        generation = known.generation + 1 if known is not None else 0
        for partition, following in places.items():
            still = _of(partition, standing.open)
            notes = {at: text for at, text in still.items() if text}
            notes |= {at: text or "-" for at, text in _of(partition, standing.aside).items()}
            state = CursorState(following, tuple(sorted(still)), notes)
            at = self.topic, consumer_id, generation, partition
            await self._keeper.put(list(changes(*at, None, state)))
        if known is None:
            await self._keeper.put([written(self.topic, consumer_id, Known(0, places))])
        else:
            await self._clear(consumer_id, Known(generation, places))
        self._touched = True

    def lag(self, consumer_id: str) -> int | None:
        """Return what was counted last."""
        is_known = self._ends and consumer_id in self._keeper.states.consumers(self.topic)
        return self._unsettled_of(consumer_id) if is_known else None

    async def answered(self) -> None:
        """Return when Kafka has answered for all."""
        while self._pending_bytes:  # noqa: ASYNC110  # once in the life of a log
            await asyncio.sleep(_PAUSE_SECONDS)

    async def forget(self, consumer_id: str) -> None:
        """Remove a consumer and its state."""
        await self._left()
        await self._keeper.sync()
        if consumer_id in self._keeper.states.consumers(self.topic):
            await self._clear(consumer_id, None)

    async def _clear(self, consumer_id: str, instead: Known | None) -> None:
        """Put something in a consumer's place, and let go of what is void then."""
        states = self._keeper.states
        generation = states.consumers(self.topic)[consumer_id].generation
        void: list[Write] = []
        for partition in states.partitions(self.topic, consumer_id):
            at = self.topic, consumer_id, generation, partition
            void += changes(*at, states.state(self.topic, consumer_id, partition), None)
        await self._keeper.put([written(self.topic, consumer_id, instead)])
        await self._keeper.put(void)
        self._touched = True

    def left(self, consumer: KafkaConsumer, leaving: Coroutine[Any, Any, None]) -> None:
        """Note that a consumer is closed, and have it leave."""
        if self._closed:
            leaving.close()
            return
        self._spawn(self._leave(consumer, leaving), f"leaving-{consumer.id}")

    async def _leave(self, consumer: KafkaConsumer, leaving: Coroutine[Any, Any, None]) -> None:
        try:
            await leaving
        except KafkaFault as fault:
            facts = {"consumer": consumer.id, "error": str(fault)}
            log.warning("how far a consumer is cannot be saved", extra=facts)
        if self._consumers.get(consumer.id) is consumer:
            del self._consumers[consumer.id]
        if not self._consumers and self.member is not None:
            member, self.member = self.member, None
            await member.close()

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    async def _left(self) -> None:
        """Wait until closed consumers have left."""
        if self._leaving:
            await asyncio.wait(list(self._leaving))

    # -- looking -----------------------------------------------------------------------------

    async def look(self, begin: Begin) -> KafkaReading:
        """Read without being a consumer."""
        return KafkaReading(self._reader, self.topic, await self._places(begin))

    def position_text(self, position: Position) -> str:
        """Positions are partition and offset."""
        partition, offset = cast(At, position)
        return f"{partition}:{offset}"

    def position_of(self, text: str) -> Position:
        """Return the position that a text means."""
        partition, _, offset = text.partition(":")
        if not (partition.isdecimal() and offset.isdecimal()):
            raise ValueError(f"{text} is no position of a log")
        return At(int(partition), int(offset))

    @property
    def has_released(self) -> bool:
        """Whether Kafka has let go of events."""
        return any(self._begins.values())

    # -- what is needed ----------------------------------------------------------------------

    async def save(self, consumer: KafkaConsumer) -> None:
        """Save how far a consumer is: notes first, then the states that they belong to."""
        async with self._saving:
            notes: list[Write] = []
            states: list[Write] = []
            saved: list[tuple[int, CursorState]] = []
            for partition, share in consumer.shares.items():
                if not share.cursor.changed:
                    continue
                share.cursor.changed = False
                now = share.cursor.state()
                at = self.topic, consumer.id, consumer.generation, partition
                made = list(changes(*at, share.saved, now))
                has_state = bool(made) and share.saved != now
                split = len(made) - 1 if has_state and _is_state(share.saved, now) else len(made)
                notes += made[:split]
                states += made[split:]
                saved.append((partition, now))
            try:
                await self._keeper.put(notes)
                await self._keeper.put(states)
            except KafkaFault:
                for partition, _ in saved:
                    if partition in consumer.shares:
                        consumer.shares[partition].cursor.changed = True
                raise
            for partition, now in saved:
                if partition in consumer.shares:
                    consumer.shares[partition].saved = now

    def states_of(self, consumer_id: str) -> Mapping[int, CursorState]:
        """Return how far a consumer is in each partition, as saved by whomever."""
        states = self._keeper.states
        partitions = states.partitions(self.topic, consumer_id)
        found = {each: states.state(self.topic, consumer_id, each) for each in partitions}
        return {each: state for each, state in found.items() if state is not None}

    async def checkpoint(self) -> None:
        """Save how far consumers are; now and then look how much is unsettled."""
        now = monotonic()
        if not self._touched or now - self._saved_at < self.limits.save_seconds:
            return
        self._saved_at, self._touched = now, False
        try:
            for consumer in list(self._consumers.values()):
                await self.save(consumer)
            await self._look()
        except KafkaFault as fault:
            self._touched = True
            facts = {"topic": self.topic, "error": str(fault)}
            log.warning("how far consumers are cannot be saved", extra=facts)

    async def _look(self) -> None:
        before = self._unseen_bytes
        self._ends = await self._client.ends(self.topic, self._partitions)
        self._begins = await self._client.begins(self.topic, self._partitions)
        known = self._keeper.states.consumers(self.topic)
        self._unsettled = max((self._unsettled_of(each) for each in known), default=0)
        self._unseen_bytes -= before

    def _unsettled_of(self, consumer_id: str) -> int:
        consumer, count = self._consumers.get(consumer_id), 0
        for partition, end in self._ends.items():
            share = consumer.shares.get(partition) if consumer is not None else None
            if share is not None:
                count += max(0, end - share.cursor.next) + share.cursor.pending
            else:
                state = self._keeper.states.state(self.topic, consumer_id, partition)
                state = state or CursorState(0)
                count += max(0, end - state.next) + len(state.open)
        return count

    def spare(self, *, kept: bool) -> None:
        """What nobody needs goes when the topic's own settings say so."""

    def stats(self) -> LogStats:
        """Return the log's state, as last seen; bytes are estimated."""
        events = sum(self._ends.values()) - sum(self._begins.values())
        size = int(events * self._mean) + self._unseen_bytes
        return LogStats(size, int(self._unsettled * self._mean), self._unsettled)

    def abort(self) -> None:
        """As if the process had been killed."""
        self._ending = self._closed = True
        if self.member is not None:
            self.member.stop()

    async def close(self) -> None:
        """Let consumers leave."""
        self._ending = True
        if not self._closed:
            for consumer in list(self._consumers.values()):
                consumer.close()
            while self._leaving:
                await self._left()
        self._closed = True
        if self.member is not None:
            await self.member.close()
        while self._leaving:
            await self._left()


def _of(partition: int, texts: Mapping[Position, str]) -> dict[int, str]:
    mine = cast(Mapping[At, str], texts)
    return {at.offset: text for at, text in mine.items() if at.partition == partition}


def _is_state(before: CursorState | None, now: CursorState) -> bool:
    return before is None or (before.next, before.open) != (now.next, now.open)
