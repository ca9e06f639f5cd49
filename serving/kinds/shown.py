"""Objects that only clients read, written where the API server cannot show them as views. Pure.

ServerlessServices and Metrics say what a PodAutoscaler says (``serving.api.serverless``). The API
server of one machine reads them off it; for another one, where somebody asks for them, they are
written as it changes. Nothing here goes by them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from hearth.kube.controllerspec import ControllerSpec, Lister, Source, Watch
from hearth.kube.meta import Key, Object, generation, is_controlled_by, is_deleting
from hearth.kube.plan import Action, Create, Plan, Update, UpdateStatus
from hearth.kube.resources import Resource
from serving.kinds import sources

View = Callable[[Object], Object]
"""Makes what a PodAutoscaler is shown as."""
_METADATA = ("name", "namespace", "labels", "annotations", "ownerReferences")


@dataclass(frozen=True, slots=True)
class Observed:
    """A PodAutoscaler, and what is shown of it by now, by resource."""

    podautoscaler: Object
    shown: Mapping[Resource, Object | None]


def controller(views: Mapping[Resource, View]) -> ControllerSpec[Observed, object]:
    """Declare the controller that keeps these objects, which have their PodAutoscaler's name."""

    def observe(lister: Lister, key: Key) -> Observed | None:
        podautoscaler = lister.get(sources.PODAUTOSCALERS, *key)
        if podautoscaler is None or is_deleting(podautoscaler):
            return None
        return Observed(podautoscaler, {each: lister.get(Source(each), *key) for each in views})

    return ControllerSpec(
        "serving-shown",
        sources.PODAUTOSCALERS,
        observe,
        lambda observed, *, settings, now: reconcile(observed, views),
        watches=tuple(Watch(Source(each)) for each in views),
    )


def reconcile(observed: Observed, views: Mapping[Resource, View]) -> Plan:
    """Write what is shown otherwise by now."""
    writes = (_write(resource, view, observed) for resource, view in views.items())
    return Plan(tuple(each for each in writes if each is not None))


def _write(resource: Resource, view: View, observed: Observed) -> Action | None:
    """One write at a time: the status comes after the spec that it tells of."""
    made, stored = view(observed.podautoscaler), observed.shown[resource]
    wanted = _wanted(resource, made, stored or {})
    if stored is None:
        return Create(resource, wanted)
    if not is_controlled_by(stored, observed.podautoscaler):
        return None  # another's of that name, or one that goes with an earlier PodAutoscaler
    if wanted != stored:
        return Update(resource, wanted)
    told = made["status"] and {**made["status"], "observedGeneration": generation(stored)}
    if told == (stored.get("status") or {}):
        return None
    return UpdateStatus(resource, {**stored, "status": told})


def _wanted(resource: Resource, made: Object, stored: Object) -> Object:
    """What is stored, with the metadata and the spec that are to be shown."""
    own = {key: made["metadata"][key] for key in _METADATA if key in made["metadata"]}
    kept = {k: v for k, v in stored.get("metadata", {}).items() if k not in _METADATA}
    head = {"apiVersion": resource.api_version, "kind": resource.kind}
    return {**stored, **head, "metadata": kept | own, "spec": made["spec"]}
