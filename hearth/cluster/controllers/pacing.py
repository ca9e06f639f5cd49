"""Which writes can wait: counts in a status, and Events, give way to what makes pods. Pure.

Between a change of scale and a running pod every write counts: a waiting request pays for those
in front of it. Counts that will change again in a moment are written once, a little later; news
that others wait for (a pod became ready or ceased to be) is written at once.
"""

from __future__ import annotations

from dataclasses import dataclass

from hearth.kube.plan import Event, Plan, UpdateStatus

STATUS_DELAY_SECONDS = 0.05
_AWAITED = ("readyReplicas", "availableReplicas")


@dataclass(frozen=True, slots=True)
class Paced:
    """A plan taken apart by how soon its actions are needed."""

    now: Plan
    events: tuple[Event, ...] = ()
    """To write when there is time."""
    postponed: bool = False
    """A status was left out of ``now``, which asks to be made again after the delay."""


def split(plan: Plan, statuses_before: dict[str, object] | None) -> Paced:
    """``statuses_before`` is None when a postponed status is due: then it is written."""
    events = tuple(action for action in plan.actions if isinstance(action, Event))
    actions = tuple(action for action in plan.actions if not isinstance(action, Event))
    waiting = tuple(
        action
        for action in actions
        if isinstance(action, UpdateStatus)
        and statuses_before is not None
        and not _has_news(action, statuses_before)
    )
    if not waiting:
        return Paced(Plan(actions, plan.requeue_after), events)
    kept = tuple(action for action in actions if action not in waiting)
    again = min(STATUS_DELAY_SECONDS, plan.requeue_after or STATUS_DELAY_SECONDS)
    return Paced(Plan(kept, requeue_after=again), events, postponed=True)


def _has_news(action: UpdateStatus, before: dict[str, object]) -> bool:
    after = action.obj["status"]
    return any(after.get(field) != before.get(field) for field in _AWAITED)
