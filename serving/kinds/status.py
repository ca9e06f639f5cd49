"""Working out an object's status and writing it only when it says something new.

Pure. A reconciler marks conditions as it goes, in Knative's order, and may pass through states it
does not end in; what counts is the outcome. A condition that ends as it began keeps its time.
"""

from __future__ import annotations

from typing import Any

from hearth.knative.conditions import ConditionManager, ConditionSet
from hearth.kube.conditions import Condition, Conditions
from hearth.kube.controllerspec import is_made_otherwise
from hearth.kube.meta import Object, copied, generation
from hearth.kube.plan import UpdateStatus
from hearth.kube.resources import Resource
from hearth.kube.views import View
from serving.api import views
from serving.api.keys import READY


class Draft:
    """The status to be: ``fields`` and ``conditions`` start as what is there."""

    def __init__(self, obj: Object, kinds: ConditionSet, *, now: float) -> None:
        self._obj = obj
        status = obj.get("status") or {}
        self._given = Conditions.of(obj).by_type()
        self.fields: dict[str, Any] = copied(
            {k: v for k, v in status.items() if k not in ("conditions", "observedGeneration")}
        )
        self.conditions: ConditionManager = kinds.manage(status.get("conditions"), now=now)
        self.conditions.initialize()

    @property
    def is_new_generation(self) -> bool:
        """Whether the stored status tells of an older generation."""
        return not View(self._obj).is_observed

    def put(self, name: str, value: Any) -> None:
        """Sets a field, or removes it when there is nothing to say."""
        if value is None or value == "" or value == []:
            self.fields.pop(name, None)
        else:
            self.fields[name] = value

    def status(self) -> dict[str, Any]:
        """Return the status to be."""
        conditions = [_keeping_time(c, self._given.get(c["type"])) for c in self.conditions.list()]
        observed = generation(self._obj)
        return {**self.fields, "observedGeneration": observed, "conditions": conditions}

    def writes(self, resource: Resource, *, is_foretold: bool = False) -> tuple[UpdateStatus, ...]:
        """Return the action that stores the status; none when it is stored already."""
        status = self.status()
        if status == self._obj.get("status"):
            return ()
        return (UpdateStatus(resource, {**self._obj, "status": status}, is_foretold),)

    def became(self, kind: str, status: str) -> bool:
        """Whether a condition has this status now and had another one before."""
        was = self._given.get(kind, {}).get("status")
        return self.conditions.status(kind) == status and was != status


NEWS_SECONDS = 0.5
"""How long words that are no news wait. A container takes longer to start, and the steps from its
being ready to the Service's take less."""


def is_without_news(stored: Object, changed: Object) -> bool:
    """Whether nobody waits for what a new status says: others go by Ready alone.

    On its way to Ready an object says something new with each step of its children; such words may
    be written together, a moment later, and those that Ready overtakes not at all.
    """
    return Conditions.of(stored).status(READY) == Conditions.of(changed).status(READY)


def is_ready_otherwise(old: Object, new: Object) -> bool:
    """Whether more changed than words of a status on the way to Ready or from it."""
    before, after = (Conditions.of(obj).get(READY) for obj in (old, new))
    return before != after or is_made_otherwise(old, new)


def names_otherwise(old: Object, new: Object) -> bool:
    """Whether a Configuration says more than other words: which Revisions are its latest."""
    before, after = views.Configuration(old), views.Configuration(new)
    return (
        before.latest_created != after.latest_created
        or before.latest_ready != after.latest_ready
        or is_ready_otherwise(old, new)
    )


def _keeping_time(condition: Condition, given: Condition | None) -> Condition:
    if given is None:
        return condition
    timed = {**condition, "lastTransitionTime": given.get("lastTransitionTime")}
    return given if timed == given else condition
