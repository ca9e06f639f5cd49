"""Records on their way to the sink: of each partition one after the other, or many at once.

What is not taken goes to the dead letter sink, which is not given up on; without one it is dropped
and said, as upstream does. No offset is committed past a record that is not done with.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Collection, Mapping
from typing import NamedTuple

from eventing.codec import CodecError, Event
from eventing.engines.kafka.messages import Record
from eventing.runtime.request import ErrorInfo
from eventing.sources.delivery import Delivery
from eventing.sources.kafka.events import Origin, Place, event_of_record
from eventing.sources.kafka.metrics import RECORDS
from eventing.sources.kafka.offsets import Offsets
from eventing.sources.sender import Sent
from hearth.kube.access import Authorization
from hearth.kube.timers import pause

log = logging.getLogger(__name__)

AT_ONCE = 64
"""Records of a partition that are worked on side by side, where they have no order."""
MOST_PENDING = 256
"""Records of a partition that may wait here."""
MOST_BYTES = 32 * 1024 * 1024
"""What all that wait may have."""
_AGAIN_SECONDS = 60.0
"""The longest pause before the dead letter sink is asked again."""


class Partition(NamedTuple):
    """One partition of a topic."""

    topic: str
    number: int


class Outlet:
    """Sends one event, and sees to it that it is done with."""

    def __init__(
        self,
        delivery: Delivery,
        origin: Origin,
        dead_letter: str = "",
        authorization: Authorization | None = None,
    ) -> None:
        """``dead_letter`` is where events go that are not taken, and what is shown there."""
        self._delivery = delivery
        self._dead_letter = dead_letter
        self._authorization = authorization
        self._counted = RECORDS.labels, (origin.namespace, origin.name)
        for result in ("sent", "dead_letter", "dropped"):
            self._count(result, 0)

    def _count(self, result: str, by: int = 1) -> None:
        labels, of = self._counted
        labels(*of, result).inc(by)

    def drop(self) -> None:
        """Count a record that is given up on."""
        self._count("dropped")

    async def send(self, event: Event) -> None:
        """Return once the event is taken, by whomever, or given up on."""
        sent = await self._delivery.send(event)
        if sent.accepted:
            self._count("sent")
        elif self._dead_letter:
            await self._bury(event, sent)
            self._count("dead_letter")
        else:
            facts = {"event": event.text("id"), "error": str(sent)}
            log.warning("a record is dropped: the sink does not take it", extra=facts)
            self._count("dropped")

    async def _bury(self, event: Event, sent: Sent) -> None:
        """Upstream goes on where this fails, and the event is lost."""
        why = ErrorInfo.of(
            self._delivery.sink, sent.status, body=sent.text.encode(), error=sent.error
        )
        dead, seconds = Event({**event.attributes, **why.attributes()}, event.data), 1.0
        while not (told := await self._send_dead(dead)).accepted:
            facts = {"event": event.text("id"), "error": str(told)}
            log.warning("the dead letter sink takes no dead letter; it is asked again", extra=facts)
            await pause(seconds)
            seconds = min(seconds * 2, _AGAIN_SECONDS)

    async def _send_dead(self, dead: Event) -> Sent:
        shown = await self._authorization.header() if self._authorization is not None else None
        return await self._delivery.sender.send(
            self._dead_letter, dead, authorization=shown, namespace=self._delivery.namespace
        )


class _Waiting(NamedTuple):
    offset: int
    record: Record
    size: int


class _Queue:
    """The records of one partition that are here."""

    def __init__(self, partition: Partition, begins: int) -> None:
        self.partition = partition
        self.offsets = Offsets(begins)
        self.waiting = deque[_Waiting]()
        self.bytes = 0
        self.workers = set[asyncio.Task[None]]()
        self.is_closing = False


class Deliveries:
    """The records of all partitions that are ours. Use on one event loop."""

    def __init__(
        self, outlet: Outlet, origin: Origin, overrides: Mapping[str, str], *, ordered: bool
    ) -> None:
        self._outlet = outlet
        self._origin = origin
        self._overrides = overrides
        self._workers = 1 if ordered else AT_ONCE
        self._queues: dict[Partition, _Queue] = {}
        self._bytes = 0

    def take(self, partition: Partition, offset: int, record: Record) -> None:
        """Work on a record; later than on those of its partition that came before."""
        queue = self._queues.get(partition)
        if queue is None:
            queue = self._queues[partition] = _Queue(partition, offset)
        size = len(record.value or b"")
        self._bytes += size
        queue.bytes += size
        queue.offsets.taken(offset)
        queue.waiting.append(_Waiting(offset, record, size))
        if len(queue.workers) < self._workers:
            worker = asyncio.create_task(self._work(queue), name=f"{partition}")
            queue.workers.add(worker)
            worker.add_done_callback(queue.workers.discard)

    async def _work(self, queue: _Queue) -> None:
        while queue.waiting and not queue.is_closing:
            item = queue.waiting.popleft()
            await self._send(Place(*queue.partition, item.offset), item.record)
            queue.offsets.settled(item.offset)
            queue.bytes -= item.size
            self._bytes -= item.size

    async def _send(self, place: Place, record: Record) -> None:
        seconds = 1.0
        while True:
            try:
                event = event_of_record(record, place, self._origin, self._overrides)
                return await self._outlet.send(event)
            except CodecError as error:
                log.error("a record is dropped: it is no event: %s", error, extra={"place": place})
                return self._outlet.drop()
            except Exception:
                log.exception("a record cannot be sent; it is tried again", extra={"place": place})
                await pause(seconds)
                seconds = min(seconds * 2, _AGAIN_SECONDS)

    def is_crowded(self, partition: Partition) -> bool:
        """Whether nothing more of a partition may come for now."""
        queue = self._queues.get(partition)
        pending = queue.offsets.pending if queue is not None else 0
        return pending >= MOST_PENDING or (pending > 0 and self._bytes >= MOST_BYTES)

    def to_commit(self) -> dict[Partition, int]:
        """Return up to where each partition is done with, where that is news."""
        found = {of: queue.offsets.to_commit() for of, queue in self._queues.items()}
        return {of: place for of, place in found.items() if place is not None}

    def committed(self, places: Mapping[Partition, int]) -> None:
        """Note what was committed."""
        for of, place in places.items():
            if of in self._queues:
                self._queues[of].offsets.committed(place)

    def place(self, partition: Partition) -> int | None:
        """Return the first record of a partition that is not done with; None where none came."""
        queue = self._queues.get(partition)
        return queue.offsets.place if queue is not None else None

    async def leave(
        self, partitions: Collection[Partition], grace_seconds: float
    ) -> dict[Partition, int]:
        """Be done with partitions; return what is to be committed.

        What is under way may end within that time. What is not done with somebody else gets again.
        """
        queues = [queue for of in partitions if (queue := self._queues.get(of)) is not None]
        for queue in queues:
            queue.is_closing = True
        working = {worker for queue in queues for worker in queue.workers}
        if working:
            _, late = await asyncio.wait(working, timeout=grace_seconds)
            await _ended(late)
        left: dict[Partition, int] = {}
        for queue in queues:
            place = queue.offsets.to_commit()
            if place is not None:
                left[queue.partition] = place
            self._bytes -= queue.bytes
            del self._queues[queue.partition]
        return left


async def _ended(tasks: Collection[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.gather(*tasks, return_exceptions=True)
