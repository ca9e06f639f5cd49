"""Which events may not simply go: those that come after others of their key, and early ones."""

from __future__ import annotations

from collections.abc import Callable

from eventing.runtime.delivery import Delivery
from eventing.runtime.deliverytime import wait_of
from eventing.runtime.lanes import Lanes
from eventing.runtime.spec import SubscriptionSpec
from hearth.kube.clock import Clock


class Turns:
    """Gives to ``later`` what has time, with the seconds that it has; it is tried then."""

    def __init__(self, *, clock: Clock, later: Callable[[Delivery, float], None]) -> None:
        self.is_needed = False
        """Whether events have an order, a delay, or a time of their own."""
        self._clock = clock
        self._later = later
        self._lanes: Lanes[Delivery] | None = None
        self._key: str | None = None
        self._delay_seconds = 0.0
        self._time_attribute = ""

    def configure(self, spec: SubscriptionSpec) -> list[Delivery]:
        """Go by a spec; return what need not wait for others any more."""
        options, freed = spec.options, []
        if self._key != options.lane_key:
            freed = self._lanes.clear() if self._lanes is not None else []
            self._key = options.lane_key
            self._lanes = Lanes() if self._key is not None else None
        self._delay_seconds = options.delay_seconds
        self._time_attribute = options.time_attribute
        waits = options.delay_seconds > 0 or self._time_attribute != ""
        self.is_needed = self._lanes is not None or waits
        return freed

    def may_go(self, item: Delivery) -> bool:
        """Whether an event may go now; if not, it will when its turn and its time have come."""
        return self.enters(item) and not self._is_early(item)

    def enters(self, item: Delivery) -> bool:
        """Whether no other event of its key is before it."""
        if self._lanes is None or self._key is None:
            return True
        item.lane = item.event.attributes.get(self._key)
        return item.lane is None or self._lanes.enter(item.lane, item)

    def after(self, item: Delivery) -> Delivery | None:
        """Return what may go now that an event of its key is done with, or held."""
        if self._lanes is None or item.lane is None:
            return None
        following = self._lanes.leave(item.lane)
        return None if following is None or self._is_early(following) else following

    def _is_early(self, item: Delivery) -> bool:
        """Whether an event that was not tried yet is to wait; it is tried then."""
        if item.attempts:
            return False
        event, delay, now, wait = item.event, self._delay_seconds, self._clock(), 0.0
        if delay:
            wait = min(event.arrival_ns / 1e9 + delay - now, delay)
        if self._time_attribute:
            wait = max(wait, wait_of(event.attributes.get(self._time_attribute), now=now))
        if wait > 0:
            self._later(item, wait)
        return wait > 0
