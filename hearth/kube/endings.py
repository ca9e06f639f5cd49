"""Namespaces that are being deleted, as far as refused writes have told. No I/O.

Nothing can be made in such a namespace, and what is in it goes piece by piece, in no order: whoever
sees a child go before its parent wants to make it anew, and is refused. One refusal tells enough
for all of them. It is believed for a while, or until something appears in the namespace, which is
another one of that name then.
"""

from __future__ import annotations

from collections.abc import Callable

from hearth.kube.meta import namespace
from hearth.kube.plan import Action, Create, Event, Plan

BELIEVED_SECONDS = 30.0


class Endings:
    """What is known of namespaces that go, shared by all controllers of a process."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """``clock`` gives seconds that only grow."""
        self._clock = clock
        self._until: dict[str, float] = {}

    def learn(self, place: str) -> None:
        """A write into a namespace was refused, since it is being deleted."""
        self._until[place] = self._clock() + BELIEVED_SECONDS

    def appeared(self, place: str) -> None:
        """Something is there that was not: the namespace takes new objects."""
        self._until.pop(place, None)

    def without_refusals(self, plan: Plan) -> Plan:
        """Return what of a plan the server can take.

        Where something has to be left out, Events of it and what was to follow are left out, too,
        and it is looked at again when the refusal is not believed any more.
        """
        if not self._until:
            return plan
        left = max((self._left(_made_in(each)) for each in plan.actions + plan.then), default=0.0)
        if not left:
            return plan
        again = left if plan.requeue_after is None else min(plan.requeue_after, left)
        if not any(map(self._is_refused, plan.actions)):
            return Plan(plan.actions, requeue_after=again)
        kept = (each for each in plan.actions if not isinstance(each, Event))
        return Plan(tuple(each for each in kept if not self._is_refused(each)), requeue_after=again)

    def _is_refused(self, action: Action) -> bool:
        return self._left(_made_in(action)) > 0

    def _left(self, place: str) -> float:
        until = self._until.get(place)
        if until is None:
            return 0.0
        left = until - self._clock()
        if left <= 0:
            del self._until[place]
        return max(left, 0.0)


def _made_in(action: Action) -> str:
    return namespace(action.obj) if isinstance(action, Create) else ""
