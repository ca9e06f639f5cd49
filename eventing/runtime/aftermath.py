"""What follows an attempt: a reply, another attempt, the dead letter sink, the end."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial
from time import monotonic
from typing import Protocol

from eventing.codec import CodecError, Event
from eventing.engines.event import RenderedEvent, StoredEvent
from eventing.runtime import policy as rules
from eventing.runtime.causes import caused_by, loop_in
from eventing.runtime.client import Answer
from eventing.runtime.config import SubscriptionLimits
from eventing.runtime.delivery import Delivery, Hop
from eventing.runtime.intake import TooManyPasses, prepare, prepare_unstamped
from eventing.runtime.metrics import EndpointCounters
from eventing.runtime.notes import HeldNote, Progress, write_note
from eventing.runtime.observer import Attempt, DeliveryObserver, Follows
from eventing.runtime.policy import Outcome
from eventing.runtime.replies import LogReplies, replies_of
from eventing.runtime.request import ErrorInfo
from eventing.runtime.spec import Reply, SubscriptionSpec, target_of
from eventing.runtime.target import Target
from hearth.kube.clock import Clock

log = logging.getLogger(__name__)

_SUBSCRIBER, _DEAD_LETTER = Hop.SUBSCRIBER, Hop.DEAD_LETTER  # looked up for each event

NO_SINK = "there is no dead letter sink"
SINK_FAILS = "the dead letter sink cannot be reached"
SINK_REFUSES = "the dead letter sink refuses it"


class Keeps(Protocol):
    """Who keeps what must outlast the process, or has nowhere to go."""

    def note(self, event: StoredEvent, text: str) -> None:
        """Keep a text with an event till it is settled."""

    def hold(self, event: StoredEvent, note: HeldNote) -> bool:
        """Keep an event that nobody takes; False where there is no room."""


class Course(Protocol):
    """What brings a delivery on its way."""

    def next_hop(self, item: Delivery, hop: Hop) -> None:
        """Send an event on to another place."""

    def later(self, item: Delivery, seconds: float) -> None:
        """Try again after a while."""

    def left(self, item: Delivery) -> None:
        """Note that the event of a lane is done with, or held."""


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
    ) -> None:
        self.spec = spec
        self.closed = False
        self._course = course
        self._clock = clock
        self._chance = chance
        self._limits = limits
        self._counters = counters
        self._replies = replies
        self._settled = settled
        self._keeps = keeps
        self.observer = observer
        self._drops_logged_at = float("-inf")

    def succeeded(self, item: Delivery, answer: Answer) -> None:
        """Go on after an answer of 2xx."""
        status = answer.status
        if item.hop is _SUBSCRIBER and answer.may_be_event:
            status, replies = replies_of(answer)
            if not rules.is_success(status):
                self.failed(item, status, answer)
                return
            if replies and self.spec.reply is not None:
                self._forward(item, replies, answer)
                return
        elif item.hop is _DEAD_LETTER:
            self._counters.dead_lettered += 1
        elif item.replies:
            self._tell(item, status, answer, Follows.REPLY)
            self._send_reply(item, item.replies)
            return
        if self.observer is not None:
            self._tell(item, status, answer, Follows.DONE)
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
                self._tell(item, status, answer, Follows.RETRY, at)
                self._keep_progress(item, at)
                self._course.later(item, at - now)
            case rules.DeadLetter():
                self._undeliverable(item, status, answer)

    def unsent(self, item: Delivery, follows: Follows, why: str) -> None:
        """End the way of an event that is not sent at all, or no more."""
        if follows is Follows.EXPIRED:
            self._counters.expired += 1
        else:
            self._counters.duplicates += 1
        item.started = monotonic()
        self._tell(item, 0, Answer(None, error=why), follows)
        self._finish(item)

    # -- what cannot be delivered ------------------------------------------------------------

    def _undeliverable(self, item: Delivery, status: int, answer: Answer) -> None:
        """Retries are over: on to the dead letter sink, which is not given up on at all."""
        if item.failure is None:
            item.failure = self._failure_of(item, status, answer)
        if self.spec.dead_letter is None:
            if not self.spec.options.hold:
                self._drop(item, status, answer)
            else:
                self._hold(item, status, answer, NO_SINK)
        elif item.hop is not Hop.DEAD_LETTER:
            self._tell(item, status, answer, Follows.DEAD_LETTER)
            item.reply, item.replies = (
                None,
                (),
            )  # the event itself is the dead letter, also when its reply failed
            self._course.next_hop(item, Hop.DEAD_LETTER)
            self._keep_progress(item, self._clock())
        elif rules.is_retried(status):
            self._hold(item, status, answer, SINK_FAILS)
        else:
            self._hold(item, status, answer, SINK_REFUSES)

    def _failure_of(self, item: Delivery, status: int, answer: Answer) -> ErrorInfo:
        return ErrorInfo.of(self._url_of(item), status, body=answer.body, error=answer.error)

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
        if self._keeps is None:
            self._drop(item, status, answer)
        elif self._keeps.hold(event, note):
            self._tell(item, status, answer, Follows.HELD)
            if item.lane is not None:
                self._course.left(item)
            self._say("events are held: nobody takes them", item, status, answer, reason=reason)
        else:
            pause = self._limits.dead_letter_pause_seconds
            self._tell(item, status, answer, Follows.RETRY, now + pause)
            self._course.later(item, pause)

    def _drop(self, item: Delivery, status: int, answer: Answer) -> None:
        self._counters.dropped += 1
        self._tell(item, status, answer, Follows.DROPPED)
        self._finish(item)
        self._say(
            "events dropped: they cannot be delivered and no dead letter sink takes them",
            item,
            status,
            answer,
            dropped_so_far=self._counters.dropped,
        )

    def _say(self, text: str, item: Delivery, status: int, answer: Answer, **facts: object) -> None:
        """Warn, but not of each event."""
        now = monotonic()
        if now - self._drops_logged_at < self._limits.drop_log_seconds:
            return
        self._drops_logged_at = now
        log.warning(
            text,
            extra={
                "subscription": f"{self.spec.namespace}/{self.spec.name}",
                "event": item.event.attributes.get("id"),
                "status": status,
                "error": answer.error,
                **facts,
            },
        )

    # -- replies -----------------------------------------------------------------------------

    def _forward(self, item: Delivery, replies: Sequence[Event], answer: Answer) -> None:
        """The event is settled only when its replies are durable, or have been taken."""
        arrival_ns = int(self._clock() * 1e9)
        if self.spec.reply is not Reply.OWN_LOG:
            rendered = [
                prepare_unstamped(
                    reply, arrival_ns=arrival_ns, answered=item.event, headers=answer.fields
                )
                for reply in replies
            ]
            self._tell_replies(item, rendered, answer)
            self._send_reply(item, rendered)
            return
        causes = caused_by(item.event.causes, self.spec.name)
        try:
            rendered = [
                prepare(
                    reply,
                    arrival_ns=arrival_ns,
                    answered=item.event,
                    headers=answer.fields,
                    max_head_bytes=self._limits.attribute_bytes,
                    causes=causes,
                )
                for reply in replies
            ]
        except TooManyPasses:
            self._note_loop(item, answer, causes, "reply dropped: events go round in a loop")
            self._counters.dropped += 1
            self._tell(item, answer.status, answer, Follows.DROPPED)
            self._finish(item)
            return
        except CodecError as error:  # its attributes are too large: as a body that is no event
            self.failed(item, 502, Answer(None, error=str(error)))
            return
        if loop_in(causes):
            self._note_loop(item, answer, causes, "events go round in a loop")
        self._tell_replies(item, rendered, answer)
        self._replies.append(rendered, partial(self._finish, item))

    def _send_reply(self, item: Delivery, replies: Sequence[RenderedEvent]) -> None:
        item.reply, *item.replies = replies
        self._course.next_hop(item, Hop.REPLY)

    def _note_loop(
        self, item: Delivery, answer: Answer, causes: tuple[str, ...], text: str
    ) -> None:
        self._counters.looped += 1
        way = " -> ".join(loop_in(causes) or causes)
        self._say(text, item, answer.status, answer, loop=way, looped_so_far=self._counters.looped)

    # -- the end, and who is told ------------------------------------------------------------

    def _finish(self, item: Delivery) -> None:
        if not self.closed:
            self._settled(item.event)
            if item.lane is not None:
                self._course.left(item)
            if self.observer is not None:
                self.observer.settled(self.spec, item.event)

    def _keep_progress(self, item: Delivery, due: float) -> None:
        """A reply is not kept: after a restart the subscriber is asked for it again."""
        if self._keeps is not None and item.reply is None:
            progress = Progress(item.hop, item.attempts, due, item.failure)
            self._keeps.note(item.event, write_note(progress))

    def _tell(
        self,
        item: Delivery,
        status: int,
        answer: Answer,
        follows: Follows,
        retry_at: float = 0.0,
    ) -> None:
        if self.observer is None:
            return
        attempt = Attempt(
            self.spec,
            item.event,
            item.hop,
            item.attempts,
            self._url_of(item),
            status,
            answer.error,
            monotonic() - item.started,
            follows,
            retry_at,
        )
        self.observer.attempted(attempt)

    def _tell_replies(
        self, item: Delivery, replies: Sequence[RenderedEvent], answer: Answer
    ) -> None:
        if self.observer is None:
            return
        url = self.spec.reply.url if isinstance(self.spec.reply, Target) else ""
        for reply in replies:
            self.observer.replied(self.spec, item.event, reply, url)
        self._tell(item, answer.status, answer, Follows.REPLY)

    def _url_of(self, item: Delivery) -> str:
        target = target_of(self.spec, item.hop)
        return target.url if target is not None else ""


def retry_after_of(answer: Answer, now: float) -> float:
    """Seconds that an answer asks to wait; fields are read only of answers that may say so."""
    if answer.status not in rules.RETRY_AFTER_STATUSES:
        return 0.0
    for name, value in answer.fields:
        if name == b"retry-after":
            return rules.parse_retry_after(value, now=now)
    return 0.0
