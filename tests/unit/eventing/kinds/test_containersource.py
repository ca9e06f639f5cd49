"""What becomes of the two parts of a ContainerSource, beyond what the recorded world shows."""

from __future__ import annotations

from typing import Any

from eventing.kinds import containersource
from eventing.kinds.containersource import Observed, make_binding, make_deployment
from eventing.kinds.settings import ControlSettings
from hearth.kube.meta import Object
from hearth.kube.plan import Create, Event, Plan, Update, UpdateStatus

SETTINGS = ControlSettings("http://h", frozenset())


def source(*, sink: Any = None, **metadata: Any) -> Object:
    template = {
        "metadata": {"labels": {"own": "x"}, "annotations": {"note": "y"}},
        "spec": {"containers": [{"name": "c", "image": "it"}]},
    }
    return {
        "apiVersion": "sources.knative.dev/v1",
        "kind": "ContainerSource",
        "metadata": {"name": "c", "namespace": "ns", "uid": "1", "generation": 1, **metadata},
        "spec": {"sink": sink or {"uri": "http://sink"}, "template": template},
    }


def bound(of: Object, **status: Any) -> Object:
    told = {"observedGeneration": 1, "sinkUri": "http://sink", **status}
    made = make_binding(of)
    return {**made, "metadata": {**made["metadata"], "generation": 1}, "status": told}


def plan(*observed: Any) -> Plan:
    return containersource.reconcile(Observed(*observed), settings=SETTINGS, now=0)


def conditions(found: Plan) -> dict[str, tuple[str, str]]:
    [update] = found.then
    assert isinstance(update, UpdateStatus)
    told = update.obj["status"]["conditions"]
    return {each["type"]: (each["status"], each.get("reason", "")) for each in told}


def writes(found: Plan) -> list[Any]:
    return [each for each in found.actions if not isinstance(each, Event)]


def test_labels_and_annotations_of_the_template_are_those_of_the_deployment() -> None:
    made = make_deployment(source())
    labels = {
        "own": "x",
        "sources.knative.dev/source": "container-source-controller",
        "sources.knative.dev/containerSource": "c",
    }
    assert made["metadata"]["labels"] == made["spec"]["selector"]["matchLabels"] == labels
    assert made["spec"]["template"]["metadata"] == {"labels": labels, "annotations": {"note": "y"}}
    assert made["metadata"]["annotations"] == {"note": "y"}


def test_the_deployment_waits_for_the_sink_and_has_it_from_the_start() -> None:
    assert writes(plan(source(), bound(source(), sinkUri=None), None)) == []
    [made] = writes(plan(source(), bound(source()), None))
    assert isinstance(made, Create)
    [container] = made.obj["spec"]["template"]["spec"]["containers"]
    assert container["env"][0] == {"name": "K_SINK", "value": "http://sink"}


def test_another_sink_is_told_to_the_binding_and_then_to_the_deployment() -> None:
    [made] = writes(plan(source(), bound(source()), None))
    moved = source(sink={"uri": "http://other"})
    [changed] = writes(plan(moved, bound(source()), made.obj))
    assert isinstance(changed, Update)
    assert changed.obj["spec"]["sink"] == {"uri": "http://other"}
    [rolled] = writes(plan(moved, bound(moved, sinkUri="http://other"), made.obj))
    assert isinstance(rolled, Update)
    assert rolled.resource.plural == "deployments"


def test_parts_that_are_somebody_elses_are_told() -> None:
    other = source(uid="2")
    [made] = writes(plan(other, bound(other), None))
    found = plan(source(), bound(other), made.obj)
    assert writes(found) == []
    told = conditions(found)
    assert told["SinkBindingReady"] == told["ReceiveAdapterReady"] == ("False", "NotOwned")


def test_what_the_binding_says_is_what_is_told() -> None:
    failed = {"type": "Ready", "status": "False", "reason": "SubjectMissing", "message": "m"}
    found = plan(source(), bound(source(), conditions=[failed]), None)
    assert conditions(found)["SinkBindingReady"] == ("False", "SubjectMissing")
    assert conditions(plan(source(), None, None))["SinkBindingReady"] == ("Unknown", "")


def test_reconciling_the_outcome_does_nothing() -> None:
    ready = [{"type": "Ready", "status": "True"}]
    binding = bound(source(), conditions=ready)
    [made] = writes(plan(source(), binding, None))
    available = {"conditions": [{"type": "Available", "status": "True"}]}
    deployment = {**made.obj, "status": available}
    found = plan(source(), binding, deployment)
    assert conditions(found)["Ready"] == ("True", "")
    [update] = found.then
    assert isinstance(update, UpdateStatus)
    assert update.obj["status"]["sinkUri"] == "http://sink"
    assert not plan(update.obj, binding, deployment)
