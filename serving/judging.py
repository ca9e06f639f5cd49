"""Takes gradual rollouts back whose new revision exceeds its Service's bounds.

Activators report how requests ended. Here that is kept for revisions that are being rolled out by
a route with the annotation ``serving.hearth.dev/rollback``, and for no others. A verdict is written
at the Revision, where the Route's controller finds it, whichever replica that is, and whoever
wants the revision all the same takes it away.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from hearth.knative.resources import REVISIONS
from hearth.kube import meta
from hearth.kube.clock import Clock
from hearth.kube.controllerspec import Lister
from hearth.kube.meta import Key, Object, key
from hearth.kube.plan import Event, Patch, Plan
from serving.api import keys
from serving.api.rollouts import Rollback, rollback_of
from serving.autoscaler.outcomes import Tally, verdict
from serving.kinds import sources
from serving.routing.surge import rollout_of
from serving.routing.targets import DEFAULT


@dataclass(frozen=True, slots=True)
class Case:
    """A revision that is being rolled out."""

    route: Key
    bounds: Rollback
    before: str
    """The revision that its traffic comes from."""
    tally: Tally


class Judging:
    """The cases of this process; those whose requests are reported to another one stay silent."""

    def __init__(
        self,
        lister: Lister,
        *,
        apply: Callable[[Plan], Awaitable[None]],
        spawn: Callable[[str, Awaitable[None]], object],
        clock: Clock,
    ) -> None:
        self._lister = lister
        self._apply = apply
        self._spawn = spawn
        self._clock = clock
        self._cases: dict[Key, Case] = {}
        self._by_route: dict[Key, Key] = {}

    def ingress_changed(self, old: Object | None, new: Object | None) -> None:
        """A rollout has begun, gone on or ended, or its bounds are others."""
        route = key(new or old or {})
        bounds = rollback_of(meta.annotations(new or {}))
        part = rollout_of(new).find(DEFAULT, route[1]) if bounds is not None else None
        before = self._by_route.pop(route, None)
        known = self._cases.pop(before, None) if before is not None else None
        if bounds is None or part is None or part.is_done:
            return
        *_, older, newest = part.shares
        revision = (route[0], newest.revision)
        is_same = before == revision and known is not None and known.bounds == bounds
        tally = known.tally if is_same and known is not None else Tally(bounds.requests)
        self._by_route[route] = revision
        self._cases[revision] = Case(route, bounds, older.revision, tally)

    def heard(self, revision: Key, counts: Mapping[int, int]) -> None:
        """Requests have been answered."""
        case = self._cases.get(revision)
        if case is None:
            return
        case.tally.add(self._clock(), counts)
        why = verdict(case.bounds, case.tally)
        if why:
            del self._cases[revision]
            self._spawn("rollback", self._pronounce(revision, case, why))

    async def _pronounce(self, revision: Key, case: Case, why: str) -> None:
        """Write the verdict; where that fails, the next answers bring it about once more."""
        try:
            await self._apply(self._sentence(revision, case, why))
        except Exception:
            if self._by_route.get(case.route) == revision:
                self._cases.setdefault(revision, case)
            raise

    def _sentence(self, revision: Key, case: Case, why: str) -> Plan:
        message = f'Revision "{revision[1]}" was rolled back to "{case.before}": {why}.'
        own = {keys.ROLLED_BACK: message, keys.ROLLED_BACK_TO: case.before}
        patch = Patch(REVISIONS, revision[1], revision[0], {"metadata": {"annotations": own}})
        route = self._lister.get(sources.ROUTES, *case.route)
        service = sources.service_of(self._lister, route) if route is not None else None
        about = service or route
        events = (Event(about, "Warning", "RolledBack", message),) if about is not None else ()
        return Plan((patch, *events))
