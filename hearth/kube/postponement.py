"""Statuses that can wait are written a moment later, once: what others wait for goes first. Pure.

Between a change of scale and a running pod every write counts: a waiting request pays for those in
front of it. A status that will change again in a moment is left out of the plan, which asks to be
made again soon; when that time has come it is written, whatever it says by then.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from hearth.kube.meta import Key, Object
from hearth.kube.plan import Plan, UpdateStatus

DELAY_SECONDS = 0.05
"""Some steps of pods that are processes of this machine."""


class Postponement:
    """What is postponed, by key. ``can_wait`` gets an object as stored and as it is to be."""

    def __init__(
        self, can_wait: Callable[[Object, Object], bool], delay_seconds: float = DELAY_SECONDS
    ) -> None:
        self._can_wait = can_wait
        self._delay_seconds = delay_seconds
        self._due: dict[Key, float] = {}

    def split(self, key: Key, stored: Object | None, plan: Plan, *, now: float) -> Plan:
        """Return the part of the plan to carry out now."""
        due = self._due.pop(key, None)
        if stored is None or (due is not None and now >= due):
            return plan
        kept = tuple(
            action
            for action in plan.actions
            if not (isinstance(action, UpdateStatus) and self._can_wait(stored, action.obj))
        )
        if len(kept) == len(plan.actions):
            return plan
        self._due[key] = now + self._delay_seconds if due is None else due
        again = min(self._due[key] - now, plan.requeue_after or self._delay_seconds)
        return replace(plan, actions=kept, requeue_after=again)
