"""The deliveries of one subscription: a queue, a limit of what is under way, attempts.

An event goes to the subscriber; its reply, where it has a place to go, follows; what fails for
good goes to the dead letter sink. Each of these hops is retried by the same policy. How an event
is sent is the matter of ``attempts``, what follows one that of ``aftermath``; ``turns`` and
``careful`` have what only those subscriptions need that ask for it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from time import monotonic

from eventing.engines.event import StoredEvent
from eventing.runtime import policy as rules
from eventing.runtime.aftermath import Aftermath
from eventing.runtime.attempts import Attempts
from eventing.runtime.careful import Careful
from eventing.runtime.client import Answer
from eventing.runtime.delivery import Delivery, Hop
from eventing.runtime.keeping import Keeps
from eventing.runtime.metrics import EndpointCounters
from eventing.runtime.notes import Progress, wait_of
from eventing.runtime.observer import DeliveryObserver, Follows
from eventing.runtime.replies import LogReplies
from eventing.runtime.services import Services
from eventing.runtime.spec import SubscriptionSpec
from eventing.runtime.tracing.deliveries import DeliveryTracing
from eventing.runtime.turns import Turns
from hearth.kube.timers import Timer

_OVERLOADED = frozenset({0, 429, 503})
_CROWD = 500
"""Whoever has more than so many events queued takes turns, as those do that read their log."""
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
        self._queue: deque[Delivery] = deque()
        self._waiting: set[Delivery] = set()
        self._closed = False
        limits = services.budget.limits
        tracing = DeliveryTracing(spec, services.tracer, services.clock, anew=keeps is None)
        self._after = Aftermath(
            spec,
            self,
            clock=services.clock,
            chance=services.chance,
            limits=limits,
            counters=counters,
            replies=replies,
            settled=settled,
            keeps=keeps,
            observer=observer,
            tracing=tracing,
        )
        self._attempts = Attempts(
            spec,
            services=services,
            counters=counters,
            tracing=tracing,
            expired=self._expired,
            answered=self._answered,
            answered_together=self._answered_together,
        )
        self._careful = Careful(
            self._queue,
            self._attempts,
            services.share,
            spec=spec,
            limits=limits,
            counters=counters,
            after=self._after,
            look=self.pump,
            answered=self._answered,
        )
        self._turns = Turns(clock=services.clock, later=self.later)
        self._turns.configure(spec)

    def add(self, event: StoredEvent) -> None:
        """Deliver an event as soon as a slot is free."""
        item, attempts = Delivery(event), self._attempts
        if self._turns.is_needed and not self._turns.may_go(item):
            return
        is_careful = self._careful.is_needed
        if self._queue or is_careful or attempts.under_way >= attempts.slots.limit:
            self._queue.append(item)
            if len(self._queue) > _CROWD and not is_careful:
                self._careful.crowded()
                is_careful = True
            if is_careful:
                self.pump()
        else:
            attempts.one(item)

    def resume(self, event: StoredEvent, progress: Progress) -> None:
        """Go on with an event that was tried before, when its next attempt is due."""
        item = Delivery(event, progress.hop, progress.attempts, failure=progress.failure)
        if self._turns.is_needed and not self._turns.enters(item):
            return
        longest = self._spec.policy.longest_wait_seconds
        self.later(item, wait_of(progress, now=self._services.clock(), longest=longest))

    def skip(self, event: StoredEvent) -> None:
        """Be done with an event that came before."""
        self._after.unsent(Delivery(event), Follows.DUPLICATE, "the event came before")

    def tell(self, event: StoredEvent, follows: Follows, why: str, due: float = 0.0) -> None:
        """Tell of an event that was not given yet, and when it will be (seconds since 1970)."""
        self._after.unmoved(Delivery(event), follows, why, due)

    # -- state -------------------------------------------------------------------------------

    def update(self, spec: SubscriptionSpec) -> None:
        """Deliver by new rules, also what was taken already."""
        before, self._spec = self._spec, spec
        self._after.update(spec)
        self._attempts.update(spec)
        self._queue.extend(self._turns.configure(spec))
        self._careful.configure(spec, before)
        self.pump()

    def observe(self, observer: DeliveryObserver | None) -> None:
        """Tell another observer from now on, or none."""
        self._after.observe(observer)

    def behind(self, is_behind: bool) -> None:
        """Take turns with others that have work without end, or do not any more."""
        self._careful.behind(is_behind)

    def drain(self) -> None:
        """Begin no further attempt; those under way may still end."""
        self._careful.drain()

    @property
    def busy(self) -> bool:
        """Whether attempts are under way."""
        return self._attempts.under_way > 0

    def close(self) -> None:
        """Stop; what is under way is not settled."""
        self._closed = self._after.closed = True
        self._careful.close()
        self._attempts.close()
        for item in self._waiting:
            if item.timer is not None:
                item.timer.cancel()
        self._waiting.clear()
        self._queue.clear()

    # -- attempts ----------------------------------------------------------------------------

    def pump(self) -> None:
        """Start as many attempts as there are free slots."""
        attempts = self._attempts
        if self._careful.is_needed:
            self._careful.pump()
            return
        while self._queue and attempts.under_way < attempts.slots.limit:
            attempts.one(self._queue.popleft())

    def _answered(self, item: Delivery, answer: Answer) -> None:
        attempts = self._attempts
        attempts.under_way -= 1
        if self._closed:
            return
        now, status = monotonic(), answer.status
        self._counters.dispatched(status, now - item.started)
        slots, busy = attempts.slots, attempts.under_way + 1
        if self._careful.guard is not None and item.hop is _SUBSCRIBER:
            self._careful.judge(status, answer)
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

    def _answered_together(self, items: Sequence[Delivery], answer: Answer) -> None:
        self._careful.answered_together(items, answer)

    def _expired(self, item: Delivery) -> None:
        self._after.unsent(item, Follows.EXPIRED, "its expirytime is over")

    # -- what follows ------------------------------------------------------------------------

    def left(self, item: Delivery) -> None:
        """Let the next event of a lane go."""
        following = self._turns.after(item)
        if following is not None:
            self._queue.append(following)
            self.pump()

    def next_hop(self, item: Delivery, hop: Hop) -> None:
        """Send an event on to another place."""
        item.hop = hop
        item.attempts = 0
        self._queue.append(item)

    def later(self, item: Delivery, seconds: float) -> None:
        """Try again after a while."""
        self._waiting.add(item)
        item.timer = Timer(seconds, self._again, item, clock=self._services.passing)

    def _again(self, item: Delivery) -> None:
        self._waiting.discard(item)
        item.timer = None
        self._queue.appendleft(item)
        if len(self._queue) > _CROWD:
            self._careful.crowded()
        self.pump()
