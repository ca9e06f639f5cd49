"""From the decided number of pods to the one to apply: bounds, initial scale, scale to zero.

Pure. The PodAutoscaler's reconciler calls ``settle`` and ``active_condition``; both are written as
tables so that they can be compared with Knative's (``pkg/reconciler/autoscaling/kpa``).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from serving.api.schedule import UNSCHEDULED, Scheduled
from serving.routing.surge import GONE, Limits

UNKNOWN = -1
"""No number of pods is known yet."""

ACTIVATION_BUFFER_SECONDS = 30.0
"""Added to the progress deadline before an activation is given up, so that the Deployment's own
deadline is seen first and the revision can say why its pods failed."""

INITIAL_HOLD_SECONDS = 6.0
"""How long the initial scale stays once it was reached: traffic only comes after that, and what it
asks for is seen no sooner. Knative gets there by waiting for its first metrics."""

FIRST_RETRY_SECONDS, LAST_RETRY_SECONDS = 60.0, 3600.0
"""When what never came up is tried again: after as long as it has existed, within these bounds.
What was in its way may be gone, and no request comes for a revision that no route leads to yet."""

NO_TRAFFIC = ("NoTraffic", "The target is not receiving traffic.")
QUEUED = ("Queued", "Requests to the target are being buffered as resources are provisioned.")
TIMED_OUT = ("TimedOut", "The target could not be activated.")


class Active(Enum):
    """The status of the PodAutoscaler's condition of this name."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True)
class Bounds:
    """Limits of one revision, in pods; a ``max_scale`` of 0 means none."""

    min_scale: int = 0
    max_scale: int = 0
    initial: int = 1
    reachable: bool = True
    scale_to_zero: bool = True
    stable_window: float = 60.0
    retention: float = 0.0
    """How long the last pod stays after traffic ended."""
    progress_deadline: float = 600.0
    scheduled: Scheduled = UNSCHEDULED
    """What a schedule had to do with them, and when that changes."""
    is_surging: bool = False
    """Whether a rollout that is bounded in pods has to do with them."""


@dataclass(frozen=True, slots=True)
class Phase:
    """Where the PodAutoscaler stands."""

    active: Active
    since: float
    """When it came there (the condition's last transition)."""
    initialized_at: float | None
    """When the initial scale was reached; None before."""
    gave_up_at_age: float | None = None
    """Seconds of its life after which an activation was given up; None where none was last."""
    is_retried: bool = False
    """Whether somebody asks that it be tried again."""


@dataclass(frozen=True, slots=True)
class Scale:
    """The scale to go to, and when to look again."""

    desired: int
    """What the status calls desired; UNKNOWN (-1) before anything is known."""
    apply: bool
    """Whether to set the target's replicas to ``desired``."""
    look_again_after: float | None = None


def limited(bounds: Bounds, limits: Limits | None) -> Bounds:
    """Return bounds within the limits of a rollout that is bounded in pods."""
    if limits is None or limits == GONE:
        return bounds
    most = min(bounds.max_scale or limits.most, limits.most)
    return replace(
        bounds,
        min_scale=min(max(bounds.min_scale, limits.least), most),
        max_scale=most,
        initial=min(bounds.initial, most),
        is_surging=True,
    )


def settle(desired: int, phase: Phase, *, bounds: Bounds, now: float) -> Scale:
    """Return the scale to apply for the decided one (-1: undecided)."""
    scale, changes_at = _settle(desired, phase, bounds=bounds, now=now), bounds.scheduled.changes_at
    if changes_at is None:
        return scale
    after = max(0.0, changes_at - now)
    if scale.look_again_after is not None:
        after = min(after, scale.look_again_after)
    return replace(scale, look_again_after=after)


