"""From an HTTPScaledObject to its ScaledObject: what is made, changed, left and said."""

from __future__ import annotations

from typing import Any

import pytest

from hearth.keda.api.keys import HTTPSCALEDOBJECTS, SCALEDOBJECTS
from hearth.keda.external.httpscaledobjects import (
    Observed,
    make_scaled_object,
    reconcile,
    refused,
)
from hearth.kube.plan import Create, Delete, Patch, Plan, Update, UpdateStatus

NOW = 1_800_000_000.0
SKIP = "httpscaledobject.keda.sh/skip-scaledobject-creation"
ORPHAN = "httpscaledobject.keda.sh/orphan-scaledobject"


def an_http(annotations: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    target = {"name": "app", "kind": "Deployment", "apiVersion": "apps/v1", "service": "svc"}
    return {
        "metadata": {
            "namespace": "ns",
            "name": "app",
            "uid": "u1",
            "generation": 3,
            "labels": {"team": "a"},
            "annotations": annotations or {},
        },
        "spec": {"hosts": ["app.test"], "scaleTargetRef": target | {"port": 80}, **spec},
    }


def a_scaled(http: dict[str, Any], **spec: Any) -> dict[str, Any]:
    """As the server has it after it was made."""
    made = make_scaled_object(http)
    return made | {"spec": made["spec"] | spec, "status": {}}


def done(http: dict[str, Any], plan: Plan) -> dict[str, Any]:
    """The HTTPScaledObject with the status that a plan writes."""
    [write] = [each for each in (*plan.actions, *plan.then) if isinstance(each, UpdateStatus)]
    assert write.resource == HTTPSCALEDOBJECTS
    return write.obj


def test_its_scaled_object_is_as_the_add_on_makes_it() -> None:
    http = an_http(
        {"a": "b", "kubectl.kubernetes.io/last-applied-configuration": "{}"},
        replicas={"min": 1, "max": 9},
        scaledownPeriod=10,
        initialCooldownPeriod=20,
    )
    plan = reconcile(Observed(http, None), now=NOW)
    [create] = plan.actions
    assert isinstance(create, Create) and create.resource == SCALEDOBJECTS
    metadata, spec = create.obj["metadata"], create.obj["spec"]
    assert (metadata["namespace"], metadata["name"]) == ("ns", "app")
    assert (metadata["labels"], metadata["annotations"]) == ({"team": "a"}, {"a": "b"})
    [owner] = metadata["ownerReferences"]
    assert (owner["kind"], owner["uid"], owner["controller"]) == ("HTTPScaledObject", "u1", True)
    assert spec == {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "app"},
        "pollingInterval": 15,
        "cooldownPeriod": 10,
        "initialCooldownPeriod": 20,
        "minReplicaCount": 1,
        "maxReplicaCount": 9,
        "advanced": {"restoreToOriginalReplicaCount": True},
        "triggers": [
            {
                "type": "external-push",
                "metadata": {
                    "scalerAddress": "keda-add-ons-http-external-scaler.keda:9090",
                    "httpScaledObject": "app",
                },
            }
        ],
    }
    status = done(http, plan)["status"]
    assert (status["targetWorkload"], status["targetService"]) == (
        "apps/v1/Deployment/app",
        "svc:80",
    )
    [ready] = status["conditions"]
    assert (ready["status"], ready["reason"], ready["observedGeneration"]) == (
        "True",
        "Reconciled",
        3,
    )
    assert ready["message"] == "ScaledObject created and configured"


@pytest.mark.parametrize("annotations", [{}, {SKIP: "true"}, {ORPHAN: "true"}])
def test_its_own_result_needs_nothing(annotations: dict[str, str]) -> None:
    http = an_http(annotations)
    scaled = a_scaled(http) if not annotations else None
    http = done(http, reconcile(Observed(http, scaled), now=NOW))
    assert not reconcile(Observed(http, scaled), now=NOW + 1)


def test_what_others_added_stays_and_what_differs_is_set() -> None:
    http = an_http()
    http = done(http, reconcile(Observed(http, None), now=NOW))
    scaled = a_scaled(http, fallback={"replicas": 1}, minReplicaCount=0)
    assert not reconcile(Observed(http, scaled), now=NOW)
    changed = a_scaled(http, pollingInterval=5)
    [patch] = reconcile(Observed(http, changed), now=NOW).actions
    assert isinstance(patch, Patch)
    assert patch.patch["spec"]["pollingInterval"] == 15


def test_no_scaled_object_is_made_where_that_is_asked_for() -> None:
    http = an_http({SKIP: "true"})
    [delete] = reconcile(Observed(http, a_scaled(http)), now=NOW).actions
    assert delete == Delete(SCALEDOBJECTS, "ns", "app")
    alone = a_scaled(http)
    del alone["metadata"]["ownerReferences"]
    assert reconcile(Observed(http, alone), now=NOW).actions == ()


def test_an_orphan_is_let_go() -> None:
    http = an_http({ORPHAN: "true"})
    [update] = reconcile(Observed(http, a_scaled(http)), now=NOW).actions
    assert isinstance(update, Update)
    assert update.obj["metadata"]["ownerReferences"] == []


@pytest.mark.parametrize(
    ("spec", "owner", "text"),
    [
        (
            {"scalingMetric": {"concurrency": {}, "requestRate": {}}},
            None,
            ".spec.scalingMetric.concurrency and .spec.scalingMetric.rate are mutually exclusive",
        ),
        ({}, {"kind": "Other", "name": "x", "uid": "u2"}, "ScaledObject app belongs to Other x"),
    ],
)
def test_what_cannot_be_is_said(
    spec: dict[str, Any], owner: dict[str, str] | None, text: str
) -> None:
    http = an_http(**spec)
    scaled = a_scaled(http)
    if owner is not None:
        scaled["metadata"]["ownerReferences"] = [{**owner, "controller": True}]
    plan = reconcile(Observed(http, scaled), now=NOW)
    [ready] = done(http, plan)["status"]["conditions"]
    assert (ready["status"], ready["reason"]) == ("False", "CreateError")
    assert ready["message"] == f"Failed to create scaled objects: {text}"
    assert len(plan.actions) == 1 and not plan.then


def test_what_the_server_refuses_is_said_in_its_words() -> None:
    http = an_http()
    plan = refused(Observed(http, None), "already managed", now=NOW)
    [ready] = done(http, plan)["status"]["conditions"]
    assert ready["message"] == "Failed to create scaled objects: already managed"


def test_the_add_ons_finalizer_is_taken_off() -> None:
    http = an_http()
    http["metadata"] |= {
        "deletionTimestamp": "2026-11-29T00:00:00Z",
        "finalizers": ["httpscaledobject.http.keda.sh", "other"],
    }
    [update] = reconcile(Observed(http, None), now=NOW).actions
    assert isinstance(update, Update)
    assert update.obj["metadata"]["finalizers"] == ["other"]
    http["metadata"]["finalizers"] = ["other"]
    assert not reconcile(Observed(http, None), now=NOW)
