"""An engine in memory, of another shape than the local log: the second example of the seam.

As a message server has it: partitions with order per key, consumer groups that share events,
acknowledgements instead of cursors, no tail to attach to. ``MemoryServer`` stands for the server,
which outlives its clients; a ``MemoryEngine`` is what one process has of it.
"""

from __future__ import annotations

import asyncio
import zlib
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple, cast

from eventing.engines.event import Position, RenderedEvent, StoredEvent
from eventing.engines.seam import (
    Appended,
    Begin,
    Capabilities,
    Listener,
    LogStats,
    Order,
    Refused,
    Standing,
    Start,
    StartAt,
    StartTime,
)

MAX_EVENT_BYTES = 1024 * 1024


class Offset(NamedTuple):
    """A position: the partition and the place in it."""

    partition: int
    number: int


class Group:
    """One consumer: what its processes have not fetched, and what they have not settled."""

    def __init__(self, following: list[int]) -> None:
        self.following = following
        self.unsettled: dict[Offset, MemoryConsumer] = {}
        self.again: deque[Offset] = deque()
        self.notes: dict[Position, str] = {}
        self.parked: dict[Offset, str] = {}

    def first(self, partition: int) -> int:
        needed = [each.number for each in (*self.unsettled, *self.again) if each[0] == partition]
        return min([self.following[partition], *needed])

    def low(self, partition: int) -> int:
        needed = [
            each.number
            for each in (*self.unsettled, *self.again, *self.parked)
            if each[0] == partition
        ]
        return min([self.following[partition], *needed])


class Topic:
    """One log of the server."""

    def __init__(self, partitions: int, capacity: int) -> None:
        self.partitions: list[dict[int, StoredEvent]] = [{} for _ in range(partitions)]
        self.ends = [0] * partitions
        self.groups: dict[str, Group] = {}
        self.capacity = capacity
        self.arrived = asyncio.Event()

    @property
    def size(self) -> int:
        return sum(event.size for part in self.partitions for event in part.values())

    def add(self, event: RenderedEvent) -> None:
        key = event.attributes.get("partitionkey") or event.attributes.get("id", "")
        partition = zlib.crc32(key.encode()) % len(self.partitions)
        offset = Offset(partition, self.ends[partition])
        self.ends[partition] += 1
        self.partitions[partition][offset.number] = StoredEvent(
            event.arrival_ns, event.ttl, event.head, event.types, event.data, None, offset
        )

    def wake(self) -> None:
        """Tell those who wait that there is something, each once."""
        self.arrived.set()
        self.arrived = asyncio.Event()

    def release(self) -> None:
        for number, part in enumerate(self.partitions):
            low = min([group.low(number) for group in self.groups.values()] or [self.ends[number]])
            for released in [each for each in part if each < low]:
                del part[released]


class MemoryServer:
    """What is left when a client is killed."""

    def __init__(self, *, partitions: int = 3, capacity: int = 8 * MAX_EVENT_BYTES) -> None:
        self.topics: dict[str, Topic] = {}
        self.partitions = partitions
        self.capacity = capacity


