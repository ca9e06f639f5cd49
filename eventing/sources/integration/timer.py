"""Events of a timer, as those of Knative's connector. Pure.

A tick that comes while the one before is still being sent is left out: a slow sink is not sent more
than it takes.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any

from eventing.api.timerevents import SOURCE, SUBJECT, TYPE
from eventing.codec import Event
from hearth.kube.clock import rfc3339

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
    def from_json(cls, text: str) -> Timer:
        """Read ``{"timer": ...}``, a spec that the API server completed; raise ValueError."""
        try:
            given: dict[str, Any] = json.loads(text)["timer"]
            return cls(
                str(given.get("message", "")),
                max(float(given.get("period", 1000)) / 1000, _LEAST_PERIOD),
                str(given.get("contentType") or "text/plain"),
                int(given.get("repeatCount") or 0),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"no timer in {text!r}") from error

    def next_tick(self, begun: float, now: float) -> float:
        """Return when to send next: at the first whole number of periods that is not over.

        Seconds on one clock, whichever.
        """
        passed = max(now - begun, 0.0)
        return begun + (math.floor(passed / self.period_seconds) + 1) * self.period_seconds

    def event(self, event_id: str, now: float, overrides: dict[str, str]) -> Event:
        """Return the event of a tick."""
        attributes: dict[str, str | int | bool] = {
            "specversion": "1.0",
            "id": event_id,
            "type": TYPE,
            "source": SOURCE,
            "subject": SUBJECT,
            "time": rfc3339(now),
            "datacontenttype": self.content_type,
        }
        return Event({**attributes, **overrides}, self.message.encode())
