"""Sources against those that real Knative made and completed in the same situation."""

from __future__ import annotations

from typing import Any

import yaml

from eventing.kinds import sinkbinding
from eventing.kinds.binding import bind, change_of
from eventing.kinds.settings import ControlSettings
from hearth.knative.destinations import Resolution, reference_of, resolve
from hearth.kube.meta import Object
from hearth.kube.plan import Action, UpdateStatus
from tests.recordings import EVENTING_WORLD

SETTINGS = ControlSettings("http://h", frozenset())
World = dict[tuple[str, str], Object]


def world(name: str) -> World:
    [_, *objects] = yaml.safe_load_all((EVENTING_WORLD / f"{name}.yaml").read_text())
    return {(found["kind"], found["metadata"]["name"]): found for found in objects}


def sink_of(objects: World, source: Object) -> Resolution:
    destination = source["spec"]["sink"]
    reference = reference_of(destination, "world")
    found = objects.get((reference.kind, reference.name)) if reference else None
    return resolve(destination, reference, found)


def told(actions: tuple[Action, ...]) -> Any:
    """The status that is written, without times."""
    [update] = actions
    assert isinstance(update, UpdateStatus)
    return without_times(update.obj["status"])


def without_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: without_times(v) for k, v in value.items() if k != "lastTransitionTime"}
    return [without_times(each) for each in value] if isinstance(value, list) else value


def test_sinkbinding() -> None:
    objects = world("sinkbinding")
    binding, subject = objects["SinkBinding", "b"], objects["Deployment", "subject"]
    observed = sinkbinding.Observed(
        {**binding, "status": {}}, [subject], sink_of(objects, binding), namespace=None
    )
    plan = sinkbinding.reconcile(observed, settings=SETTINGS, now=0)
    assert plan.actions == (), "Knative has bound it as we would"
    assert told(plan.then) == without_times(binding["status"])
    bound = sinkbinding.known_bound(binding)
    assert change_of(bind(subject, None), bound) is not None
