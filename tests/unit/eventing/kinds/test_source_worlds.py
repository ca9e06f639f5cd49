"""Sources against those that real Knative made and completed in the same situation."""

from __future__ import annotations

import dataclasses
from typing import Any

import yaml

from eventing.kinds import apiserversource, containersource, pingsource, sinkbinding
from eventing.kinds.binding import bind, change_of
from eventing.kinds.settings import ControlSettings
from eventing.kinds.workloads import covers
from hearth.knative.destinations import Resolution, reference_of, resolve
from hearth.kube.meta import Object
from hearth.kube.plan import Action, Create, UpdateStatus
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


def as_made(obj: Object) -> Any:
    """What the maker of an object says, without what server and admission add."""
    metadata = {k: obj["metadata"].get(k) for k in ("name", "namespace", "labels")}
    [owner] = obj["metadata"]["ownerReferences"]
    return {"kind": obj["kind"], "metadata": metadata, "owner": owner, "spec": obj["spec"]}


def test_containersource() -> None:
    objects = world("containersource")
    source = {**objects["ContainerSource", "c"], "status": {}}
    binding, deployment = (
        objects["SinkBinding", "c-sinkbinding"],
        objects["Deployment", "c-deployment"],
    )
    # First the SinkBinding, then, once it knows the sink, the Deployment.
    first = containersource.reconcile(
        containersource.Observed(source, None, None), settings=SETTINGS, now=0
    )
    [made] = [each.obj for each in first.actions if isinstance(each, Create)]
    assert as_made(made) == as_made(binding)
    second = containersource.reconcile(
        containersource.Observed(source, binding, None), settings=SETTINGS, now=0
    )
    [made] = [each.obj for each in second.actions if isinstance(each, Create)]
    assert as_made(made) | {"spec": None} == as_made(deployment) | {"spec": None}
    assert covers(deployment["spec"], made["spec"])
    there = containersource.Observed(source, binding, deployment)
    last = containersource.reconcile(there, settings=SETTINGS, now=0)
    assert last.actions == ()
    assert told(last.then) == without_times(objects["ContainerSource", "c"]["status"])


def test_pingsource() -> None:
    objects = world("pingsource")
    ping = objects["PingSource", "p"]
    few = {
        "type": "Available",
        "status": "False",
        "reason": "MinimumReplicasUnavailable",
        "message": "Deployment does not have minimum availability.",
    }
    adapter = {**pingsource.make_adapter(SETTINGS, None), "status": {"conditions": [few]}}
    observed = pingsource.Observed({**ping, "status": {}}, sink_of(objects, ping), adapter)
    plan = pingsource.reconcile(observed, settings=SETTINGS, now=0)
    assert told(plan.then) == without_times(ping["status"])
    [made] = [each.obj for each in plan.actions if isinstance(each, Create)]
    [theirs] = [obj for (kind, _), obj in objects.items() if kind == "EventType"]
    theirs = {**theirs, "metadata": {**theirs["metadata"], "name": made["metadata"]["name"]}}
    # Knative refers to its owner by the version that its controller of all sources reads.
    theirs["metadata"]["ownerReferences"][0]["apiVersion"] = "sources.knative.dev/v1"
    # Ours has the fields of older versions, too, which Knative's conversion makes.
    attributes = {each["name"]: each.get("value") for each in made["spec"]["attributes"]}
    older = {field: attributes[field] for field in ("type", "source")}
    theirs["spec"] = {**theirs["spec"], **older}
    assert as_made(made) == as_made(theirs)
    observed = dataclasses.replace(observed, event_types=[made])
    assert pingsource.reconcile(observed, settings=SETTINGS, now=0).actions == ()


def test_pingsource_without_a_sink() -> None:
    objects = world("pingsource-no-sink")
    ping = objects["PingSource", "p"]
    observed = pingsource.Observed({**ping, "status": {}}, sink_of(objects, ping), None)
    plan = pingsource.reconcile(observed, settings=SETTINGS, now=0)
    assert told(plan.then) == without_times(ping["status"])
    assert plan.actions == ()


def test_apiserversource() -> None:
    objects = world("apiserversource")
    source = objects["ApiServerSource", "a"]
    missing = apiserversource.accesses(source, ["world"])
    observed = apiserversource.Observed(
        {**source, "status": {}}, sink_of(objects, source), ["world"], missing=missing
    )
    plan = apiserversource.reconcile(observed, settings=SETTINGS, now=0)
    assert told(plan.then) == without_times(source["status"])
    assert plan.actions == ()
