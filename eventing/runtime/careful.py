"""Deliveries that do not simply go when a slot is free.

To a subscriber that is left alone while it fails, or that gets batches, where that was asked for;
and those of a subscription that is behind, which takes its turn with others (``sharing``). The
others' events do not come by here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from math import inf
from time import monotonic

from activator.http.events import ResponseHead
from eventing.runtime import policy as rules
from eventing.runtime.aftermath import Aftermath
from eventing.runtime.attempts import Attempts
from eventing.runtime.batching import Batching
from eventing.runtime.client import Answer
from eventing.runtime.config import SubscriptionLimits
from eventing.runtime.delivery import Delivery, Hop
from eventing.runtime.guard import Guard
from eventing.runtime.metrics import EndpointCounters
from eventing.runtime.replies import replies_of
from eventing.runtime.sharing import EVENT_COST, Flow, Share
from eventing.runtime.spec import SubscriptionSpec


class Careful:
    """Takes from the dispatcher's ``queue`` what may be attempted, while ``is_needed`` says so.

    ``look`` is called when there may be something to attempt, ``answered`` with the first event of
    a batch, whose answer counts as an attempt's.
    """

    def __init__(
        self,
        queue: deque[Delivery],
        attempts: Attempts,
        share: Share,
        *,
        spec: SubscriptionSpec,
        limits: SubscriptionLimits,
        counters: EndpointCounters,
        after: Aftermath,
        look: Callable[[], None],
        answered: Callable[[Delivery, Answer], None],
    ) -> None:
        self.is_needed = False
        """Whether a delivery may not simply be attempted when a slot is free."""
        self.guard: Guard | None = None
        """Whoever judges answers of the subscriber; mostly nobody."""
        self._queue = queue
        self._attempts = attempts
        self._flow = Flow(share, spec.place or spec.namespace, self._deliver)
        self._is_behind = self._takes_turns = False
        self._limits = limits
        self._counters = counters
        self._after = after
        self._look = look
        self._answered = answered
        self._batching: Batching | None = None
        self._is_draining = False
        self.configure(spec, None)

    def configure(self, spec: SubscriptionSpec, before: SubscriptionSpec | None) -> None:
        """Take over what changed; all, where nothing was before."""
        options, limits = spec.options, self._limits
        self._flow.weight = options.weight
        known = before.options if before is not None else None
        asked = (options.batch_size, options.batch_wait_seconds)
        if known is None or (known.batch_size, known.batch_wait_seconds) != asked:
            self._unbatch()
            if options.batch_size > 1:
                self._batching = Batching(
                    options.batch_size,
                    wait_seconds=options.batch_wait_seconds,
                    max_bytes=limits.batch_bytes,
                    look=self._look,
                )
        told = (options.breaker, spec.target)
        if before is None or (before.options.breaker, before.target) != told:
            self._unguard()
            if options.breaker:
                name = f"{spec.namespace}/{spec.name}"
                self.guard = Guard(
                    limits.breaker, name=name, counters=self._counters, look=self._look
                )
        self._consider()

    def _consider(self) -> None:
        is_open = self.guard is not None and not self.guard.is_closed
        batches = self._batching is not None
        self.is_needed = self._is_draining or is_open or batches or self._takes_turns

    def behind(self, is_behind: bool) -> None:
        """Note whether there is work without end; turns are taken till none of it is queued."""
        self._is_behind = is_behind
        self._takes_turns = is_behind or bool(self._queue)
        self._consider()

    def judge(self, status: int, answer: Answer) -> None:
        """Note how an attempt at the subscriber ended."""
        guard = self.guard
        if guard is None:
            return
        guard.ended(status, answer)
        if guard.is_closed:
            self._queue.extendleft(reversed(guard.release()))
        self._consider()

    def crowded(self) -> None:
        """Take turns till nothing is queued."""
        if not self._takes_turns:
            self._takes_turns = True
            self._consider()

    def pump(self) -> None:
        """Attempt what may be attempted, now or when it is its turn."""
        if self._takes_turns:
            self._flow.ask()
        else:
            self._go(inf)

    def _deliver(self, most: float) -> float:
        """Take a turn."""
        cost = self._go(most)
        if self._takes_turns and not self._is_behind and not self._queue:
            self._takes_turns = False
            self._consider()
        return cost

    def _go(self, most: float) -> float:
        """Attempt what goes elsewhere, batches that are full or due, and what probes a breaker.

        Only as long as all that costs less than ``most``; what it cost is returned.
        """
        attempts, guard, batching, queue = self._attempts, self.guard, self._batching, self._queue
        cost = 0.0
        if self._is_draining:
            return cost
        while queue and cost < most and attempts.under_way < attempts.slots.limit:
            item = queue.popleft()
            if item.hop is Hop.SUBSCRIBER and guard is not None and not guard.is_closed:
                guard.block(item)
            elif item.hop is Hop.SUBSCRIBER and batching is not None and not item.is_alone:
                batching.add(item)
            else:
                cost += EVENT_COST + item.event.size
                attempts.one(item)
        if guard is not None and not guard.is_closed:
            if attempts.under_way < attempts.slots.limit and (probe := guard.probe()) is not None:
                attempts.one(probe)
        elif batching is not None:
            while (
                cost < most
                and attempts.under_way < attempts.slots.limit
                and (batch := batching.take())
            ):
                cost += sum(EVENT_COST + item.event.size for item in batch)
                attempts.together(batch)
        return cost

    def answered_together(self, items: Sequence[Delivery], answer: Answer) -> None:
        """One answer for all; which of them is refused for good is found out one by one."""
        status = answer.status
        if rules.is_success(status):
            status, _ = replies_of(answer)
        first, *others = items
        is_refused = not rules.is_success(status) and not rules.is_retried(status)
        if others and is_refused and not self._after.closed:
            self._attempts.under_way -= 1
            self._counters.dispatched(status, monotonic() - first.started)
            self.judge(status, answer)
            for item in items:
                item.is_alone, item.attempts = True, item.attempts - 1
            self._queue.extendleft(reversed(items))
            self._look()
            return
        bare = Answer(ResponseHead.of(status), error=answer.error) if status else answer
        for item in others if not self._after.closed else ():
            if rules.is_success(status):
                self._after.succeeded(item, bare)
            else:
                self._after.failed(item, status, answer)
        self._answered(first, answer)

    def drain(self) -> None:
        """Attempt nothing more."""
        self._is_draining = self.is_needed = True

    def close(self) -> None:
        """Give up what waits."""
        self.drain()
        self._flow.close()
        self._unguard()
        self._unbatch()

    def _unbatch(self) -> None:
        if self._batching is not None:
            self._queue.extendleft(reversed(self._batching.clear()))
            self._batching = None

    def _unguard(self) -> None:
        if self.guard is not None:
            self._queue.extendleft(reversed(self.guard.release()))
            self.guard.close()
            self.guard = None
