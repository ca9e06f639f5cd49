"""What a subscription tells of its attempts: to who observes them, and to the process's log."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from time import monotonic

from eventing.engines.event import RenderedEvent
from eventing.runtime.client import Answer
from eventing.runtime.delivery import Delivery
from eventing.runtime.observer import Attempt, DeliveryObserver, Follows
from eventing.runtime.spec import SubscriptionSpec, target_of
from eventing.runtime.target import Target
from eventing.runtime.tracing.deliveries import DeliveryTracing

log = logging.getLogger(__name__)


class Telling:
    """Of the subscription of ``spec``, which may change; ``observer`` may be nobody."""

    __slots__ = ("_pause_seconds", "_warned_at", "observer", "spec", "tracing")

    def __init__(
        self,
        spec: SubscriptionSpec,
        observer: DeliveryObserver | None,
        tracing: DeliveryTracing,
        *,
        pause_seconds: float,
    ) -> None:
        self.spec = spec
        self.observer = observer
        self.tracing = tracing
        self._pause_seconds = pause_seconds
        """Between two warnings."""
        self._warned_at = float("-inf")

    def attempt(
        self,
        item: Delivery,
        status: int,
        answer: Answer,
        follows: Follows,
        retry_at: float = 0.0,
    ) -> None:
        """Tell how an attempt ended and what follows it, and when (seconds since 1970)."""
        if item.span:
            self.tracing.attempted(item, self.url_of(item), status, answer.error, follows)
        if self.observer is None:
            return
        attempt = Attempt(
            self.spec,
            item.event,
            item.hop,
            item.attempts,
            self.url_of(item),
            status,
            answer.error,
            monotonic() - item.started,
            follows,
            retry_at,
        )
        self.observer.attempted(attempt)

    def replies(self, item: Delivery, replies: Sequence[RenderedEvent], answer: Answer) -> None:
        """Tell that a subscriber has answered with events, and where these go."""
        if self.observer is not None:
            url = self.spec.reply.url if isinstance(self.spec.reply, Target) else ""
            for reply in replies:
                self.observer.replied(self.spec, item.event, reply, url)
        self.attempt(item, answer.status, answer, Follows.REPLY)

    def url_of(self, item: Delivery) -> str:
        """Return where an event is sent to; empty where there is no address."""
        target = target_of(self.spec, item.hop)
        return target.url if target is not None else ""

    def warn(self, text: str, item: Delivery, status: int, answer: Answer, **facts: object) -> None:
        """Warn, but not of each event."""
        now = monotonic()
        if now - self._warned_at < self._pause_seconds:
            return
        self._warned_at = now
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
