"""What of objects the page shows."""

from __future__ import annotations

from typing import Any

import pytest

from hearth.ui.rows import (
    node_row,
    object_row,
    pod_row,
    revision_row,
    run_row,
    scaled_row,
    service_row,
)

Object = dict[str, Any]
AT, SECONDS = "2026-11-30T03:00:00Z", 1_796_007_600.0


def an_object(kind: str, name: str = "hello", **fields: Any) -> Object:
    metadata = {"name": name, "namespace": "default", "creationTimestamp": AT, "generation": 2}
    return {"kind": kind, "metadata": metadata | fields.pop("metadata", {}), **fields}


def ready(status: str, **said: str) -> Object:
    return {"observedGeneration": 2, "conditions": [{"type": "Ready", "status": status, **said}]}


def test_a_service_says_what_is_and_what_is_wanted() -> None:
    wanted = [{"latestRevision": True, "percent": 10, "tag": "candidate"},
              {"revisionName": "hello-1", "percent": 90}]  # fmt: skip
    status = ready("True") | {
        "url": "http://hello.default.localhost",
        "latestReadyRevisionName": "hello-2",
        "traffic": [
            {"latestRevision": True, "revisionName": "hello-2", "percent": 10, "tag": "candidate",
             "url": "http://candidate"},
            {"revisionName": "hello-1", "percent": 90},
        ],
    }  # fmt: skip
    row = service_row(an_object("Service", spec={"traffic": wanted}, status=status))
    assert row == {
        "namespace": "default", "name": "hello", "ready": "True", "words": "", "created": SECONDS,
        "url": "http://hello.default.localhost", "generation": 2, "latest": "hello-2",
        "traffic": [
            {"revision": "hello-2", "percent": 10, "tag": "candidate", "url": "http://candidate",
             "latest": True},
            {"revision": "hello-1", "percent": 90, "tag": "", "url": "", "latest": False},
        ],
        "wanted": wanted,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("status", "shown", "words"),
    [
        ({}, "Unknown", "Not looked at yet."),
        (ready("False", reason="Bad", message="It has no image."), "False", "It has no image."),
        (ready("False", reason="RevisionMissing"), "False", "RevisionMissing"),
        (
            {
                "conditions": [
                    {"type": "ConfigurationsReady", "status": "False", "message": "no database"},
                    {"type": "Ready", "status": "False", "message": "no ready Revision"},
                ]
            },
            "False",
            "no database",
        ),
        (ready("True") | {"observedGeneration": 1}, "Unknown", "Not looked at yet."),
    ],
)
def test_why_something_is_not_ready(status: Object, shown: str, words: str) -> None:
    row = service_row(an_object("Service", spec={}, status=status))
    assert (row["ready"], row["words"]) == (shown, words)


def test_a_revision() -> None:
    labels = {"serving.knative.dev/service": "hello",
              "serving.knative.dev/configurationGeneration": "3"}  # fmt: skip
    annotations = {
        "autoscaling.knative.dev/minScale": "1",
        "autoscaling.knative.dev/max-scale": "x",
    }
    spec = {"containerConcurrency": 10, "containers": [{"image": "app"}]}
    revision = an_object(
        "Revision",
        metadata={"labels": labels, "annotations": annotations},
        spec=spec,
        status=ready("True") | {"desiredReplicas": 2, "actualReplicas": 1},
    )
    shown = revision_row(revision)
    assert {field: shown[field] for field in ("service", "number", "image", "desired", "actual",
            "limit", "min", "max")} == {"service": "hello", "number": 3, "image": "app",
            "desired": 2, "actual": 1, "limit": 10, "min": 1, "max": None}  # fmt: skip


def container(state: Object, restarts: int = 0) -> Object:
    return {"name": "user-container", "restartCount": restarts, "state": state}


IS_READY = [{"type": "Ready", "status": "True", "lastTransitionTime": AT}]
NOT_READY = [{"type": "Ready", "status": "False", "message": "containers are not ready"}]


@pytest.mark.parametrize(
    ("metadata", "status", "state", "words"),
    [
        ({}, {}, "starting", ""),
        ({}, {"conditions": NOT_READY, "containerStatuses": [container({"running": {}})]},
         "starting", "containers are not ready"),
        ({}, {"conditions": NOT_READY, "containerStatuses": [container({"running": {}}, 2)]},
         "unready", "containers are not ready"),
        ({}, {"phase": "Running", "conditions": IS_READY,
              "containerStatuses": [container({"running": {}}, 2)]}, "ready", ""),
        ({"deletionTimestamp": AT}, {"conditions": IS_READY}, "ending", ""),
        ({}, {"phase": "Succeeded"}, "done", ""),
        ({}, {"phase": "Failed", "message": "evicted"}, "failed", "evicted"),
        ({}, {"containerStatuses": [container(
            {"waiting": {"reason": "ErrImagePull", "message": "no such image"}})]},
         "failed", "ErrImagePull: no such image"),
        ({}, {"containerStatuses": [container({"waiting": {"reason": "ContainerCreating"}})]},
         "starting", ""),
    ],
)  # fmt: skip
def test_states_of_pods(metadata: Object, status: Object, state: str, words: str) -> None:
    row = pod_row(an_object("Pod", metadata=metadata, spec={}, status=status))
    assert (row["state"], row["words"]) == (state, words)


def test_a_pod_says_whose_it_is_and_since_when_it_is_ready() -> None:
    labels = {"serving.knative.dev/service": "hello", "serving.knative.dev/revision": "hello-1"}
    spec = {"containers": [{"name": "user-container"}]}
    row = pod_row(
        an_object("Pod", metadata={"labels": labels}, spec=spec, status={"conditions": IS_READY})
    )
    assert (row["service"], row["revision"], row["readyAt"]) == ("hello", "hello-1", SECONDS)
    assert (row["containers"], row["restarts"]) == (["user-container"], 0)


def test_what_scales_what_runs_and_what_sends() -> None:
    source = object_row(an_object("PingSource", status=ready("True") | {"sinkUri": "http://b"}))
    assert (source["kind"], source["ready"], source["sink"]) == ("PingSource", "True", "http://b")
    conditions = [{"type": "Active", "status": "True"}, {"type": "Paused", "status": "False"}]
    spec = {"scaleTargetRef": {"name": "app"}, "maxReplicaCount": 9}
    scaled = scaled_row(an_object("ScaledObject", spec=spec, status={"conditions": conditions}))
    assert (scaled["target"], scaled["active"], scaled["paused"]) == ("app", True, False)
    assert (scaled["min"], scaled["max"]) == (None, 9)
    run = run_row(an_object("PipelineRun", spec={"pipeline": "build"}, status={"phase": "Running"}))
    assert (run["pipeline"], run["phase"], run["ended"]) == ("build", "Running", None)


def test_nodes_have_the_names_that_the_broker_has_for_them() -> None:
    assert node_row(an_object("Trigger", "mail"))["id"] == "trigger default/mail"
    assert node_row(an_object("InMemoryChannel", "c"))["id"] == "channel default/c"


@pytest.mark.parametrize("status", [None, {}, {"conditions": None, "traffic": None}])
def test_objects_without_a_status_have_rows(status: Object | None) -> None:
    for row in (service_row, revision_row, pod_row, object_row, scaled_row, run_row, node_row):
        assert row({"metadata": {"name": "x", "namespace": "y"}, "status": status})
