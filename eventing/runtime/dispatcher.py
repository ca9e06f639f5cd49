"""The deliveries of one subscription: a queue, a limit of what is under way, attempts.

An event goes to the subscriber; its reply, where it has a place to go, follows; what fails for
good goes to the dead letter sink. Each of these hops is retried by the same policy. What follows
an attempt is the matter of ``aftermath``.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from time import monotonic

from activator.http.events import ResponseHead
from eventing.engines.event import StoredEvent
from eventing.runtime import policy as rules
from eventing.runtime.accounting import MemoryBudget
from eventing.runtime.aftermath import Aftermath, Keeps
from eventing.runtime.batching import Batching
from eventing.runtime.client import Answer, DeliveryClient
from eventing.runtime.delivery import Delivery, Hop
from eventing.runtime.expiry import EXPIRY_LINE, is_expired
from eventing.runtime.guard import Guard
from eventing.runtime.lanes import Lanes
from eventing.runtime.metrics import EndpointCounters
from eventing.runtime.notes import Progress, wait_of
from eventing.runtime.observer import DeliveryObserver, Follows
from eventing.runtime.permission import Handshake
from eventing.runtime.replies import LogReplies, replies_of
from eventing.runtime.request import common_fields, make_batch_request, make_request
from eventing.runtime.slots import Slots
from eventing.runtime.spec import SubscriptionSpec, target_of
from eventing.runtime.webhooks import WebhookSender
from hearth.kube.clock import Clock, wall_clock

_OVERLOADED = frozenset({0, 429, 503})
_NO_ADDRESS = Answer(ResponseHead.of(404), error="the subscriber has no address")


@dataclass(slots=True)
class Services:
    """What the subscriptions of a process share."""

    client: DeliveryClient
    budget: MemoryBudget
    clock: Clock = wall_clock
    chance: Callable[[], float] = random.random


_SUBSCRIBER = Hop.SUBSCRIBER  # looked up for each event


class Dispatcher:
    """Delivers what it is given; ``settled`` is called once for each event that is done with.

    Without one who ``keeps`` notes and what nobody takes, a restart knows of no attempts, and what
    has nowhere to go is dropped.
    """

    def __init__(
        self,
        spec: SubscriptionSpec,
        *,
        services: Services,
        counters: EndpointCounters,
        replies: LogReplies,
        settled: Callable[[StoredEvent], None],
        keeps: Keeps | None = None,
        observer: DeliveryObserver | None = None,
    ) -> None:
        self._spec = spec
        self._services = services
        self._counters = counters
        self._after = Aftermath(
            spec,
            self,
            clock=services.clock,
            chance=services.chance,
            limits=services.budget.limits,
            counters=counters,
            replies=replies,
            settled=settled,
            keeps=keeps,
            observer=observer,
        )
        self._asking = common_fields(spec.namespace, wants_reply=True)
        self._telling = common_fields(spec.namespace, wants_reply=False)
        self._queue: deque[Delivery] = deque()
        self._waiting: set[Delivery] = set()
        self._under_way = 0
        self._closed = self._draining = self._held_back = False
        self._guard: Guard | None = None
        self._webhook: WebhookSender | None = None
        self._lanes: Lanes[Delivery] | None = None
        self._batching: Batching | None = None
        self._is_special = False
        """Whether events do not simply go when there is a slot: they have an order, or a delay."""
        self._configure(spec, None)

    def add(self, event: StoredEvent) -> None:
        """Deliver an event as soon as a slot is free."""
        item = Delivery(event)
        if self._is_special and not self._may_go(item):
            return
        if self._queue or self._held_back or self._under_way >= self._slots.limit:
            self._queue.append(item)
            if self._held_back:
                self.pump()
        else:
            self._attempt(item)

    def resume(self, event: StoredEvent, progress: Progress) -> None:
        """Go on with an event that was tried before, when its next attempt is due."""
        item = Delivery(event, progress.hop, progress.attempts, failure=progress.failure)
        if self._lanes is not None and not self._enters(item, self._lanes):
            return
        longest = self._spec.policy.longest_wait_seconds
        self.later(item, wait_of(progress, now=self._services.clock(), longest=longest))

    def skip(self, event: StoredEvent) -> None:
        """Be done with an event that came before."""
        self._after.unsent(Delivery(event), Follows.DUPLICATE, "the event came before")

    def update(self, spec: SubscriptionSpec) -> None:
        """Deliver by new rules, also what was taken already."""
        before, self._spec = self._spec, spec
        self._after.spec = spec
        self._configure(spec, before)
        self.pump()

    def _configure(self, spec: SubscriptionSpec, before: SubscriptionSpec | None) -> None:
        """Take over what changed; all, where nothing was before."""
        options, limits = spec.options, self._services.budget.limits
        known = before.options if before is not None else None
        if known is None or known.concurrency != options.concurrency:
            self._slots = Slots(limits.slots.up_to(options.concurrency))
        if known is None or known.lane_key != options.lane_key:
            self._queue.extend(self._lanes.clear() if self._lanes is not None else ())
            self._lanes = Lanes() if options.lane_key is not None else None
        self._is_special = self._lanes is not None or options.delay_seconds > 0
        asked = (options.batch_size, options.batch_wait_seconds)
        if known is None or (known.batch_size, known.batch_wait_seconds) != asked:
            self._unbatch()
            if options.batch_size > 1:
                self._batching = Batching(
                    options.batch_size,
                    wait_seconds=options.batch_wait_seconds,
                    max_bytes=limits.batch_bytes,
                    look=self.pump,
                )
        handshake = _handshake_of(spec)
        if before is None or (_handshake_of(before), before.target) != (handshake, spec.target):
            # What the one before has taken still goes its way.
            self._webhook = self._sender(handshake) if handshake is not None else None
        told = (options.breaker, spec.target)
        if before is None or (before.options.breaker, before.target) != told:
            self._unguard()
            if options.breaker:
                name = f"{spec.namespace}/{spec.name}"
                self._guard = Guard(
                    limits.breaker, name=name, counters=self._counters, look=self.pump
                )
        self._hold_back()

    def _hold_back(self) -> None:
        """Whether a delivery may not simply be attempted when a slot is free."""
        is_open = self._guard is not None and not self._guard.is_closed
        self._held_back = self._draining or is_open or self._batching is not None

    def _sender(self, handshake: Handshake) -> WebhookSender:
        services, name = self._services, f"{self._spec.namespace}/{self._spec.name}"
        return WebhookSender(services.client, handshake, name=name, clock=services.clock)

    def observe(self, observer: DeliveryObserver | None) -> None:
        """Tell another observer from now on, or none."""
        self._after.observer = observer

    def drain(self) -> None:
        """Begin no further attempt; those under way may still end."""
        self._draining = self._held_back = True

    @property
    def busy(self) -> bool:
        """Whether attempts are under way."""
        return self._under_way > 0

    def close(self) -> None:
        """Stop; what is under way is not settled."""
        self._closed = self._draining = self._held_back = self._after.closed = True
        self._unguard()
        self._unbatch()
        if self._webhook is not None:
            self._webhook.close()
        for item in self._waiting:
            if item.timer is not None:
                item.timer.cancel()
        self._waiting.clear()
        self._queue.clear()

    # -- attempts ----------------------------------------------------------------------------

    def pump(self) -> None:
        """Start as many attempts as there are free slots."""
        if self._held_back:
            self._pump_with_care()
            return
        while self._queue and self._under_way < self._slots.limit:
            self._attempt(self._queue.popleft())

    def _attempt(self, item: Delivery) -> None:
        spec, hop = self._spec, item.hop
        if EXPIRY_LINE in item.event.head and self._expires(item):
            return
        target = spec.target if hop is _SUBSCRIBER else target_of(spec, hop)
        item.attempts += 1
        item.started = monotonic()
        self._under_way += 1
        if item.attempts == 1 and hop is _SUBSCRIBER:
            waited = self._services.clock() - item.event.arrival_ns / 1e9
            self._counters.process.observe(max(0.0, waited))
        if target is None:
            asyncio.get_running_loop().call_soon(self._answered, item, _NO_ADDRESS)
            return
        request, payload = make_request(
            target,
            item.event if item.reply is None else item.reply,
            self._asking if hop is _SUBSCRIBER else self._telling,
            structured=spec.policy.structured,
            failure=item.failure,
        )
        webhook = self._webhook if hop is _SUBSCRIBER else None
        send = self._services.client.send if webhook is None else webhook.send
        send(
            target,
            request,
            payload,
            partial(self._answered, item),
            timeout_seconds=spec.policy.timeout_seconds,
        )

    def _answered(self, item: Delivery, answer: Answer) -> None:
        self._under_way -= 1
        if self._closed:
            return
        now, status = monotonic(), answer.status
        self._counters.dispatched(status, now - item.started)
        slots, busy = self._slots, self._under_way + 1
        if self._guard is not None and item.hop is _SUBSCRIBER:
            self._judge(self._guard, status, answer)
        if rules.is_success(status):
            if busy >= slots.limit and (capacity := answer.capacity) is not None:
                slots.told(capacity)
            else:
                slots.succeeded(busy=busy)
            self._after.succeeded(item, answer)
        else:
            if status in _OVERLOADED:
                slots.overloaded(now=now, started=item.started)
            self._after.failed(item, status, answer)
        self.pump()

    # -- a subscriber that is left alone, or gets batches -------------------------------------

    def _judge(self, guard: Guard, status: int, answer: Answer) -> None:
        guard.ended(status, answer)
        if guard.is_closed:
            self._queue.extendleft(reversed(guard.release()))
        self._hold_back()

    def _pump_with_care(self) -> None:
        """Attempt what goes elsewhere, batches that are full or due, and what probes a breaker."""
        guard, batching = self._guard, self._batching
        if self._draining:
            return
        while self._queue and self._under_way < self._slots.limit:
            item = self._queue.popleft()
            if item.hop is not _SUBSCRIBER:
                self._attempt(item)
            elif guard is not None and not guard.is_closed:
                guard.block(item)
            elif batching is not None and not item.is_alone:
                batching.add(item)
            else:
                self._attempt(item)
        if guard is not None and not guard.is_closed:
            if self._under_way < self._slots.limit and (probe := guard.probe()) is not None:
                self._attempt(probe)
        elif batching is not None:
            while self._under_way < self._slots.limit and (batch := batching.take()):
                self._attempt_together(batch)

    def _attempt_together(self, items: list[Delivery]) -> None:
        items = [item for item in items if not self._expires(item)]
        if not items:
            return
        spec, now, clock = self._spec, monotonic(), self._services.clock()
        self._under_way += 1
        for item in items:
            item.attempts += 1
            item.started = now
            if item.attempts == 1:
                waited = clock - item.event.arrival_ns / 1e9
                self._counters.process.observe(max(0.0, waited))
        answered = partial(self._answered_together, items)
        if spec.target is None:
            asyncio.get_running_loop().call_soon(answered, _NO_ADDRESS)
            return
        events = [item.event for item in items]
        request, payload = make_batch_request(spec.target, events, self._asking)
        timeout = spec.policy.timeout_seconds
        send = self._services.client.send if self._webhook is None else self._webhook.send
        send(spec.target, request, payload, answered, timeout_seconds=timeout)

    def _answered_together(self, items: list[Delivery], answer: Answer) -> None:
        """One answer for all; which of them is refused for good is found out one by one."""
        status = answer.status
        if rules.is_success(status):
            status, _ = replies_of(answer)
        first, *others = items
        is_refused = not rules.is_success(status) and not rules.is_retried(status)
        if others and is_refused and not self._closed:
            self._under_way -= 1
            self._counters.dispatched(status, monotonic() - first.started)
            if self._guard is not None:
                self._judge(self._guard, status, answer)
            for item in items:
                item.is_alone, item.attempts = True, item.attempts - 1
            self._queue.extendleft(reversed(items))
            self.pump()
            return
        bare = Answer(ResponseHead.of(status), error=answer.error) if status else answer
        for item in others if not self._closed else ():
            if rules.is_success(status):
                self._after.succeeded(item, bare)
            else:
                self._after.failed(item, status, answer)
        self._answered(first, answer)

    def _unbatch(self) -> None:
        if self._batching is not None:
            self._queue.extendleft(reversed(self._batching.clear()))
            self._batching = None

    def _unguard(self) -> None:
        if self._guard is not None:
            self._queue.extendleft(reversed(self._guard.release()))
            self._guard.close()
            self._guard = None

    # -- order, delay, expiry ----------------------------------------------------------------

    def _may_go(self, item: Delivery) -> bool:
        """Whether an event may go now; if not, it will when its turn and its time have come."""
        if self._lanes is not None and not self._enters(item, self._lanes):
            return False
        return not self._is_early(item)

    def _enters(self, item: Delivery, lanes: Lanes[Delivery]) -> bool:
        """Whether no other event of its key is before it."""
        item.lane = item.event.attributes.get(self._spec.options.order_key)
        return item.lane is None or lanes.enter(item.lane, item)

    def left(self, item: Delivery) -> None:
        """Let the next event of a lane go."""
        if self._lanes is not None and item.lane is not None:
            following = self._lanes.leave(item.lane)
            if following is not None and not self._is_early(following):
                self._queue.append(following)
                self.pump()

    def _is_early(self, item: Delivery) -> bool:
        """Whether an event that was not tried yet is to wait; it is tried then."""
        delay = self._spec.options.delay_seconds
        if not delay or item.attempts:
            return False
        wait = item.event.arrival_ns / 1e9 + delay - self._services.clock()
        if wait > 0:
            self.later(item, min(wait, delay))
        return wait > 0

    def _expires(self, item: Delivery) -> bool:
        """Whether the subscriber need not get it any more; then that was the end of it."""
        if item.hop is not _SUBSCRIBER:
            return False
        if not is_expired(item.event.attributes, now=self._services.clock()):
            return False
        self._after.unsent(item, Follows.EXPIRED, "its expirytime is over")
        return True

    # -- what follows ------------------------------------------------------------------------

    def next_hop(self, item: Delivery, hop: Hop) -> None:
        """Send an event on to another place."""
        item.hop = hop
        item.attempts = 0
        self._queue.append(item)

    def later(self, item: Delivery, seconds: float) -> None:
        """Try again after a while."""
        self._waiting.add(item)
        item.timer = asyncio.get_running_loop().call_later(max(0.0, seconds), self._again, item)

    def _again(self, item: Delivery) -> None:
        self._waiting.discard(item)
        item.timer = None
        self._queue.appendleft(item)
        self.pump()


def _handshake_of(spec: SubscriptionSpec) -> Handshake | None:
    options = spec.options
    if not options.handshake:
        return None
    return Handshake(
        options.webhook_origin, options.webhook_rate, required=options.handshake_required
    )
