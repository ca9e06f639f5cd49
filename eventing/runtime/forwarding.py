"""Where the events go that a subscriber answers with: into the log, or to a URL."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from eventing.api.joins import JoinBranch
from eventing.codec import CodecError, Event
from eventing.engines.event import RenderedEvent
from eventing.runtime.causes import caused_by, loop_in
from eventing.runtime.client import Answer
from eventing.runtime.config import SubscriptionLimits
from eventing.runtime.delivery import Course, Delivery, Hop
from eventing.runtime.intake import TooManyPasses, prepare, prepare_unstamped
from eventing.runtime.joins import branch as joins
from eventing.runtime.metrics import EndpointCounters
from eventing.runtime.observer import Follows
from eventing.runtime.places import CHANNEL, Place
from eventing.runtime.replies import LogReplies
from eventing.runtime.spec import Reply, SubscriptionSpec
from eventing.runtime.telling import Telling
from hearth.kube.clock import Clock

Failed = Callable[[Delivery, int, Answer], None]


class Forwarding:
    """``finish`` is called with events whose replies are durable, ``failed`` where none can be.

    ``end`` is called with those that the join of a Parallel was told of.
    """

    def __init__(
        self,
        spec: SubscriptionSpec,
        course: Course,
        telling: Telling,
        *,
        clock: Clock,
        limits: SubscriptionLimits,
        counters: EndpointCounters,
        replies: LogReplies,
        finish: Callable[[Delivery], None],
        end: Callable[[Delivery], None],
        failed: Failed,
    ) -> None:
        self.spec = spec
        self._course = course
        self._telling = telling
        self._clock = clock
        self._limits = limits
        self._counters = counters
        self._replies = replies
        self._finish = finish
        self._end = end
        self._failed = failed

    def forward(self, item: Delivery, replies: Sequence[Event], answer: Answer) -> None:
        """The event is settled only when its replies are durable, or have been taken."""
        arrival_ns, branch = int(self._clock() * 1e9), self.spec.branch
        is_part = branch is not None and joins.mark(branch, item.event, replies)
        if self.spec.reply is Reply.OWN_LOG:
            self._append(item, replies, answer, arrival_ns)
            return
        rendered = [
            prepare_unstamped(
                reply, arrival_ns=arrival_ns, answered=item.event, headers=answer.fields
            )
            for reply in replies
        ]
        if item.span:
            self._telling.tracing.send_on(item, answer.fields, rendered)
        self._telling.replies(item, rendered, answer)
        if is_part and branch is not None and branch.is_last:
            self._append_parts(branch, rendered, item)
        else:
            self.send(item, rendered)

    def tell_end(self, item: Delivery) -> bool:
        """Tell the join of a Parallel that its branch has ended for an event, if it has.

        Then the event is done with once that is durable; else nothing is done.
        """
        branch, now = self.spec.branch, int(self._clock() * 1e9)
        source = f"/{self.spec.namespace}/{self.spec.name}"
        part = joins.end_of(branch, item, source, now) if branch is not None else None
        if branch is None or part is None:
            return False
        self._append_parts(branch, [part], item)
        return True

    def _append_parts(
        self, branch: JoinBranch, parts: Sequence[RenderedEvent], item: Delivery
    ) -> None:
        place = Place(CHANNEL, self.spec.namespace, branch.channel)
        self._replies.append(parts, partial(self._end, item), to=place)

    def send(self, item: Delivery, replies: Sequence[RenderedEvent]) -> None:
        """Send one reply after the other to where they go."""
        item.reply, *item.replies = replies
        self._course.next_hop(item, Hop.REPLY)

    def _append(
        self, item: Delivery, replies: Sequence[Event], answer: Answer, arrival_ns: int
    ) -> None:
        causes, tracing = caused_by(item.event.causes, self.spec.name), self._telling.tracing
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
            self._replies.check(rendered)
        except TooManyPasses:
            self._note_loop(item, answer, causes, "reply dropped: events go round in a loop")
            self._counters.dropped += 1
            self._telling.attempt(item, answer.status, answer, Follows.DROPPED)
            self._finish(item)
            return
        except CodecError as error:  # too large, or against its schema: as a body that is no event
            self._failed(item, 502, Answer(None, error=str(error)))
            return
        if loop_in(causes):
            self._note_loop(item, answer, causes, "events go round in a loop")
        span = tracing.reply(item, answer.fields, rendered) if item.span else None
        self._telling.replies(item, rendered, answer)
        if span is None:
            self._replies.append(rendered, partial(self._finish, item))
            return

        def stored() -> None:
            tracing.ended(span)
            self._finish(item)

        self._replies.append(rendered, stored)

    def _note_loop(
        self, item: Delivery, answer: Answer, causes: tuple[str, ...], text: str
    ) -> None:
        counters = self._counters
        counters.looped += 1
        way = " -> ".join(loop_in(causes) or causes)
        self._telling.warn(
            text, item, answer.status, answer, loop=way, looped_so_far=counters.looped
        )