def _settle(desired: int, phase: Phase, *, bounds: Bounds, now: float) -> Scale:
    if phase.gave_up_at_age is not None and desired <= 0:
        left = _retry_after(phase, phase.gave_up_at_age, bounds=bounds, now=now)
        if left is not None and left <= 0:
            most = bounds.max_scale or bounds.initial
            return Scale(max(1, bounds.min_scale, min(bounds.initial, most)), apply=True)
        return Scale(desired, apply=False, look_again_after=left)
    # A floor that comes while it sleeps wakes it; where there are pods, what they do tells more.
    is_woken = phase.active is Active.FALSE and bounds.min_scale > 0
    if desired < 0 and phase.active is not Active.UNKNOWN and not is_woken:
        return Scale(desired, apply=False)
    min_scale, held_for = bounds.min_scale, _initial_hold(phase, bounds=bounds, now=now)
    if held_for is not None:
        min_scale = max(bounds.initial, min_scale)
    bounded = _bounded(desired, min_scale, bounds.max_scale)
    if bounded > 0:
        return Scale(bounded, apply=True, look_again_after=held_for or None)
    if not bounds.scale_to_zero:
        return Scale(1, apply=True)
    return _to_zero(phase, bounds=bounds, now=now)


def _retry_after(phase: Phase, age: float, *, bounds: Bounds, now: float) -> float | None:
    """Return the seconds after which what was given up is tried again; None: a request decides."""
    if phase.is_retried:
        return 0.0
    if phase.initialized_at is not None or not bounds.reachable:
        return None
    return phase.since + min(max(age, FIRST_RETRY_SECONDS), LAST_RETRY_SECONDS) - now


def _initial_hold(phase: Phase, *, bounds: Bounds, now: float) -> float | None:
    """Return how long the initial scale still counts: 0.0 until reached, None when over."""
    if bounds.initial <= 1 or not bounds.reachable:
        return None
    if phase.initialized_at is None:
        return 0.0
    left = phase.initialized_at + INITIAL_HOLD_SECONDS - now
    return left if left > 0 else None


def _bounded(desired: int, min_scale: int, max_scale: int) -> int:
    if desired < min_scale:
        return min_scale
    return min(desired, max_scale) if max_scale else desired


def _to_zero(phase: Phase, *, bounds: Bounds, now: float) -> Scale:
    """Let the last pod go when it has been idle for long enough, or never came up.

    Knative waits here until the activator is in the request path, at most for the grace period.
    Ours always is, so only the stable window and the retention period count.
    """
    spent = now - phase.since
    if phase.active is Active.UNKNOWN:
        timeout = bounds.progress_deadline + ACTIVATION_BUFFER_SECONDS
        if spent >= timeout:
            return Scale(0, apply=True)
        return Scale(UNKNOWN, apply=False, look_again_after=timeout - spent)
    if phase.active is Active.TRUE:
        if spent < bounds.stable_window:
            return Scale(1, apply=True, look_again_after=bounds.stable_window - spent)
        return Scale(0, apply=bounds.retention <= 0)
    if spent < bounds.retention:
        return Scale(0, apply=False, look_again_after=bounds.retention - spent)
    return Scale(0, apply=True)


def active_threshold(bounds: Bounds, *, initialized: bool) -> int:
    """Ready pods needed to call the revision active."""
    return max(bounds.min_scale, 1 if initialized else bounds.initial)


def active_condition(
    desired: int, ready: int, *, min_ready: int, was: Active
) -> tuple[Active, str, str] | None:
    """Return the condition that follows, with reason and message; None leaves it as it is.

    ::

        | desired | ready  | min | was        | becomes    |
        | 0       | any    | > 0 | activating | inactive   |  (TimedOut)
        | 0       | any    | any | any        | inactive   |
        | any     | any    | 0   | any        | inactive   |
        | > 0     | < min  | > 0 | any        | activating |
        | > 0     | >= min | > 0 | any        | active     |
        | -1      | < min  | > 0 | inactive   | unchanged  |
        | -1      | < min  | > 0 | activating | activating |
        | -1      | < min  | > 0 | active     | activating |
        | -1      | >= min | > 0 | inactive   | unchanged  |
        | -1      | >= min | > 0 | activating | active     |
        | -1      | >= min | > 0 | active     | active     |
    """
    if desired == 0 or min_ready == 0:
        failed = was is Active.UNKNOWN and min_ready > 0
        return (Active.FALSE, *(TIMED_OUT if failed else NO_TRAFFIC))
    if desired < 0 and was is Active.FALSE:
        return None  # why it went to sleep is still true, "TimedOut" included
    return (Active.UNKNOWN, *QUEUED) if ready < min_ready else (Active.TRUE, "", "")
