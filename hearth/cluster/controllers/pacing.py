"""Which writes can wait: counts in a status, and Events, give way to what makes pods. Pure.

Between a change of scale and a running pod every write counts: a waiting request pays for those
in front of it. Counts that will change again in a moment are written once, a little later; news
that others wait for (a pod became ready or ceased to be) is written at once.
"""

from __future__ import annotations

from hearth.kube.plan import Event, Plan, UpdateStatus

STATUS_DELAY_SECONDS = 0.05
_AWAITED = ("readyReplicas", "availableReplicas")


def split(plan: Plan, statuses_before: dict[str, object] | None) -> tuple[Plan, tuple[Event, ...]]:
    """What to do now, and the Events to write when there is time.

    A status without news is left out; the plan then asks to be made again after the delay, when
    ``statuses_before`` should be None to have it written.
    """
    events = tuple(action for action in plan.actions if isinstance(action, Event))
    now = tuple(action for action in plan.actions if not isinstance(action, Event))
    if statuses_before is None:
        return Plan(now, plan.requeue_after), events
    waiting = tuple(
        action
        for action in now
        if isinstance(action, UpdateStatus) and not _has_news(action, statuses_before)
    )
    if not waiting:
        return Plan(now, plan.requeue_after), events
    kept = tuple(action for action in now if action not in waiting)
    again = min(STATUS_DELAY_SECONDS, plan.requeue_after or STATUS_DELAY_SECONDS)
    return Plan(kept, requeue_after=again), events


def _has_news(action: UpdateStatus, before: dict[str, object]) -> bool:
    after = action.obj["status"]
    return any(after.get(field) != before.get(field) for field in _AWAITED)
