"""Writes that can wait are done a moment later, once: what others wait for goes first. Pure.

Between a change of scale and a running pod every write counts: a waiting request pays for those in
front of it. A status that will change again in a moment is left out of the plan, which asks to be
made again soon; when that time has come it is written, whatever it says by then. The more wait, the
longer each waits: where much is made at once, what is said on the way is dearest and tells least.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from hearth.kube.meta import Key, Object
from hearth.kube.plan import Action, Create, Plan, Update, UpdateStatus

DELAY_SECONDS = 0.05
"""Some steps of pods that are processes of this machine."""
AT_EASE = 2
"""So many waiting keys do not make each other wait longer."""
MAX_DELAY_SECONDS = 10.0


class Postponement:
    """What is postponed, by key. ``can_wait`` gets an object as stored and as it is to be."""

    def __init__(
        self,
        can_wait: Callable[[Object, Object], bool] | None,
        delay_seconds: float = DELAY_SECONDS,
    ) -> None:
        self._can_wait = can_wait
        self._delay_seconds = delay_seconds
        self._since: dict[Key, float] = {}

    def forget(self, key: Key) -> None:
        """The object is gone."""
        self._since.pop(key, None)

    def split(self, key: Key, stored: Object | None, plan: Plan, *, now: float) -> Plan:
        """Return the part of the plan to carry out now."""
        since = self._since.pop(key, now)
        if stored is None:
            return plan
        kept = tuple(each for each in plan.actions if not self._waits(stored, each))
        left = since + self._delay() - now
        if len(kept) == len(plan.actions) or left <= 0:
            return plan
        self._since[key] = since
        again = left if plan.requeue_after is None else min(left, plan.requeue_after)
        return replace(plan, actions=kept, requeue_after=again)

    def _delay(self) -> float:
        crowd = max(1.0, (len(self._since) + 1) / AT_EASE)
        return max(self._delay_seconds, min(self._delay_seconds * crowd, MAX_DELAY_SECONDS))

    def _waits(self, stored: Object, action: Action) -> bool:
        match action:
            case Create() | Update():
                return action.can_wait
            case UpdateStatus():
                return self._can_wait is not None and self._can_wait(stored, action.obj)
        return False
