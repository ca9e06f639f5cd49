"""Events of a timer, as those of Knative's connector.

A tick that comes while the one before is still being sent is left out: a slow sink is not sent more
than it takes.
"""

from __future__ import annotations

import asyncio
import logging
import math
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Any

from eventing.api.integrationevents import TIMER
from eventing.codec import Event
from eventing.sources.delivery import Delivery
from eventing.sources.integration.events import event_of
from hearth.kube.clock import wall_clock
from hearth.kube.timers import pause

log = logging.getLogger(__name__)

_LEAST_PERIOD = 0.001


@dataclass(frozen=True, slots=True)
class Timer:
    """What to send, and how often."""

    message: str
    period_seconds: float = 1.0
    content_type: str = "text/plain"
    repeats: int = 0
    """How many events in all; 0 is without end."""

    @classmethod
    def of(cls, given: Mapping[str, Any] | None) -> Timer:
        """Read ``spec.timer`` that the API server completed; raise ValueError."""
        try:
            if given is None:
                raise TypeError
            return cls(
                str(given.get("message", "")),
                max(float(given.get("period", 1000)) / 1000, _LEAST_PERIOD),
                str(given.get("contentType") or "text/plain"),
                int(given.get("repeatCount") or 0),
            )
        except (TypeError, AttributeError) as error:
            raise ValueError(f"no timer: {given!r}") from error

    def next_tick(self, begun: float, now: float) -> float:
        """Return when to send next: at the first whole number of periods that is not over.

        Seconds on one clock, whichever.
        """
        passed = max(now - begun, 0.0)
        return begun + (math.floor(passed / self.period_seconds) + 1) * self.period_seconds

    def event(self, event_id: str, now: float, overrides: Mapping[str, str]) -> Event:
        """Return the event of a tick."""
        data = self.message.encode()
        return event_of(TIMER, event_id, now, self.content_type, data, overrides=overrides)


async def send_ticks(timer: Timer, delivery: Delivery, ready: Callable[[], None]) -> None:
    """Send the events of a timer, until cancelled."""
    ready()
    begun, sent = monotonic(), 0
    while not timer.repeats or sent < timer.repeats:
        now = monotonic()
        # A tick that came early would come twice.
        await pause(timer.next_tick(begun, now) - now)
        told = await delivery.send(timer.event(str(uuid.uuid4()), wall_clock(), delivery.overrides))
        sent += 1
        if not told.accepted:
            log.warning("an event was not taken", extra={"sink": delivery.sink, "error": str(told)})
    # A process that ends would be started anew, and begin to count anew.
    await asyncio.Event().wait()