class MemoryConsumer:
    """One process's share of a group."""

    def __init__(self, topic: Topic, group: Group) -> None:
        self._topic = topic
        self._group = group

    def attach(self) -> bool:
        return False

    def claim(self, event: StoredEvent) -> None:
        raise AssertionError("there is no tail to claim from")

    def detach(self, event: StoredEvent) -> None:
        raise AssertionError("there is no tail to detach from")

    async def fetch(self, max_bytes: int) -> Sequence[StoredEvent]:
        while True:
            while not self._has_events():
                await self._topic.arrived.wait()
            if taken := self._take(max_bytes):
                return taken

    def _has_events(self) -> bool:
        return bool(self._group.again) or self._group.following != self._topic.ends

    def _take(self, max_bytes: int) -> list[StoredEvent]:
        taken: list[StoredEvent] = []
        while self._has_events() and sum(event.size for event in taken) < max_bytes:
            offset = self._next_offset()
            event = self._topic.partitions[offset.partition].get(offset.number)
            if event is not None:
                self._group.unsettled[offset] = self
                taken.append(event)
        return taken

    def _next_offset(self) -> Offset:
        group = self._group
        if group.again:
            return group.again.popleft()
        behind = [end - at for end, at in zip(self._topic.ends, group.following, strict=True)]
        partition = behind.index(max(behind))
        group.following[partition] += 1
        return Offset(partition, group.following[partition] - 1)

    def settle(self, event: StoredEvent) -> None:
        self._group.unsettled.pop(cast(Offset, event.position), None)
        self._group.notes.pop(event.position, None)

    def needs(self, event: StoredEvent) -> bool:
        group, offset = self._group, cast(Offset, event.position)
        is_known = offset in group.unsettled or offset in group.again
        return is_known or offset.number >= group.following[offset.partition]

    def note(self, event: StoredEvent, text: str) -> None:
        self._group.notes[event.position] = text

    def note_of(self, event: StoredEvent) -> str:
        return self._group.notes.get(event.position, "")

    def park(self, event: StoredEvent, text: str) -> None:
        self.settle(event)
        self._group.parked[cast(Offset, event.position)] = text

    def parked(self) -> Mapping[Position, str]:
        return dict[Position, str](sorted(self._group.parked.items()))

    async def recall(self, positions: Collection[Position]) -> Sequence[StoredEvent]:
        group, found = self._group, []
        for offset in sorted(set(cast(Collection[Offset], positions)) & set(group.parked)):
            group.notes[offset] = group.parked.pop(offset)
            group.unsettled[offset] = self
            found.append(self._topic.partitions[offset.partition][offset.number])
        return found

    def discard(self, positions: Collection[Position]) -> int:
        found = [self._group.parked.pop(cast(Offset, each), None) for each in positions]
        return len([text for text in found if text is not None])

    def close(self) -> None:
        mine = sorted(at for at, owner in self._group.unsettled.items() if owner is self)
        for offset in mine:
            del self._group.unsettled[offset]
        self._group.again.extend(mine)
        self._topic.wake()


class MemoryReading:
    """A look at all partitions."""

    def __init__(self, topic: Topic, following: list[int]) -> None:
        self._topic = topic
        self._following = following

    async def fetch(self, max_bytes: int) -> Sequence[StoredEvent]:
        found: list[StoredEvent] = []
        for number, part in enumerate(self._topic.partitions):
            for offset, event in part.items():
                if offset >= self._following[number] and sum(e.size for e in found) < max_bytes:
                    found.append(event)
                    self._following[number] = offset + 1
        return found


