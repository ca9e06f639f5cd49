"""A request that comes to a service at zero, and no other before all is forgotten again. Pure.

That is what most services of a fleet do most of the time, and always the same: a pod is asked for
at once, the request runs, the pod goes when the window is empty, later the autoscaler forgets.
Decisions are made at whole seconds, on averages of which it only counts whether they are above zero
and at most at the target. So what happens depends on the seconds in which the request came, began
and ended, and on whether the first is even. It is simulated once for each of these, then shifted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hearth.simulation.target import Target
from serving.autoscaler.windows import bucket_count

_SMALLEST_SHARE = 1e-5
"""Of a window: what the last second must at least have, lest its average is rounded to nothing."""


@dataclass(frozen=True, slots=True)
class Cycle:
    """When the pod goes, and all is forgotten: seconds since the one in which the request came."""

    goes: int | None
    """None: a stable window after it was ready, between two ticks."""
    forgotten: int
    decided: int


Simulate = Callable[[float, float, float], Cycle]
"""Simulates one: when the request comes, how long the pod starts, how long it runs."""


class Solos:
    """The cycles of one service."""

    def __init__(self, target: Target, simulate: Simulate) -> None:
        spec, bounds = target.spec, target.bounds
        self._size = bucket_count(spec.stable_window)
        self._simulate = simulate
        self._known: dict[tuple[int, int, int], Cycle] = {}
        self.are_alike = (
            spec.target >= 1
            and spec.panic_threshold > 1
            and spec.scale_down_delay <= 0
            and spec.activation_scale <= 1
            and not spec.weighted
            and bounds.min_scale == 0
            and bounds.scale_to_zero
            and bounds.retention <= 0
        )

    def cycle(self, at: float, start: float, service: float, *, until: float) -> Cycle | None:
        """Return what becomes of a request, if all is over by then; None where that is not known.

        ``until`` is when the next request comes, or the end.
        """
        second, ready, end = int(at), at + start, at + start + service
        share = end - int(end)
        is_whole = at == second or ready == int(ready) or share / self._size < _SMALLEST_SHARE
        if is_whole or until < second + self._size or start >= self._size:
            return None
        key = second % 2, int(ready) - second, int(end) - second
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = self._simulate(second % 2 + at - second, start, service)
        return known if second + known.forgotten <= until else None
