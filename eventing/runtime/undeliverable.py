"""What becomes of an event that cannot be delivered: a dead letter, held in the log, or dropped."""

from __future__ import annotations

from collections.abc import Callable

from eventing.runtime import policy as rules
from eventing.runtime.client import Answer
from eventing.runtime.config import SubscriptionLimits
from eventing.runtime.delivery import Course, Delivery, Hop
from eventing.runtime.keeping import Keeps, keep_progress
from eventing.runtime.metrics import EndpointCounters
from eventing.runtime.notes import HeldNote
from eventing.runtime.observer import Follows
from eventing.runtime.request import ErrorInfo
from eventing.runtime.spec import SubscriptionSpec
from eventing.runtime.telling import Telling
from hearth.kube.clock import Clock

NO_SINK = "there is no dead letter sink"
SINK_FAILS = "the dead letter sink cannot be reached"
SINK_REFUSES = "the dead letter sink refuses it"


class Undeliverable:
    """Takes events whose retries are over; ``finish`` is called with those that are dropped."""

    def __init__(
        self,
        spec: SubscriptionSpec,
        course: Course,
        telling: Telling,
        *,
        clock: Clock,
        limits: SubscriptionLimits,
        counters: EndpointCounters,
        keeps: Keeps | None,
        finish: Callable[[Delivery], None],
    ) -> None:
        self.spec = spec
        self._course = course
        self._telling = telling
        self._clock = clock
        self._limits = limits
        self._counters = counters
        self._keeps = keeps
        self._finish = finish

    def take(self, item: Delivery, status: int, answer: Answer) -> None:
        """Send an event on to the dead letter sink, which is not given up on at all."""
        if item.failure is None:
            item.failure = self._failure_of(item, status, answer)
        if self.spec.dead_letter is None:
            if not self.spec.options.hold:
                self._drop(item, status, answer)
            else:
                self._hold(item, status, answer, NO_SINK)
        elif item.hop is not Hop.DEAD_LETTER:
            self._telling.attempt(item, status, answer, Follows.DEAD_LETTER)
            # The event itself is the dead letter, also when its reply failed.
            item.reply, item.replies = None, ()
            self._course.next_hop(item, Hop.DEAD_LETTER)
            keep_progress(self._keeps, item, self._clock())
        elif rules.is_retried(status):
            self._hold(item, status, answer, SINK_FAILS)
        else:
            self._hold(item, status, answer, SINK_REFUSES)

    def _failure_of(self, item: Delivery, status: int, answer: Answer) -> ErrorInfo:
        url = self._telling.url_of(item)
        return ErrorInfo.of(url, status, body=answer.body, error=answer.error)

    def _hold(self, item: Delivery, status: int, answer: Answer, reason: str) -> None:
        """It stays in the log. Where too many do already it waits here, and so do later ones."""
        event, failure = item.event, item.failure
        attributes, now = event.attributes, self._clock()
        note = HeldNote(
            now,
            reason,
            failure or self._failure_of(item, status, answer),
            status,
            answer.error,
            again=reason is SINK_FAILS,
            event_id=attributes.get("id", ""),
            source=attributes.get("source", ""),
            type=attributes.get("type", ""),
        )
        telling = self._telling
        if self._keeps is None:
            self._drop(item, status, answer)
        elif self._keeps.hold(event, note):
            telling.attempt(item, status, answer, Follows.HELD)
            if item.lane is not None:
                self._course.left(item)
            telling.warn("events are held: nobody takes them", item, status, answer, reason=reason)
        else:
            pause = self._limits.dead_letter_pause_seconds
            telling.attempt(item, status, answer, Follows.RETRY, now + pause)
            self._course.later(item, pause)

    def _drop(self, item: Delivery, status: int, answer: Answer) -> None:
        self._counters.dropped += 1
        self._telling.attempt(item, status, answer, Follows.DROPPED)
        self._finish(item)
        self._telling.warn(
            "events dropped: they cannot be delivered and no dead letter sink takes them",
            item,
            status,
            answer,
            dropped_so_far=self._counters.dropped,
        )
