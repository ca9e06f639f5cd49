"""What ``hearth scale explain`` asks: looks up what the autoscaler goes by, for one Service.

Answers of what this replica decides on; another one's revisions are named only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from hearth.knative.explanation import Explanation
from hearth.kube.clock import Clock
from hearth.kube.controllerspec import Lister
from hearth.kube.guards import caught
from hearth.kube.meta import Key, Object, key, labels, namespace
from hearth.kube.views import Workload
from serving.api import keys
from serving.api.settings import Settings
from serving.autoscaler.changes import ScaleChanges, change_of
from serving.autoscaler.explanation import Subject, explain
from serving.autoscaler.multiscaler import Multiscaler
from serving.autoscaler.scale import limited
from serving.autoscaler.spec import bounds_of, class_of, is_reachable, scheduled_of
from serving.kinds import pods, sources
from serving.kinds.podautoscaler.kpa import phase_of
from serving.kinds.surging import surge_limits

Json = dict[str, Any]


class Explaining:
    """Explains the scale of revisions. Reads caches only."""

    def __init__(
        self,
        lister: Lister,
        multiscaler: Multiscaler,
        *,
        settings: Callable[[], Settings],
        leads: Callable[[Key], bool],
        next_tick_in: Callable[[], float],
        clock: Clock,
    ) -> None:
        self._lister = lister
        self._multiscaler = multiscaler
        self._settings = settings
        self._leads = leads
        self._next_tick_in = next_tick_in
        self._clock = clock
        self._changes = ScaleChanges()

    def deployment_changed(self, old: Object | None, new: Object | None) -> None:
        """Note that pods were asked for, or asked for no more, with the rule of that moment."""
        obj = new or old
        assert obj is not None
        where = namespace(obj), labels(obj).get(keys.REVISION, "")
        if new is None:
            self._changes.forget(where)
            return
        before, after = (Workload(each).replicas if each else 0 for each in (old, new))
        if old is None or before == after:
            return  # of what was there before we came nothing is known
        try:
            self._note(where, before, after)
        except Exception:
            caught("scale-changes", where)

    def _note(self, where: Key, before: int, after: int) -> None:
        podautoscaler = self._lister.get(sources.PODAUTOSCALERS, *where)
        if podautoscaler is None:
            return
        decider = self._multiscaler.deciders.get(where)
        cause = "" if decider is None or after < before else decider.cause
        explanation = self._explained(where, podautoscaler)
        self._changes.note(where, change_of(self._clock(), before, after, explanation, cause))

    def of(self, namespace: str, name: str) -> Json | None:
        """Return what is said of a Service's revisions, or of a revision; None where there is none.

        ``elsewhere`` are revisions that another replica decides on.
        """
        found = [each for each in self._podautoscalers() if _is_meant(each, namespace, name)]
        if not found:
            return None
        here = [each for each in found if self._leads(key(each))]
        return {
            "explanations": [self._of(each) for each in sorted(here, key=key)],
            "elsewhere": sorted(key(each)[1] for each in found if not self._leads(key(each))),
        }

    def _podautoscalers(self) -> list[Object]:
        return list(self._lister.list(sources.PODAUTOSCALERS))

    def _of(self, podautoscaler: Object) -> Json:
        where = key(podautoscaler)
        counted = {
            {"not_ready": "notReady"}.get(name, name): count
            for name, count in asdict(pods.count(self._lister, where)).items()
        }
        explanation = self._explained(where, podautoscaler)
        service = labels(podautoscaler).get(keys.SERVICE, "")
        changes = self._changes.of(where)
        return {**explanation.json(), "service": service, "pods": counted, "changes": changes}

    def _explained(self, where: Key, podautoscaler: Object) -> Explanation:
        now, scaled_by = self._clock(), class_of(podautoscaler)
        decider = self._multiscaler.deciders.get(where)
        outlook = self._multiscaler.outlook(where, now)
        if scaled_by != keys.KPA_CLASS or decider is None or outlook is None:
            return Explanation(
                *where,
                scaled_by,
                wish=-1,
                looks_again="whoever scales it decides that",
                facts={"reachable": is_reachable(podautoscaler)},
            )
        service = sources.service_of(self._lister, podautoscaler)
        scheduled = scheduled_of(podautoscaler, service, now)
        subject = Subject(
            decider.spec,
            outlook,
            limited(
                bounds_of(podautoscaler, self._settings(), scheduled),
                surge_limits(self._lister, podautoscaler, service),
            ),
            phase_of(podautoscaler, now),
            now,
            self._next_tick_in(),
            last=decider.decision.desired,
        )
        return explain(*where, subject)


def _is_meant(podautoscaler: Object, namespace: str, name: str) -> bool:
    where, revision = key(podautoscaler)
    return where == namespace and name in (revision, labels(podautoscaler).get(keys.SERVICE))
