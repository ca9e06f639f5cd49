"""Until when ticks change nothing, while no request is there and none comes. Pure.

Then averages only fall. With what a decision is made of (``decide``), that proves for how long each
tick would decide what the last one did:

- over the panic threshold, with a delay of scaling down, with more than one pod wanted: not at all
- in panic mode the number is held, until one stable window after the threshold was last exceeded
- with one pod wanted, until the last second with requests leaves the stable window; its share of
  the average alone must not be rounded to nothing before
- the same goes on while requests come that keep every second of the windows at or below the target:
  then so are all averages (``extends``)
- with none wanted, for ever; but the pod that stays since no whole window was seen goes when it was
- without pods, until the window has nothing of any report
"""

from __future__ import annotations

import math

from serving.autoscaler.decide import Observation, ask
from serving.autoscaler.multiscaler import Decider
from serving.autoscaler.windows import bucket_count

_SMALLEST = 1e-6
"""Averages are rounded to as many digits."""


def rests_until(
    decider: Decider, *, ready: int, last_busy: int, last_value: float, now: float
) -> float:
    """Return a time before which ticks change nothing; ``now`` where nothing can be said.

    ``last_busy`` is the last second whose bucket has something, ``last_value`` what it has.
    """
    spec, state, collector = decider.spec, decider.state, decider.collector
    if collector is None or spec.scale_down_delay > 0:
        return now
    stable, panic = collector.averages(now)
    asked = ask(spec, Observation(ready, stable, panic))
    if asked.over_panic_threshold:
        return now
    if state.panic_since is not None:
        held = max(asked.stable, asked.panic) <= state.max_panic_pods
        return state.panic_since + spec.stable_window if held and ready else now
    if not ready:
        return now if stable or panic else max(now, collector.empty_at)
    wanted = decider.decision.desired
    if asked.for_stable == 0:
        return _idle_until(decider, asked.stable, now)
    if asked.for_stable == 1 and asked.stable == wanted:
        size = bucket_count(spec.stable_window)
        if spec.weighted or last_value / size >= _SMALLEST:
            return float(last_busy + size)
    return now


def _idle_until(decider: Decider, asked: int, now: float) -> float:
    """Nothing comes. Where a pod stays until a window was seen, that is when it was."""
    collector, window = decider.collector, decider.spec.stable_window
    assert collector is not None
    observed = collector.observed_seconds(now)
    is_seen = asked > 0 or observed + 1 >= window
    if decider.decision.desired != (asked if is_seen else 1):
        return now
    return math.inf if is_seen else now - observed + window - 1


def extends(decider: Decider, *, ready: int, last_high: int, value: float, now: float) -> bool:
    """Whether a second with requests leaves it at one pod, for as long as it is in the window.

    ``value`` is what the second has, ``last_high`` the last one that had more than the target.
    """
    spec, size = decider.spec, bucket_count(decider.spec.stable_window)
    return (
        ready == 1
        and decider.decision.desired == 1
        and decider.state.panic_since is None
        and spec.scale_down_delay <= 0
        and spec.activation_scale <= 1
        and spec.panic_threshold > 1
        and not spec.weighted
        and value <= spec.target
        and value / size >= _SMALLEST
        and last_high + size <= now
    )
