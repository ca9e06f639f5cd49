from __future__ import annotations

from typing import Any

import pytest

from hearth.cluster.kinds import catalog
from hearth.cluster.model.objects import Object
from hearth.cluster.operations.deletes import CLEANUP, Step, decide
from hearth.cluster.operations.options import DeleteOptions

NOW = 1_800_000_000.0
KINDS = {kind.group_resource: kind for kind in catalog.KINDS}


def an_object(**metadata: Any) -> Object:
    return {"apiVersion": "v1", "kind": "X", "metadata": {"name": "x", "generation": 1} | metadata}


def a_pod(node: str = "n", phase: str = "Running", **metadata: Any) -> Object:
    pod = an_object(**metadata)
    pod["spec"] = {"nodeName": node, "terminationGracePeriodSeconds": 30} if node else {}
    pod["status"] = {"phase": phase}
    return pod


def test_without_finalizers_an_object_goes_at_once() -> None:
    decision = decide(KINDS["configmaps"], an_object(), DeleteOptions(), NOW)
    assert decision.step is Step.REMOVE


def test_with_finalizers_it_is_marked() -> None:
    obj = an_object(finalizers=["x/y"])
    decision = decide(KINDS["configmaps"], obj, DeleteOptions(), NOW)
    assert decision.step is Step.MARK
    metadata = decision.obj["metadata"]
    assert metadata["deletionGracePeriodSeconds"] == 0
    assert metadata["generation"] == 2


def test_deleting_again_changes_nothing() -> None:
    first = decide(KINDS["configmaps"], an_object(finalizers=["x/y"]), DeleteOptions(), NOW)
    before = first.obj["metadata"].copy()
    again = decide(KINDS["configmaps"], first.obj, DeleteOptions(), NOW + 60)
    assert again.obj["metadata"] == before


@pytest.mark.parametrize(
    ("policy", "before", "after"),
    [
        pytest.param("Foreground", [], ["foregroundDeletion"], id="foreground"),
        pytest.param("Orphan", [], ["orphan"], id="orphan"),
        pytest.param("Orphan", ["foregroundDeletion"], ["orphan"], id="another mind"),
        pytest.param("Background", ["orphan", "x/y"], ["x/y"], id="background"),
        pytest.param("", ["orphan"], ["orphan"], id="what it had"),
    ],
)
def test_policies_become_finalizers(policy: str, before: list[str], after: list[str]) -> None:
    options = DeleteOptions(propagation_policy=policy)
    decision = decide(KINDS["configmaps"], an_object(finalizers=before), options, NOW)
    assert decision.obj["metadata"].get("finalizers", []) == after


def test_jobs_keep_their_pods_unless_told_otherwise() -> None:
    decision = decide(KINDS["jobs.batch"], an_object(), DeleteOptions(), NOW)
    assert decision.obj["metadata"]["finalizers"] == ["orphan"]


@pytest.mark.parametrize(
    ("pod", "grace", "step", "seconds"),
    [
        pytest.param(a_pod(), None, Step.MARK, 30, id="the pod's own"),
        pytest.param(a_pod(), 5, Step.MARK, 5, id="asked for"),
        pytest.param(a_pod(), -1, Step.MARK, 1, id="negative"),
        pytest.param(a_pod(), 0, Step.REMOVE, 0, id="at once"),
        pytest.param(a_pod(node=""), None, Step.REMOVE, 0, id="on no node"),
        pytest.param(a_pod(phase="Succeeded"), None, Step.REMOVE, 0, id="ended"),
        pytest.param(a_pod(finalizers=["x/y"]), 0, Step.MARK, 0, id="finalizer"),
    ],
)
def test_pods_get_their_grace(pod: Object, grace: int | None, step: Step, seconds: int) -> None:
    decision = decide(KINDS["pods"], pod, DeleteOptions(grace_period_seconds=grace), NOW)
    assert decision.step is step
    assert decision.obj["metadata"]["deletionGracePeriodSeconds"] == seconds


def test_a_second_deletion_only_shortens_the_grace() -> None:
    pod = decide(KINDS["pods"], a_pod(), DeleteOptions(), NOW).obj
    longer = decide(KINDS["pods"], pod, DeleteOptions(grace_period_seconds=60), NOW + 1)
    assert longer.step is Step.KEEP
    shorter = decide(KINDS["pods"], pod, DeleteOptions(grace_period_seconds=2), NOW + 1)
    assert shorter.obj["metadata"]["deletionGracePeriodSeconds"] == 2
    last = decide(KINDS["pods"], pod, DeleteOptions(grace_period_seconds=0), NOW + 2)
    assert last.step is Step.REMOVE


def test_a_namespace_is_only_marked() -> None:
    namespace = {"metadata": {"name": "n"}, "spec": {"finalizers": ["kubernetes"]}}
    decision = decide(KINDS["namespaces"], namespace, DeleteOptions(), NOW)
    assert decision.step is Step.MARK
    assert decision.obj["status"]["phase"] == "Terminating"
    assert decide(KINDS["namespaces"], decision.obj, DeleteOptions(), NOW).step is Step.KEEP


def test_a_definition_waits_for_its_objects() -> None:
    kind = KINDS["customresourcedefinitions.apiextensions.k8s.io"]
    decision = decide(kind, an_object(), DeleteOptions(), NOW)
    assert decision.step is Step.MARK
    assert decision.obj["metadata"]["finalizers"] == [CLEANUP]
    assert decision.obj["status"]["conditions"][0]["type"] == "Terminating"
