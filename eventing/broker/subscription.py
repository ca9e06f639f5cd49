"""Delivers the events of one broker to one Trigger's subscriber.

Each Trigger has its own cursor, its own clock for retries, its own slots and its own share of
memory: however its subscriber behaves, no other Trigger waits for it.

A subscription is *live* while it takes events as they become durable, and *behind* while it reads
the log itself: after a start, and whenever more is pending than its memory may hold. Behind costs
disk reads, not memory, and ends by itself at the end of the log.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from time import monotonic

from eventing.broker import policy as delivery
from eventing.broker.client import Answer, DeliveryClient
from eventing.broker.cursor import Cursor, CursorState
from eventing.broker.engine import EventLog, Refused
from eventing.broker.intake import TooManyPasses, prepare
from eventing.broker.metrics import EndpointCounters
from eventing.broker.policy import DeliveryPolicy, Outcome
from eventing.broker.record import StoredEvent
from eventing.broker.request import ErrorInfo, render_request
from eventing.broker.slots import Slots
from eventing.broker.target import Target
from eventing.codec import CodecError, Event, decode_reply
from eventing.filters import Filter
from hearth.kube.clock import Clock, wall_clock

log = logging.getLogger(__name__)

HIGH_WATER_BYTES = 4 * 1024 * 1024
"""More than this held in memory for one Trigger, and it goes on from disk."""
LOW_WATER_BYTES = HIGH_WATER_BYTES // 2
HIGH_WATER_EVENTS = 10_000
HELD_BYTES = 256 * 1024 * 1024
"""What all subscriptions of a process may hold together before they hold little each."""
_READ_BYTES = 512 * 1024
_READ_LITTLE_BYTES = 32 * 1024
_DEAD_LETTER_PAUSE_SECONDS = delivery.MAX_BACKOFF_SECONDS
_TELL_DROPS_SECONDS = 10.0
_OVERLOADED = frozenset({0, 429, 503})


@dataclass(frozen=True, slots=True)
class TriggerView:
    """What a subscription needs of its Trigger. Without a target, attempts fail as 404."""

    uid: str
    namespace: str
    name: str
    filter: Filter
    policy: DeliveryPolicy
    target: Target | None
    dead_letter: Target | None


@dataclass(slots=True, eq=False)
class _Delivery:
    """One event on its way to one subscriber."""

    event: StoredEvent
    attempts: int = 0
    started: float = 0.0
    failure: ErrorInfo | None = None
    """Set once the event is on its way to the dead letter sink."""
    timer: asyncio.TimerHandle | None = field(default=None, repr=False)


@dataclass(slots=True)
class Services:
    """What subscriptions of a process share."""

    client: DeliveryClient
    clock: Clock = wall_clock
    chance: Callable[[], float] = random.random
    held_bytes: int = 0
    """Of all subscriptions; an event held by several counts for each."""

    @property
    def is_short(self) -> bool:
        """Whether memory is short: then each subscription holds little, and goes on from disk."""
        return self.held_bytes > HELD_BYTES


class Subscription:
    """One Trigger's deliveries. Created behind; ``start`` begins reading."""

    def __init__(
        self,
        view: TriggerView,
        events: EventLog,
        state: CursorState,
        *,
        services: Services,
        counters: EndpointCounters,
        progressed: Callable[[], None] = lambda: None,
    ) -> None:
        self.view = view
        self.cursor = Cursor(state)
        self.live = False
        self._log = events
        self._services = services
        self._counters = counters
        self._progressed = progressed
        self._slots = Slots()
        self._queue: deque[_Delivery] = deque()
        self._waiting: set[_Delivery] = set()
        self._busy = 0
        self._held_bytes = 0
        self._held_events = 0
        self._resumed = set(state.open)
        self._room = asyncio.Event()
        self._reading: asyncio.Task[None] | None = None
        self._closed = self._draining = False
        self._drops_told_at = float("-inf")

    # -- taking events -----------------------------------------------------------------------

    def start(self) -> None:
        """Reads from the cursor on, and becomes live at the end of the log."""
        self._reading = asyncio.create_task(self._catch_up(), name=f"catch-up-{self.view.name}")
        self._reading.add_done_callback(_report)

    def offer(self, event: StoredEvent) -> None:
        """A durable event that matched, in order. Only while live."""
        if self._is_full():
            self.live = False
            self.cursor.advance(event.sequence)
            self.start()
            return
        self._take(event)
        self._pump()

    def _is_full(self) -> bool:
        if self._services.is_short:
            return self._held_bytes > _READ_LITTLE_BYTES
        return self._held_bytes > HIGH_WATER_BYTES or self._held_events > HIGH_WATER_EVENTS

    def _take(self, event: StoredEvent) -> None:
        self.cursor.take(event.sequence)
        self._held_bytes += event.size
        self._services.held_bytes += event.size
        self._held_events += 1
        self._queue.append(_Delivery(event))

    async def _catch_up(self) -> None:
        reader = self._log.reader(self.cursor.low)
        try:
            while True:
                self._give_up_unreadable(reader.position)
                if reader.position >= self._log.end:
                    self.cursor.advance(reader.position)
                    self.live = True
                    return
                await self._wait_for_room()
                portion = _READ_LITTLE_BYTES if self._services.is_short else _READ_BYTES
                for event in await reader.read(portion):
                    self._consider(event)
                self.cursor.advance(reader.position)
                self._progressed()
                self._pump()
        finally:
            reader.close()

    def _consider(self, event: StoredEvent) -> None:
        """Takes a read event: one left open by an earlier process, or a new one that matches."""
        if event.sequence < self.cursor.next:
            wanted = event.sequence in self._resumed
            self._resumed.discard(event.sequence)
        else:
            wanted = self.view.filter.matches(event.attributes)
        if wanted:
            self._take(event)

    def _give_up_unreadable(self, position: int) -> None:
        """Open events that reading passed without finding them are damaged."""
        for sequence in [found for found in self._resumed if found < position]:
            self._resumed.discard(sequence)
            self.cursor.done(sequence)

    async def _wait_for_room(self) -> None:
        """Whoever holds nothing need not wait, so that memory held by others stops nobody."""
        while (
            self._held_bytes > LOW_WATER_BYTES
            or self._held_events > HIGH_WATER_EVENTS // 2
            or (self._services.is_short and self._held_events)
        ):
            self._room.clear()
            await self._room.wait()

    # -- attempts ----------------------------------------------------------------------------

    def _pump(self) -> None:
        while self._queue and self._busy < self._slots.limit and not self._draining:
            self._attempt(self._queue.popleft())

    def _attempt(self, item: _Delivery) -> None:
        target = self.view.target if item.failure is None else self.view.dead_letter
        item.attempts += 1
        item.started = monotonic()
        self._busy += 1
        if item.attempts == 1 and item.failure is None:
            waited = self._services.clock() - item.event.arrival_ns / 1e9
            self._counters.process.observe(max(0.0, waited))
        if target is None:
            answer = Answer(404, error="the subscriber has no address")
            asyncio.get_running_loop().call_soon(self._answered, item, answer)
            return
        request = render_request(
            target,
            item.event,
            namespace=self.view.namespace,
            structured=self.view.policy.structured,
            failure=item.failure,
        )
        self._services.client.send(
            target,
            request,
            partial(self._answered, item),
            timeout_seconds=self.view.policy.timeout_seconds,
        )

    def _answered(self, item: _Delivery, answer: Answer) -> None:
        self._busy -= 1
        if self._closed:
            return
        now = monotonic()
        self._counters.dispatched(answer.status, now - item.started)
        self._adapt(item, answer.status, now)
        status, reply = answer.status, None
        if item.failure is None and delivery.is_success(status):
            status, reply = _reply_of(answer)
        if reply is not None:
            self._send_reply(item, reply)
        else:
            self._proceed(item, status, answer)
        self._pump()

    def _adapt(self, item: _Delivery, status: int, now: float) -> None:
        if status in _OVERLOADED:
            self._slots.overloaded(now=now, started=item.started)
        elif delivery.is_success(status):
            self._slots.succeeded(busy=self._busy + 1)

    def _proceed(self, item: _Delivery, status: int, answer: Answer) -> None:
        now = self._services.clock()
        outcome = Outcome(status, _retry_after(answer, now))
        match delivery.next_step(
            self.view.policy, item.attempts, outcome, now=now, jitter=self._services.chance()
        ):
            case delivery.Done():
                if item.failure is not None:
                    self._counters.dead_lettered += 1
                self._finish(item)
            case delivery.Retry(at=at):
                self._counters.retried += 1
                self._later(item, at - now)
            case delivery.DeadLetter():
                self._undeliverable(item, status, answer)

    def _undeliverable(self, item: _Delivery, status: int, answer: Answer) -> None:
        """Retries are over: on to the dead letter sink, which is not given up on lightly."""
        if item.failure is None and self.view.dead_letter is not None:
            url = self.view.target.url if self.view.target else ""
            item.failure = ErrorInfo.of(url, status, body=answer.body, error=answer.error)
            item.attempts = 0
            self._queue.append(item)
        elif item.failure is not None and self.view.dead_letter and delivery.is_retried(status):
            self._later(item, _DEAD_LETTER_PAUSE_SECONDS)
        else:
            self._drop(item, status, answer)

    def _drop(self, item: _Delivery, status: int, answer: Answer) -> None:
        self._counters.dropped += 1
        self._finish(item)
        now = monotonic()
        if now - self._drops_told_at < _TELL_DROPS_SECONDS:
            return
        self._drops_told_at = now
        log.warning(
            "events dropped: they cannot be delivered and no dead letter sink takes them",
            extra={
                "trigger": f"{self.view.namespace}/{self.view.name}",
                "event": item.event.attributes.get("id"),
                "status": status,
                "error": answer.error,
                "dropped_so_far": self._counters.dropped,
            },
        )

    # -- replies -----------------------------------------------------------------------------

    def _send_reply(self, item: _Delivery, reply: Event) -> None:
        """A reply enters the broker; the event it answers is done once the reply is durable."""
        arrival_ns = int(self._services.clock() * 1e9)
        try:
            event = prepare(reply, arrival_ns=arrival_ns, ttl=item.event.ttl)
        except TooManyPasses:
            log.warning(
                "reply dropped: events go round in a loop",
                extra={"trigger": f"{self.view.namespace}/{self.view.name}"},
            )
            self._counters.dropped += 1
            self._finish(item)
            return

        def stored(refusal: Refused | None) -> None:
            if refusal is None:
                self._finish(item)
            else:
                self._reply_later(item, reply, refusal)

        try:
            self._log.append(event, stored)
        except Refused as refusal:
            self._reply_later(item, reply, refusal)

    def _reply_later(self, item: _Delivery, reply: Event, refusal: Refused) -> None:
        if not self._closed:
            self._waiting.add(item)
            item.timer = asyncio.get_running_loop().call_later(
                refusal.retry_after, self._reply_again, item, reply
            )

    def _reply_again(self, item: _Delivery, reply: Event) -> None:
        self._waiting.discard(item)
        self._send_reply(item, reply)

    # -- bookkeeping -------------------------------------------------------------------------

    def _later(self, item: _Delivery, seconds: float) -> None:
        self._waiting.add(item)
        item.timer = asyncio.get_running_loop().call_later(max(0.0, seconds), self._again, item)

    def _again(self, item: _Delivery) -> None:
        self._waiting.discard(item)
        item.timer = None
        self._queue.appendleft(item)
        self._pump()

    def _finish(self, item: _Delivery) -> None:
        if self._closed:
            return
        self.cursor.done(item.event.sequence)
        self._held_bytes -= item.event.size
        self._services.held_bytes -= item.event.size
        self._held_events -= 1
        self._progressed()
        if not self._room.is_set():
            self._room.set()

    def update(self, view: TriggerView) -> None:
        """The Trigger changed; what was taken already is delivered by the new rules."""
        self.view = view
        self._pump()

    @property
    def idle(self) -> bool:
        return not self.cursor.pending and self.live

    def drain(self) -> None:
        """Begins no further attempt; those under way may still end."""
        self._draining = True

    @property
    def busy(self) -> bool:
        return self._busy > 0

    def close(self) -> None:
        """Stops; what is under way is delivered again when the cursor is taken up anew."""
        self._closed = self._draining = True
        if self._reading is not None:
            self._reading.cancel()
        for item in self._waiting:
            if item.timer is not None:
                item.timer.cancel()
        self._waiting.clear()
        self._queue.clear()
        self._services.held_bytes -= self._held_bytes
        self._held_bytes = 0


def _reply_of(answer: Answer) -> tuple[int, Event | None]:
    """The event in a successful answer; a body that is none counts as 502, as in Knative."""
    if not answer.body and not any(name == b"ce-specversion" for name, _ in answer.headers):
        return answer.status, None
    try:
        reply = decode_reply(answer.headers, answer.body)
    except CodecError:
        return 502, None
    return (answer.status, reply) if reply is not None else (502, None)


def _retry_after(answer: Answer, now: float) -> float:
    for name, value in answer.headers:
        if name == b"retry-after":
            return delivery.parse_retry_after(value, now=now)
    return 0.0


def _report(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("reading the event log failed", exc_info=error)
