"""Deployments that sources make: what is kept, and what is told of them."""

from __future__ import annotations

from typing import Any

import pytest

from eventing.kinds.workloads import covers, kept_deployment, mark_deployment, mark_foreign
from hearth.knative.conditions import ConditionSet
from hearth.kube.meta import Object, owner_reference
from hearth.kube.plan import Create, Event, Update

OWNER: Object = {"apiVersion": "x/v1", "kind": "Thing", "metadata": {"name": "t", "uid": "1"}}
STRANGER: Object = {"apiVersion": "x/v1", "kind": "Thing", "metadata": {"name": "s", "uid": "2"}}


def deployment(*, owner: Object = OWNER, **pod: Any) -> Object:
    metadata = {"name": "d", "namespace": "ns", "ownerReferences": [owner_reference(owner)]}
    template = {"spec": {"containers": [{"name": "c"}], **pod}}
    return {"metadata": metadata, "spec": {"replicas": 3, "template": template}}


@pytest.mark.parametrize(
    ("have", "want", "holds"),
    [
        ({"a": 1, "b": 2}, {"a": 1}, True),
        ({"a": 1}, {"a": 1, "b": ""}, True),
        ({"a": 1}, {"a": 1, "b": []}, True),
        ({"a": 1}, {"a": 2}, False),
        ({}, {"a": {"b": 1}}, False),
        ([1, 2], [1], False),
        ([{"a": 1, "b": 2}], [{"a": 1}], True),
        ("x", {"a": 1}, False),
        (None, None, True),
    ],
)
def test_what_covers_what(have: Any, want: Any, holds: bool) -> None:
    assert covers(have, want) is holds


def test_it_is_made_and_its_template_kept() -> None:
    made, told = kept_deployment(OWNER, deployment(), None, kind="Thing")
    assert isinstance(made, Create) and isinstance(told, Event)
    assert (told.reason, told.message) == ("ThingDeploymentCreated", 'Deployment created "d"')
    with_defaults = deployment(dnsPolicy="ClusterFirst")
    assert kept_deployment(OWNER, deployment(), with_defaults, kind="Thing") == ()
    changed, told = kept_deployment(
        OWNER, deployment(serviceAccountName="s"), with_defaults, kind="Thing"
    )
    assert isinstance(changed, Update) and isinstance(told, Event)
    assert changed.obj["spec"]["replicas"] == 3, "how many there are is not ours to say"
    assert changed.obj["spec"]["template"]["spec"]["serviceAccountName"] == "s"
    assert told.reason == "ThingDeploymentUpdated"


def test_somebody_elses_is_left_alone_and_told() -> None:
    theirs = deployment(owner=STRANGER)
    assert kept_deployment(OWNER, deployment(serviceAccountName="s"), theirs, kind="Thing") == ()
    conditions = ConditionSet("Ready", ("Deployed",)).manage((), now=0)
    assert mark_foreign("Deployed", theirs, OWNER, conditions)
    told = conditions.get("Deployed")
    assert told is not None
    assert told["message"] == 'deployment "d" is not owned by Thing "t"'
    assert not mark_foreign("Deployed", deployment(), OWNER, conditions)
    assert not mark_foreign("Deployed", None, OWNER, conditions)


AVAILABLE = {"type": "Available", "status": "True"}
NOT = {"type": "Available", "status": "False", "reason": "Few", "message": "too few"}


@pytest.mark.parametrize(
    ("status", "whole", "told"),
    [
        ({}, True, ("Unknown", "DeploymentUnavailable", "The Deployment 'd' is unavailable.")),
        ({"conditions": [NOT]}, True, ("False", "Few", "too few")),
        ({"conditions": [AVAILABLE]}, True, ("True", None, None)),
        (
            {"conditions": [AVAILABLE], "unavailableReplicas": 2},
            True,
            ("Unknown", "DeploymentUpdating", "Deployment has 2 unavailable replica(s)."),
        ),
        ({"conditions": [AVAILABLE], "unavailableReplicas": 2}, False, ("True", None, None)),
    ],
)
def test_availability_is_told_in_knatives_words(status: Any, whole: bool, told: Any) -> None:
    conditions = ConditionSet("Ready", ("Deployed",)).manage((), now=0)
    conditions.initialize()
    mark_deployment("Deployed", {**deployment(), "status": status}, "d", conditions, whole=whole)
    found = conditions.get("Deployed")
    assert found is not None
    assert (found["status"], found.get("reason"), found.get("message")) == told


@pytest.mark.parametrize("status", [None, {"type": "Available", "status": "False"}])
def test_why_none_is_available_its_pods_may_say(status: Any) -> None:
    ended = {"terminated": {"exitCode": 78, "message": '{"message": "kopf is not installed"}'}}
    pod = {"metadata": {"name": "p"}, "status": {"containerStatuses": [{"state": ended}]}}
    conditions = ConditionSet("Ready", ("D",)).manage([], now=0)
    obj = None if status is None else {"status": {"conditions": [status]}}
    mark_deployment("D", obj, "d", conditions, pods=[pod])
    found = conditions.get("D")
    assert found is not None
    told = found["status"], found["reason"], found["message"]
    assert told == ("False", "AdapterFailed", "kopf is not installed")
    available = {"status": {"conditions": [{"type": "Available", "status": "True"}]}}
    mark_deployment("D", available, "d", conditions, pods=[pod])
    assert conditions.is_true("D")
