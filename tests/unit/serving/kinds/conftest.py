"""A world in memory for pure reconcilers: it stores what a plan says, as an API server would."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from hearth.kube.meta import Object, generation, labels, name, namespace
from hearth.kube.patch import merge_patch
from hearth.kube.plan import Action, Create, Delete, Event, Patch, Plan, Update, UpdateStatus
from hearth.kube.resources import Resource

NOW = 1_795_192_800.0
CREATED = "2026-11-20T16:40:00Z"
Address = tuple[str, str, str]


class Stage:
    def __init__(self) -> None:
        self.objects: dict[Address, Object] = {}
        self.events: list[tuple[str, str]] = []
        self.now = NOW
        self._serial = 0

    # -- looking -------------------------------------------------------------------------------

    def get(self, resource: Resource, wanted: str, space: str = "ns") -> Object | None:
        found = self.objects.get((resource.plural + "." + resource.group, space, wanted))
        return copy.deepcopy(found)

    def the(self, resource: Resource, wanted: str, space: str = "ns") -> Object:
        found = self.get(resource, wanted, space)
        assert found is not None, f"no {resource.kind} {wanted}"
        return found

    def all(self, resource: Resource, **selected: str) -> list[Object]:
        wanted = {k.replace("__", "/"): v for k, v in selected.items()}
        plural = resource.plural + "." + resource.group
        return [
            copy.deepcopy(o)
            for (kind, _, _), o in sorted(self.objects.items())
            if kind == plural and wanted.items() <= labels(o).items()
        ]

    def conditions(self, resource: Resource, wanted: str) -> dict[str, tuple[str, str]]:
        """Status and reason by type."""
        status = self.the(resource, wanted)["status"]
        return {c["type"]: (c["status"], c.get("reason", "")) for c in status["conditions"]}

    def message(self, resource: Resource, wanted: str, kind: str) -> str:
        status = self.the(resource, wanted)["status"]
        return str(next(c for c in status["conditions"] if c["type"] == kind).get("message", ""))

    # -- changing ------------------------------------------------------------------------------

    def put(self, resource: Resource, obj: Object) -> Object:
        """Stores an object as its creation or update would."""
        obj = copy.deepcopy(obj)
        space = namespace(obj) if resource.namespaced else ""
        at = (resource.plural + "." + resource.group, space, name(obj))
        known = self.objects.get(at)
        metadata = obj["metadata"]
        if known is None:
            self._serial += 1
            obj.setdefault("apiVersion", resource.api_version)
            obj.setdefault("kind", resource.kind)
            metadata |= {"uid": f"uid-{self._serial}", "generation": 1}
            metadata.setdefault("creationTimestamp", CREATED)
        elif known.get("spec") != obj.get("spec"):
            metadata["generation"] = generation(known) + 1
        self.objects[at] = obj
        return obj

    def edit(self, resource: Resource, wanted: str, change: Callable[[Object], Any]) -> None:
        obj = self.the(resource, wanted)
        change(obj)
        self.put(resource, obj)

    def status(self, resource: Resource, wanted: str, **fields: Any) -> None:
        """Sets fields of a status that belongs to somebody else; says it is current."""
        obj = self.the(resource, wanted)
        own = {"observedGeneration": generation(obj), **fields}
        self.edit(resource, wanted, lambda o: o.update(status={**(o.get("status") or {}), **own}))

    def ready(self, resource: Resource, wanted: str, status: str = "True", **rest: str) -> None:
        condition = {"type": "Ready", "status": status, "lastTransitionTime": CREATED, **rest}
        self.status(resource, wanted, conditions=[condition])

    def apply(self, plan: Plan) -> None:
        for action in (*plan.actions, *plan.then):
            self._act(action)

    def _act(self, action: Action) -> None:
        match action:
            case Create(resource, obj):
                assert self.get(resource, name(obj), namespace(obj)) is None
                self.put(resource, obj)
            case Update(resource, obj):
                self.put(resource, obj)
            case UpdateStatus(resource, obj):
                self.edit(resource, name(obj), lambda o: o.update(status=obj["status"]))
            case Patch(resource, wanted, space, patch):
                self.put(resource, merge_patch(self.the(resource, wanted, space), patch))
            case Delete(resource, space, wanted):
                del self.objects[(resource.plural + "." + resource.group, space, wanted)]
            case Event(_, _, reason, message):
                self.events.append((reason, message))
            case _:
                raise AssertionError(f"unexpected {action}")

    def settle(self, reconcile: Callable[[], Plan]) -> None:
        """Reconciles until there is nothing to do; that must come soon and last."""
        for _ in range(4):
            plan = reconcile()
            if not plan:
                break
            self.apply(plan)
        self.now += 7
        assert reconcile().actions == (), "reconciling its own result must give an empty plan"
        assert reconcile().then == ()


@pytest.fixture
def stage() -> Stage:
    return Stage()
