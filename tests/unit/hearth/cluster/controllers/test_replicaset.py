from __future__ import annotations

from typing import Any

import pytest

from hearth.cluster.controllers import replicaset, sources
from hearth.kube.clock import rfc3339
from hearth.kube.meta import Object
from hearth.kube.plan import Create, Delete, Event, Patch, UpdateStatus

NOW = 2_000_000.0


def a_replica_set(replicas: int, **spec: Any) -> Object:
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {"name": "web-1", "namespace": "default", "uid": "rs", "generation": 2},
        "spec": {
            "replicas": replicas,
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": []}},
            **spec,
        },
    }


def a_pod(name: str, *, ready: bool = True, phase: str = "Running", **meta: Any) -> Object:
    condition = {
        "type": "Ready",
        "status": "True" if ready else "False",
        "lastTransitionTime": rfc3339(NOW - 5),
    }
    return {
        "metadata": {"name": name, "namespace": "default", "uid": name, "labels": {"app": "web"}}
        | meta,
        "spec": {"nodeName": "here"},
        "status": {"phase": phase, "conditions": [condition]},
    }


def decide(replica_set: Object, *found: Object) -> tuple[list[Any], dict[str, Any]]:
    plan = replicaset.reconcile(replicaset.Observed(replica_set, found), now=NOW)
    written = [a.obj["status"] for a in plan.actions if isinstance(a, UpdateStatus)]
    others = [a for a in plan.actions if not isinstance(a, UpdateStatus)]
    return others, written[0] if written else {}


def test_missing_pods_are_created_from_the_template() -> None:
    actions, _ = decide(a_replica_set(2))
    assert len(actions) == 2
    made = actions[0].obj
    assert isinstance(actions[0], Create)
    assert made["metadata"]["generateName"] == "web-1-"
    assert made["metadata"]["labels"] == {"app": "web"}
    assert made["metadata"]["ownerReferences"][0]["uid"] == "rs"


@pytest.mark.parametrize(
    ("ready_name", "found", "names"),
    [
        ("", (), [None, None]),
        ("web-1-ready", (), ["web-1-ready", None]),
        ("web-1-ready", (a_pod("web-1-ready", phase="Failed"),), [None, None]),
    ],
)
def test_a_pod_is_called_as_the_node_is_ready_for(
    ready_name: str, found: tuple[Object, ...], names: list[str | None]
) -> None:
    """Once, and not while a pod of that name is still there."""
    observed = replicaset.Observed(a_replica_set(2), found, ready_name)
    plan = replicaset.reconcile(observed, now=NOW)
    made = [a.obj["metadata"].get("name") for a in plan.actions if isinstance(a, Create)]
    assert made == names


def test_finished_and_leaving_pods_do_not_count() -> None:
    leaving = a_pod("b", deletionTimestamp=rfc3339(NOW))
    actions, status = decide(a_replica_set(1), a_pod("a", phase="Failed"), leaving)
    assert [type(a) for a in actions] == [Create]
    assert status["terminatingReplicas"] == 1


@pytest.mark.parametrize(
    "worse",
    [
        pytest.param(a_pod("x", ready=False), id="not ready"),
        pytest.param(a_pod("x", phase="Pending"), id="pending"),
        pytest.param(
            a_pod("x", annotations={"controller.kubernetes.io/pod-deletion-cost": "-1"}),
            id="lower deletion cost",
        ),
        pytest.param(a_pod("x", creationTimestamp="2026-01-02T00:00:00Z"), id="younger"),
    ],
)
def test_the_less_useful_pod_goes_first(worse: Object) -> None:
    actions, _ = decide(
        a_replica_set(1), a_pod("keep", creationTimestamp="2026-01-01T00:00:00Z"), worse
    )
    assert [a.name for a in actions if isinstance(a, Delete)] == ["x"]


def test_status_counts_and_rests() -> None:
    replica_set = a_replica_set(2)
    pods = (a_pod("a"), a_pod("b", ready=False))
    _, status = decide(replica_set, *pods)
    assert status == {
        "replicas": 2,
        "terminatingReplicas": 0,
        "fullyLabeledReplicas": 2,
        "readyReplicas": 1,
        "availableReplicas": 1,
        "observedGeneration": 2,
    }
    again = replicaset.Observed({**replica_set, "status": status}, pods)
    assert not replicaset.reconcile(again, now=NOW)


def test_min_ready_seconds_asks_to_be_called_again() -> None:
    observed = replicaset.Observed(a_replica_set(1, minReadySeconds=30), (a_pod("a"),))
    plan = replicaset.reconcile(observed, now=NOW)
    assert plan.requeue_after == pytest.approx(25)


def told(replica_set: Object, message: str, *, now: float) -> dict[str, Any] | None:
    """The status that is written when a pod was refused."""
    observed = replicaset.Observed(replica_set, ())
    plan = replicaset.failed_create(observed, message, now=now)
    if plan is None:
        return None
    patch, event = plan.actions
    assert isinstance(patch, Patch) and patch.subresource == "status"
    assert isinstance(event, Event) and event.reason == "FailedCreate"
    assert plan.retry
    status: dict[str, Any] = patch.patch["status"]
    return status


def test_why_no_pod_can_be_created_is_told_once_and_forgotten_when_they_are_there() -> None:
    replica_set = a_replica_set(1)
    status = told(replica_set, "no account", now=NOW)
    assert status is not None
    (condition,) = status["conditions"]
    assert condition == {
        "type": "ReplicaFailure",
        "status": "True",
        "lastTransitionTime": rfc3339(NOW),
        "reason": "FailedCreate",
        "message": "no account",
    }
    replica_set |= {"status": status}
    assert told(replica_set, "no account", now=NOW + 1) is None
    again = told(replica_set, "another", now=NOW + 1)
    assert again is not None
    assert again["conditions"][0]["lastTransitionTime"] == rfc3339(NOW)
    assert decide(replica_set)[1]["conditions"] == [condition]
    assert "conditions" not in decide(replica_set, a_pod("a"))[1]


@pytest.mark.parametrize(
    ("before", "after", "concerns"),
    [
        pytest.param({}, {}, False, id="nothing"),
        pytest.param({}, {"resourceVersion": "9", "generation": 3}, False, id="version"),
        pytest.param({"ready": False}, {}, True, id="ready"),
        pytest.param({}, {"phase": "Failed"}, True, id="finished"),
        pytest.param({}, {"labels": {"app": "other"}}, True, id="labels"),
        pytest.param({}, {"deletionTimestamp": "2026-01-01T00:00:00Z"}, True, id="leaves"),
        pytest.param({}, {"ownerReferences": []}, True, id="owner"),
    ],
)
def test_it_goes_by_what_it_counts_of_a_pod(
    before: dict[str, Any], after: dict[str, Any], concerns: bool
) -> None:
    watch = next(w for w in replicaset.CONTROLLER.watches if w.source == sources.PODS)
    assert watch.concerns(a_pod("a", **before), a_pod("a", **after)) is concerns