class MemoryLog:
    """One process's view of a topic."""

    def __init__(self, topic: Topic) -> None:
        self.topic = topic
        self.opened: list[MemoryConsumer] = []

    def append(self, events: Sequence[RenderedEvent], done: Appended, *, own: bool = False) -> None:
        if any(len(event.head) + len(event.data) > MAX_EVENT_BYTES for event in events):
            raise Refused("the event is too large", status=413)
        most = self.topic.capacity * (1.125 if own else 1)
        if self.topic.size + sum(event.size for event in events) > most:
            raise Refused("the server is full", status=429)
        asyncio.get_running_loop().call_soon(self._add, events, done)

    def _add(self, events: Sequence[RenderedEvent], done: Appended) -> None:
        for event in events:
            self.topic.add(event)
        done(None)
        self.topic.wake()

    @property
    def tells_tail(self) -> bool:
        return False

    def listen(self, listener: Listener) -> None:
        return None

    async def consumers(self) -> Collection[str]:
        return list(self.topic.groups)

    async def look(self, begin: Begin) -> MemoryReading:
        return MemoryReading(self.topic, self._following(begin))

    def position_text(self, position: Position) -> str:
        partition, number = cast(Offset, position)
        return f"{partition}:{number}"

    def position_of(self, text: str) -> Position:
        partition, _, number = text.partition(":")
        return Offset(int(partition), int(number))

    def part_of(self, position: Position) -> int:
        return cast(Offset, position).partition

    async def consume(
        self, consumer_id: str, start: Begin = Start.LATEST, *, ordered: bool = False
    ) -> MemoryConsumer:
        group = self.topic.groups.get(consumer_id)
        if group is None:
            group = self.topic.groups[consumer_id] = Group(self._following(start))
        consumer = MemoryConsumer(self.topic, group)
        self.opened.append(consumer)
        return consumer

    def _following(self, start: Begin) -> list[int]:
        if start is Start.LATEST:
            return list(self.topic.ends)
        first = [min(part, default=end) for part, end in self._parts()]
        if isinstance(start, StartTime):
            return [
                next((n for n, e in part.items() if e.arrival_ns >= start.arrival_ns), end)
                for part, end in self._parts()
            ]
        if isinstance(start, StartAt):
            partition, number = cast(Offset, start.position)
            first[partition] = number
        return first

    def _parts(self) -> list[tuple[dict[int, StoredEvent], int]]:
        return list(zip(self.topic.partitions, self.topic.ends, strict=True))

    async def seek(self, consumer_id: str, begin: Begin) -> None:
        group, following = self.topic.groups[consumer_id], self._following(begin)
        moved = self.topic.groups[consumer_id] = Group(following)
        for offset, text in group.parked.items():
            if offset.number < following[offset.partition]:
                moved.parked[offset] = text

    async def standing(self, consumer_id: str) -> Standing:
        group = self.topic.groups[consumer_id]
        following = [
            Offset(partition, at)
            for partition, (at, end) in enumerate(
                zip(group.following, self.topic.ends, strict=True)
            )
            if at < end
        ]
        still: dict[Position, str] = {
            at: group.notes.get(at, "") for at in (*group.unsettled, *group.again)
        }
        aside: dict[Position, str] = {at: text for at, text in group.parked.items()}
        return Standing(tuple(following), still, aside)

    async def place(self, consumer_id: str, standing: Standing) -> None:
        following = list(self.topic.ends)
        for partition, number in cast(Sequence[Offset], standing.following):
            following[partition] = number
        group = self.topic.groups[consumer_id] = Group(following)
        group.again.extend(sorted(cast(Collection[Offset], standing.open)))
        group.notes.update({at: text for at, text in standing.open.items() if text})
        group.parked.update(cast(Mapping[Offset, str], standing.aside))

    def lag(self, consumer_id: str) -> int | None:
        group = self.topic.groups.get(consumer_id)
        if group is None:
            return None
        ahead = sum(self.topic.ends) - sum(group.following)
        return ahead + len(group.unsettled) + len(group.again)

    async def answered(self) -> None:
        """Appends are answered in the turn of the loop after."""
        await asyncio.sleep(0)

    @property
    def has_released(self) -> bool:
        return any(end and 0 not in part for part, end in self._parts())

    async def forget(self, consumer_id: str) -> None:
        self.topic.groups.pop(consumer_id, None)

    async def checkpoint(self) -> None:
        self.topic.release()

    def stats(self) -> LogStats:
        needed = [
            end - min([group.first(number) for group in self.topic.groups.values()] or [end])
            for number, end in enumerate(self.topic.ends)
        ]
        size = self.topic.size
        return LogStats(size, size if any(needed) else 0, sum(needed))

    def spare(self, *, kept: bool) -> None:
        return None


class MemoryEngine:
    """One client of a server."""

    capabilities = Capabilities(
        order=Order.PER_KEY,
        partitioned=True,
        redelivers=True,
        consumer_groups=True,
        processes=True,
        deduplicates=False,
        max_event_bytes=MAX_EVENT_BYTES,
    )

    def __init__(self, server: MemoryServer) -> None:
        self._server = server
        self._opened: list[MemoryLog] = []

    async def open(self, key: str, options: Mapping[str, Any] | None = None) -> MemoryLog:
        server = self._server
        if key not in server.topics:
            server.topics[key] = Topic(server.partitions, server.capacity)
        opened = MemoryLog(server.topics[key])
        self._opened.append(opened)
        return opened

    async def drop(self, key: str) -> None:
        self._server.topics.pop(key, None)

    async def keys(self) -> Collection[str]:
        return list(self._server.topics)

    async def close(self) -> None:
        self.disconnect()

    def disconnect(self) -> None:
        """What the server sees when a client closes, and when it is killed."""
        for opened in self._opened:
            for consumer in opened.opened:
                consumer.close()
        self._opened.clear()


def factory(server: MemoryServer) -> Callable[[object], MemoryEngine]:
    """As the list of engines has it."""
    return lambda config: MemoryEngine(server)
