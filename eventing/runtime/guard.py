"""The circuit breaker of one subscription: what waits for it, and when it is looked at again."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from time import monotonic

from eventing.runtime.breaker import Breaker, BreakerLimits, State, verdict
from eventing.runtime.client import Answer
from eventing.runtime.delivery import Delivery
from eventing.runtime.metrics import EndpointCounters
from hearth.kube.timers import Timer

log = logging.getLogger(__name__)


class Guard:
    """``look`` is called when an attempt may be made again."""

    def __init__(
        self,
        limits: BreakerLimits,
        *,
        name: str,
        counters: EndpointCounters,
        look: Callable[[], None],
    ) -> None:
        self.is_closed = True
        """Whether attempts are made as if there were no breaker."""
        self._breaker = Breaker(limits)
        self._name = name
        self._counters = counters
        self._look = look
        self._blocked: deque[Delivery] = deque()
        self._timer: Timer | None = None

    def ended(self, status: int, answer: Answer) -> None:
        """Note how an attempt at the subscriber ended."""
        breaker, now = self._breaker, monotonic()
        fields = dict(answer.fields) if status >= 500 else {}
        what = verdict(
            status,
            timed_out=answer.is_late,
            asks_to_wait=b"retry-after" in fields,
            gateway_error=fields.get(b"x-hearth-error", b""),
        )
        breaker.ended(what, now=now)
        self._tell(status, answer)
        self._wind(now)

    def _wind(self, now: float) -> None:
        """See to it that somebody looks when its time is over."""
        breaker = self._breaker
        if breaker.state is State.OPEN and self._timer is None:
            self._timer = Timer(breaker.until - now, self._due)

    def _tell(self, status: int, answer: Answer) -> None:
        is_closed = self._breaker.state is State.CLOSED
        if is_closed is self.is_closed:
            return
        self.is_closed = is_closed
        self._counters.breaker_open = int(not is_closed)
        facts = {"subscription": self._name, "status": status, "error": answer.error}
        if is_closed:
            log.info("the subscriber answers again: the circuit breaker is closed", extra=facts)
        else:
            log.warning("the subscriber fails: its circuit breaker is open", extra=facts)

    def _due(self) -> None:
        self._timer = None
        self._look()

    def block(self, item: Delivery) -> None:
        """Have a delivery wait; what was tried before goes first, so that one burns its retries."""
        if item.attempts:
            self._blocked.appendleft(item)
        else:
            self._blocked.append(item)

    def probe(self) -> Delivery | None:
        """Return the one delivery that may be attempted to see whether the subscriber lives."""
        if not self._blocked:
            return None
        now = monotonic()
        if self._breaker.admits(now):
            return self._blocked.popleft()
        self._wind(now)
        return None

    def release(self) -> list[Delivery]:
        """Return all that waited, in order."""
        waited = list(self._blocked)
        self._blocked.clear()
        return waited

    def close(self) -> None:
        """Stop looking."""
        self._counters.breaker_open = 0
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
