"""What follows an attempt: a reply, another attempt, the dead letter sink, the end."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

from eventing.engines.event import StoredEvent
from eventing.runtime import policy as rules
from eventing.runtime.client import Answer
from eventing.runtime.config import SubscriptionLimits
from eventing.runtime.delivery import Course, Delivery, Hop
from eventing.runtime.forwarding import Forwarding
from eventing.runtime.keeping import Keeps, keep_progress
from eventing.runtime.metrics import EndpointCounters
from eventing.runtime.observer import DeliveryObserver, Follows
from eventing.runtime.policy import Outcome
from eventing.runtime.replies import LogReplies, replies_of
from eventing.runtime.spec import SubscriptionSpec
from eventing.runtime.telling import Telling
from eventing.runtime.tracing.deliveries import DeliveryTracing
from eventing.runtime.undeliverable import Undeliverable
from hearth.kube.clock import Clock

_SUBSCRIBER, _DEAD_LETTER = Hop.SUBSCRIBER, Hop.DEAD_LETTER  # looked up for each event


class Aftermath:
    """Decides by ``spec``, which may change."""

    def __init__(
        self,
        spec: SubscriptionSpec,
        course: Course,
        *,
        clock: Clock,
        chance: Callable[[], float],
        limits: SubscriptionLimits,
        counters: EndpointCounters,
        replies: LogReplies,
        settled: Callable[[StoredEvent], None],
        keeps: Keeps | None,
        observer: DeliveryObserver | None,
        tracing: DeliveryTracing,
    ) -> None:
        self.spec = spec
        self.closed = False
        self._course = course
        self._clock = clock
        self._chance = chance
        self._counters = counters
        self._settled = settled
        self._keeps = keeps
        self._tracing = tracing
        self._telling = Telling(spec, observer, tracing, pause_seconds=limits.drop_log_seconds)
        self._undeliverable = Undeliverable(
            spec,
            course,
            self._telling,
            clock=clock,
            limits=limits,
            counters=counters,
            keeps=keeps,
            finish=self._finish,
        )
        self._forwarding = Forwarding(
            spec,
            course,
            self._telling,
            clock=clock,
            limits=limits,
            counters=counters,
            replies=replies,
            finish=self._finish,
            end=self._end,
            failed=self.failed,
        )

    def update(self, spec: SubscriptionSpec) -> None:
        """Decide by another spec from now on."""
        self.spec = self._telling.spec = spec
        self._undeliverable.spec = self._forwarding.spec = spec

    def observe(self, observer: DeliveryObserver | None) -> None:
        """Tell another observer from now on, or none."""
        self._telling.observer = observer

    def succeeded(self, item: Delivery, answer: Answer) -> None:
        """Go on after an answer of 2xx."""
        status = answer.status
        if item.hop is _SUBSCRIBER and answer.may_be_event:
            status, replies = replies_of(answer)
            if not rules.is_success(status):
                self.failed(item, status, answer)
                return
            if replies and self.spec.reply is not None:
                self._forwarding.forward(item, replies, answer)
                return
        elif item.hop is _DEAD_LETTER:
            self._counters.dead_lettered += 1
        elif item.replies:
            self._telling.attempt(item, status, answer, Follows.REPLY)
            self._forwarding.send(item, item.replies)
            return
        if self._telling.observer is not None or item.span:
            self._telling.attempt(item, status, answer, Follows.DONE)
        self._finish(item)

    def failed(self, item: Delivery, status: int, answer: Answer) -> None:
        """Go on after any other end of an attempt."""
        now = self._clock()
        outcome = Outcome(status, retry_after_of(answer, now))
        match rules.next_step(
            self.spec.policy, item.attempts, outcome, now=now, jitter=self._chance()
        ):
            case rules.Retry(at=at):
                self._counters.retried += 1
                self._telling.attempt(item, status, answer, Follows.RETRY, at)
                keep_progress(self._keeps, item, at)
                self._course.later(item, at - now)
            case rules.DeadLetter():
                self._undeliverable.take(item, status, answer)

    def unsent(self, item: Delivery, follows: Follows, why: str) -> None:
        """End the way of an event that is not sent at all, or no more."""
        if follows is Follows.EXPIRED:
            self._counters.expired += 1
        else:
            self._counters.duplicates += 1
        item.started = monotonic()
        if self._tracing.tracer.is_on:
            self._tracing.look(item)
        self._telling.attempt(item, 0, Answer(None, error=why), follows)
        self._finish(item)

    def unmoved(self, item: Delivery, follows: Follows, why: str, due: float) -> None:
        """Tell of an event that is not sent, and not done with."""
        item.started = monotonic()
        self._telling.attempt(item, 0, Answer(None, error=why), follows, due)

    def _finish(self, item: Delivery) -> None:
        is_part = self.spec.branch is not None and not self.closed
        if not is_part or not self._forwarding.tell_end(item):
            self._end(item)

    def _end(self, item: Delivery) -> None:
        if not self.closed:
            self._settled(item.event)
            if item.lane is not None:
                self._course.left(item)
            telling = self._telling
            if telling.observer is not None:
                telling.observer.settled(telling.spec, item.event)
            if item.is_traced:
                self._tracing.settled(item)


def retry_after_of(answer: Answer, now: float) -> float:
    """Seconds that an answer asks to wait; fields are read only of answers that may say so."""
    if answer.status not in rules.RETRY_AFTER_STATUSES:
        return 0.0
    for name, value in answer.fields:
        if name == b"retry-after":
            return rules.parse_retry_after(value, now=now)
    return 0.0
