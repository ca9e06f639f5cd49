"""From what metrics recommend to what is done: stabilization, rates and bounds. Pure.

Rules and words are those of Kubernetes' ``horizontal.go``. Times are Unix seconds.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

DOWNSCALE_SECONDS = 300.0
"""How long a higher recommendation keeps replicas, where the object does not say."""
_LIMIT_FACTOR, _LIMIT_MINIMUM = 2, 4
_LONGEST_PERIOD = 1800.0
Rules = Mapping[str, Any]
Verdict = tuple[bool, str, str]
"""Whether a condition holds, its reason and its message."""


@dataclass(frozen=True, slots=True)
class Memory:
    """What was recommended and done before."""

    recommended: Mapping[int, float] = field(default_factory=dict)
    """Numbers of replicas by when each was recommended last: that is all windows ask about."""
    changes: tuple[tuple[int, float], ...] = ()
    """By how much replicas were changed, and when; of objects with a behavior alone."""

    def remembers(self, recommendation: int, now: float, longest: float) -> Memory:
        """With one more recommendation, and without those that no window reaches back to."""
        kept = {count: at for count, at in self.recommended.items() if at >= now - longest}
        return replace(self, recommended=kept | {recommendation: now})

    def changed(self, by: int, now: float) -> Memory:
        """After replicas were changed."""
        kept = tuple(each for each in self.changes if each[1] > now - _LONGEST_PERIOD)
        return replace(self, changes=(*kept, (by, now)))


@dataclass(frozen=True, slots=True)
class Bounds:
    """The fewest and the most replicas."""

    least: int
    most: int


@dataclass(frozen=True, slots=True)
class Normalized:
    """What is done, and the verdicts of the conditions AbleToScale and ScalingLimited."""

    replicas: int
    stabilized: Verdict
    limited: Verdict
    memory: Memory


_READY = (True, "ReadyForNewScale", "recommended size matches current size")
_UP_STABILIZED = (
    True,
    "ScaleUpStabilized",
    "recent recommendations were lower than current one, applying the lowest recent recommendation",
)
_DOWN_STABILIZED = (
    True,
    "ScaleDownStabilized",
    "recent recommendations were higher than current one, "
    "applying the highest recent recommendation",
)
_WITHIN = ("DesiredWithinRange", "the desired count is within the acceptable range")
_TOO_FAST = (
    "ScaleUpLimit",
    "the desired replica count is increasing faster than the maximum scale rate",
)
_TOO_MANY = ("TooManyReplicas", "the desired replica count is more than the maximum replica count")
_FALLS_TOO_FAST = (
    "ScaleDownLimit",
    "the desired replica count is decreasing faster than the maximum scale rate",
)
_TOO_FEW = ("TooFewReplicas", "the desired replica count is less than the minimum replica count")


def normalize(
    behavior: Rules | None,
    memory: Memory,
    bounds: Bounds,
    *,
    current: int,
    desired: int,
    now: float,
) -> Normalized:
    """What is done about a recommendation."""
    if behavior is None:
        stable = max([desired, *_since(memory.recommended, now - DOWNSCALE_SECONDS)])
        verdict = _DOWN_STABILIZED if stable != desired else _READY
        replicas, why = _by_default(current, stable, bounds)
        longest = DOWNSCALE_SECONDS
    else:
        windows = _windows(behavior)
        stable = _stabilized(memory, windows, current=current, desired=desired, now=now)
        held = _UP_STABILIZED if desired >= current else _DOWN_STABILIZED
        verdict = held if stable != desired else _READY
        replicas, why = _by_rate(behavior, memory, bounds, current=current, wanted=stable, now=now)
        longest = max(windows)
    limited = (replicas != stable, *why)
    return Normalized(replicas, verdict, limited, memory.remembers(desired, now, longest))


def _since(recommended: Mapping[int, float], cutoff: float) -> Iterable[int]:
    return (count for count, at in recommended.items() if at >= cutoff)


def _windows(behavior: Rules) -> tuple[float, float]:
    """Stabilization windows, in seconds: of growing and of shrinking."""
    up, down = (
        (behavior.get(way) or {}).get("stabilizationWindowSeconds")
        for way in ("scaleUp", "scaleDown")
    )
    return float(up or 0), DOWNSCALE_SECONDS if down is None else float(down)


def _stabilized(
    memory: Memory, windows: tuple[float, float], *, current: int, desired: int, now: float
) -> int:
    lowest, highest = (
        [desired, *(count for count, at in memory.recommended.items() if at > now - window)]
        for window in windows
    )
    return min(max(current, min(lowest)), max(highest))


def _by_default(current: int, desired: int, bounds: Bounds) -> tuple[int, tuple[str, str]]:
    """Without a behavior replicas double at most, from four on."""
    limit = max(_LIMIT_FACTOR * current, _LIMIT_MINIMUM)
    most, why = (limit, _TOO_FAST) if bounds.most > limit else (bounds.most, _TOO_MANY)
    if desired < bounds.least:
        return bounds.least, _TOO_FEW
    return (most, why) if desired > most else (desired, _WITHIN)


def _by_rate(
    behavior: Rules, memory: Memory, bounds: Bounds, *, current: int, wanted: int, now: float
) -> tuple[int, tuple[str, str]]:
    if wanted > current:
        limit = max(current, _grown(behavior["scaleUp"], memory, current, now))
        most, why = (limit, _TOO_FAST) if bounds.most > limit else (bounds.most, _TOO_MANY)
        return (most, why) if wanted > most else (wanted, _WITHIN)
    if wanted < current:
        limit = min(current, _shrunk(behavior["scaleDown"], memory, current, now))
        least, why = (limit, _FALLS_TOO_FAST) if bounds.least < limit else (bounds.least, _TOO_FEW)
        return (least, why) if wanted < least else (wanted, _WITHIN)
    return wanted, _WITHIN


def _at_start(memory: Memory, current: int, policy: Rules, now: float) -> int:
    """Replicas as they were when the period of a policy began."""
    cutoff = now - int(policy["periodSeconds"])
    return current - sum(by for by, at in memory.changes if at > cutoff)


def _grown(rules: Rules, memory: Memory, current: int, now: float) -> int:
    """The most replicas that the policies allow; a share is rounded up, or none would grow."""
    select = rules.get("selectPolicy", "Max")
    if select == "Disabled":
        return current
    allowed = [
        start + policy["value"]
        if policy["type"] == "Pods"
        else math.ceil(start * (1 + policy["value"] / 100))
        for policy in rules["policies"]
        for start in [_at_start(memory, current, policy, now)]
    ]
    return int(min(allowed) if select == "Min" else max(allowed))


def _shrunk(rules: Rules, memory: Memory, current: int, now: float) -> int:
    """The fewest replicas that the policies allow."""
    select = rules.get("selectPolicy", "Max")
    if select == "Disabled":
        return current
    allowed = [
        start - policy["value"]
        if policy["type"] == "Pods"
        else int(start * (1 - policy["value"] / 100))
        for policy in rules["policies"]
        for start in [_at_start(memory, current, policy, now)]
    ]
    return int(max(allowed) if select == "Min" else min(allowed))
