"""The deliveries of one subscription: attempts, retries, replies, dead letters.

An event goes to the subscriber; its reply, where it has a place to go, follows; what fails for
good goes to the dead letter sink. Each of these hops is retried by the same policy.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from time import monotonic

from activator.http.events import ResponseHead
from eventing.codec import CodecError, Event
from eventing.engines.event import RenderedEvent, StoredEvent
from eventing.runtime import policy as rules
from eventing.runtime.accounting import MemoryBudget
from eventing.runtime.client import Answer, DeliveryClient
from eventing.runtime.delivery import Delivery, Hop
from eventing.runtime.intake import TooManyPasses, prepare, prepare_unstamped
from eventing.runtime.metrics import EndpointCounters
from eventing.runtime.observer import Attempt, DeliveryObserver, Follows
from eventing.runtime.policy import Outcome
from eventing.runtime.replies import LogReplies, reply_of
from eventing.runtime.request import ErrorInfo, common_fields, make_request
from eventing.runtime.slots import Slots
from eventing.runtime.spec import Reply, SubscriptionSpec
from eventing.runtime.target import Target
from hearth.kube.clock import Clock, wall_clock

log = logging.getLogger(__name__)

_OVERLOADED = frozenset({0, 429, 503})
_NO_ADDRESS = Answer(ResponseHead.of(404), error="the subscriber has no address")


@dataclass(slots=True)
class Services:
    """What the subscriptions of a process share."""

    client: DeliveryClient
    budget: MemoryBudget
    clock: Clock = wall_clock
    chance: Callable[[], float] = random.random


_SUBSCRIBER, _DEAD_LETTER = Hop.SUBSCRIBER, Hop.DEAD_LETTER  # looked up for each event


class Dispatcher:
    """Delivers what it is given; ``settled`` is called once for each event that is done with."""

    def __init__(
        self,
        spec: SubscriptionSpec,
        *,
        services: Services,
        counters: EndpointCounters,
        replies: LogReplies,
        settled: Callable[[StoredEvent], None],
        observer: DeliveryObserver | None = None,
    ) -> None:
        self._spec = spec
        self._observer = observer
        self._services = services
        self._counters = counters
        self._replies = replies
        self._settled = settled
        self._asking = common_fields(spec.namespace, wants_reply=True)
        self._telling = common_fields(spec.namespace, wants_reply=False)
        self._slots = Slots(services.budget.limits.slots)
        self._queue: deque[Delivery] = deque()
        self._waiting: set[Delivery] = set()
        self._under_way = 0
        self._closed = self._draining = False
        self._drops_logged_at = float("-inf")

    def add(self, event: StoredEvent) -> None:
        """Deliver an event as soon as a slot is free."""
        if self._queue or self._draining or self._under_way >= self._slots.limit:
            self._queue.append(Delivery(event))
        else:
            self._attempt(Delivery(event))

    def update(self, spec: SubscriptionSpec) -> None:
        """Deliver by new rules, also what was taken already."""
        self._spec = spec
        self.pump()

    def observe(self, observer: DeliveryObserver | None) -> None:
        """Tell another observer from now on, or none."""
        self._observer = observer

    def drain(self) -> None:
        """Begin no further attempt; those under way may still end."""
        self._draining = True

    @property
    def busy(self) -> bool:
        """Whether attempts are under way."""
        return self._under_way > 0

    def close(self) -> None:
        """Stop; what is under way is not settled."""
        self._closed = self._draining = True
        for item in self._waiting:
            if item.timer is not None:
                item.timer.cancel()
        self._waiting.clear()
        self._queue.clear()

    # -- attempts ----------------------------------------------------------------------------

    def pump(self) -> None:
        """Start as many attempts as there are free slots."""
        while self._queue and self._under_way < self._slots.limit and not self._draining:
            self._attempt(self._queue.popleft())

    def _attempt(self, item: Delivery) -> None:
        spec, hop = self._spec, item.hop
        target = spec.target if hop is _SUBSCRIBER else self._target_of(item)
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
        self._services.client.send(
            target,
            request,
            payload,
            partial(self._answered, item),
            timeout_seconds=spec.policy.timeout_seconds,
        )

    def _target_of(self, item: Delivery) -> Target | None:
        if item.hop is Hop.SUBSCRIBER:
            return self._spec.target
        if item.hop is Hop.DEAD_LETTER:
            return self._spec.dead_letter
        return self._spec.reply if isinstance(self._spec.reply, Target) else None

    def _answered(self, item: Delivery, answer: Answer) -> None:
        self._under_way -= 1
        if self._closed:
            return
        now, status = monotonic(), answer.status
        self._counters.dispatched(status, now - item.started)
        if rules.is_success(status):
            self._slots.succeeded(busy=self._under_way + 1)
            self._succeeded(item, answer)
        else:
            if status in _OVERLOADED:
                self._slots.overloaded(now=now, started=item.started)
            self._failed(item, status, answer)
        self.pump()

    # -- what follows an attempt -------------------------------------------------------------

    def _succeeded(self, item: Delivery, answer: Answer) -> None:
        status = answer.status
        if item.hop is _SUBSCRIBER and answer.may_be_event:
            status, reply = reply_of(answer)
            if not rules.is_success(status):
                self._failed(item, status, answer)
                return
            if reply is not None and self._spec.reply is not None:
                self._forward_reply(item, reply, answer)
                return
        elif item.hop is _DEAD_LETTER:
            self._counters.dead_lettered += 1
        if self._observer is not None:
            self._tell(item, status, answer, Follows.DONE)
        self._finish(item)

    def _failed(self, item: Delivery, status: int, answer: Answer) -> None:
        now = self._services.clock()
        outcome = Outcome(status, _retry_after(answer, now))
        match rules.next_step(
            self._spec.policy, item.attempts, outcome, now=now, jitter=self._services.chance()
        ):
            case rules.Retry(at=at):
                self._counters.retried += 1
                self._tell(item, status, answer, Follows.RETRY, at)
                self._later(item, at - now)
            case rules.DeadLetter():
                self._undeliverable(item, status, answer)

    def _undeliverable(self, item: Delivery, status: int, answer: Answer) -> None:
        """Retries are over: on to the dead letter sink, which is not given up on lightly."""
        if self._spec.dead_letter is None:
            self._drop(item, status, answer)
        elif item.hop is not Hop.DEAD_LETTER:
            url = self._url_of(item)
            self._tell(item, status, answer, Follows.DEAD_LETTER)
            item.failure = ErrorInfo.of(url, status, body=answer.body, error=answer.error)
            item.reply = None  # the event itself is the dead letter, also when its reply failed
            self._next_hop(item, Hop.DEAD_LETTER)
        elif rules.is_retried(status):
            pause = self._services.budget.limits.dead_letter_pause_seconds
            self._tell(item, status, answer, Follows.RETRY, self._services.clock() + pause)
            self._later(item, pause)
        else:
            self._drop(item, status, answer)

    def _next_hop(self, item: Delivery, hop: Hop) -> None:
        item.hop = hop
        item.attempts = 0
        self._queue.append(item)

    def _forward_reply(self, item: Delivery, reply: Event, answer: Answer) -> None:
        """The event is settled only when its reply is durable, or has been taken."""
        arrival_ns = int(self._services.clock() * 1e9)
        if self._spec.reply is not Reply.OWN_LOG:
            item.reply = prepare_unstamped(
                reply, arrival_ns=arrival_ns, answered=item.event, headers=answer.fields
            )
            self._tell_reply(item, item.reply, answer)
            self._next_hop(item, Hop.REPLY)
            return
        try:
            rendered = prepare(
                reply,
                arrival_ns=arrival_ns,
                answered=item.event,
                headers=answer.fields,
                max_head_bytes=self._services.budget.limits.attribute_bytes,
            )
        except TooManyPasses:
            log.warning(
                "reply dropped: events go round in a loop",
                extra={"subscription": f"{self._spec.namespace}/{self._spec.name}"},
            )
            self._counters.dropped += 1
            self._tell(item, answer.status, answer, Follows.DROPPED)
            self._finish(item)
            return
        except CodecError as error:  # its attributes are too large: as a body that is no event
            self._failed(item, 502, Answer(None, error=str(error)))
            return
        self._tell_reply(item, rendered, answer)
        self._replies.append(rendered, partial(self._finish, item))

    def _later(self, item: Delivery, seconds: float) -> None:
        self._waiting.add(item)
        item.timer = asyncio.get_running_loop().call_later(max(0.0, seconds), self._again, item)

    def _again(self, item: Delivery) -> None:
        self._waiting.discard(item)
        item.timer = None
        self._queue.appendleft(item)
        self.pump()

    def _finish(self, item: Delivery) -> None:
        if not self._closed:
            self._settled(item.event)
            if self._observer is not None:
                self._observer.settled(self._spec, item.event)

    def _drop(self, item: Delivery, status: int, answer: Answer) -> None:
        self._counters.dropped += 1
        self._tell(item, status, answer, Follows.DROPPED)
        self._finish(item)
        now = monotonic()
        if now - self._drops_logged_at < self._services.budget.limits.drop_log_seconds:
            return
        self._drops_logged_at = now
        log.warning(
            "events dropped: they cannot be delivered and no dead letter sink takes them",
            extra={
                "subscription": f"{self._spec.namespace}/{self._spec.name}",
                "event": item.event.attributes.get("id"),
                "status": status,
                "error": answer.error,
                "dropped_so_far": self._counters.dropped,
            },
        )

    # -- who wants to know -------------------------------------------------------------------

    def _tell(
        self,
        item: Delivery,
        status: int,
        answer: Answer,
        follows: Follows,
        retry_at: float = 0.0,
    ) -> None:
        if self._observer is None:
            return
        seconds = monotonic() - item.started
        attempt = Attempt(
            self._spec,
            item.event,
            item.hop,
            item.attempts,
            self._url_of(item),
            status,
            answer.error,
            seconds,
            follows,
            retry_at,
        )
        self._observer.attempted(attempt)

    def _tell_reply(self, item: Delivery, reply: RenderedEvent, answer: Answer) -> None:
        if self._observer is None:
            return
        url = self._spec.reply.url if isinstance(self._spec.reply, Target) else ""
        self._observer.replied(self._spec, item.event, reply, url)
        self._tell(item, answer.status, answer, Follows.REPLY)

    def _url_of(self, item: Delivery) -> str:
        target = self._target_of(item)
        return target.url if target is not None else ""


def _retry_after(answer: Answer, now: float) -> float:
    """Seconds that an answer asks to wait; fields are read only of answers that may say so."""
    if answer.status not in rules.RETRY_AFTER_STATUSES:
        return 0.0
    for name, value in answer.fields:
        if name == b"retry-after":
            return rules.parse_retry_after(value, now=now)
    return 0.0
