"""What becomes of the two parts of a ContainerSource, beyond what the recorded world shows."""

from __future__ import annotations

from typing import Any, cast

from eventing.api.trust import TRUST_SOURCE
from eventing.kinds import containersource
from eventing.kinds.containersource import (
    CONTAINERSOURCE_SOURCE,
    Observed,
    make_binding,
    make_deployment,
)
from eventing.kinds.settings import ControlSettings
from hearth.kube.meta import Object
from hearth.kube.plan import Create, Event, Plan, Update, UpdateStatus
from hearth.kube.testing import FakeLister

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


BUNDLES = ["ours-kne-bundle", "theirs-kne-bundle"]


def bundles_in(deployment: Object) -> list[str]:
    """The trust bundles that the pods of a Deployment find."""
    pod = deployment["spec"]["template"]["spec"]
    return [
        projected["configMap"]["name"]
        for volume in pod.get("volumes") or ()
        for projected in (volume.get("projected") or {}).get("sources") or ()
        if "configMap" in projected
    ]


def test_pods_have_the_trust_bundles_from_the_first_on() -> None:
    of = source()
    [made] = writes(plan(of, bound(of), None, BUNDLES))
    assert isinstance(made, Create)
    assert bundles_in(made.obj) == BUNDLES
    [container] = made.obj["spec"]["template"]["spec"]["containers"]
    assert [each["mountPath"] for each in container["volumeMounts"]] == ["/knative-custom-certs"]
    # What its SinkBinding would do is done already: no second rollout.
    assert not writes(plan(of, bound(of), made.obj, BUNDLES))


def test_a_changed_template_keeps_the_trust_bundles_and_a_changed_bundle_is_rolled_out() -> None:
    of = source()
    [made] = [each.obj for each in writes(plan(of, bound(of), None, BUNDLES))]
    of["spec"]["template"]["spec"]["containers"][0]["image"] = "other"
    [update] = writes(plan(of, bound(of), made, BUNDLES))
    assert isinstance(update, Update)
    assert bundles_in(update.obj) == BUNDLES
    assert not writes(plan(of, bound(of), update.obj, BUNDLES))
    [more] = writes(plan(of, bound(of), update.obj, [*BUNDLES, "z-kne-bundle"]))
    assert bundles_in(more.obj) == [*BUNDLES, "z-kne-bundle"]


def test_a_trust_bundle_concerns_the_sources_of_its_namespace() -> None:
    sources = [source(), source(name="d"), source(name="e", namespace="other")]
    lister = FakeLister({CONTAINERSOURCE_SOURCE: sources})
    spec = containersource.controller(cast(Any, None))
    [watch] = [each for each in spec.watches if each.source == TRUST_SOURCE]
    bundle = {"metadata": {"name": "ours-kne-bundle", "namespace": "ns"}}
    assert sorted(watch.keys(lister, bundle)) == [("ns", "c"), ("ns", "d")]
