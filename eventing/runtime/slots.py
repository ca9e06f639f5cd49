"""How many deliveries of one Trigger may be under way at once. Pure.

Additive increase, multiplicative decrease: the number grows while the target keeps up with what is
sent, and halves when it says that it cannot (no answer, 429, 503). It follows what a Service can
take as it scales, without knowing how it scales; a Service at zero is simply sent to, the gateway
holds the request until a pod is there. A gateway where requests wait says how many at once the
pods take: then that is the number, and growing from there finds out about further pods.
"""

from __future__ import annotations

from eventing.runtime.config import SlotLimits


class Slots:
    """The current limit; ``limit`` is read by the dispatcher before each attempt."""

    __slots__ = ("_credit", "_decreased_at", "_limits", "limit")

    def __init__(self, limits: SlotLimits) -> None:
        self.limit = limits.initial
        self._limits = limits
        self._credit = 0
        self._decreased_at = float("-inf")

    def succeeded(self, *, busy: int) -> None:
        """Note a success while ``busy`` were under way; only full use makes room grow."""
        if busy < self.limit or self.limit >= self._limits.max:
            return
        self._credit += 1
        if self._credit >= self.limit // 4:
            self._credit = 0
            self.limit += 1

    def told(self, capacity: int) -> None:
        """Note how many the target takes at once, told because more than that are under way.

        Only after as many successes as that it grows again.
        """
        self._credit = -capacity
        self.limit = min(self.limit, max(self._limits.min, capacity))

    def overloaded(self, *, now: float, started: float) -> None:
        """Note that the target could not take an attempt that was started then.

        Attempts that were already under way at the last decrease say nothing new.
        """
        if started < self._decreased_at:
            return
        self._decreased_at = now
        self._credit = 0
        self.limit = max(self._limits.min, self.limit // 2)
