from __future__ import annotations

from typing import Any

import pytest

from hearth.cluster.controllers import job
from hearth.kube.clock import rfc3339
from hearth.kube.meta import Object
from hearth.kube.plan import Create, Delete, Plan, UpdateStatus

NOW = 3_000_000.0


def a_job(*, status: dict[str, Any] | None = None, **spec: Any) -> Object:
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "work", "namespace": "default", "uid": "j"},
        "spec": {
            "parallelism": 1,
            "completions": 1,
            "backoffLimit": 2,
            "template": {"spec": {"containers": [{"name": "c"}]}},
            **spec,
        },
        "status": status or {},
    }


def a_pod(name: str, phase: str, *, ended: float = NOW - 100, index: int | None = None) -> Object:
    state = {"terminated": {"finishedAt": rfc3339(ended)}} if phase != "Running" else {}
    marks = {} if index is None else {job.INDEX: str(index)}
    return {
        "metadata": {"name": name, "namespace": "default", "uid": name, "annotations": marks},
        "status": {"phase": phase, "containerStatuses": [{"state": state}]},
    }


def decide(found: Object, *pods: Object) -> Plan:
    return job.reconcile(job.Observed(found, pods), now=NOW)


def created(plan: Plan) -> list[Object]:
    return [a.obj for a in plan.actions if isinstance(a, Create)]


def condition_types(plan: Plan) -> list[str]:
    updates = [a for a in plan.actions if isinstance(a, UpdateStatus)]
    return [c["type"] for c in updates[-1].obj["status"].get("conditions", [])]


def test_starts_as_many_pods_as_parallelism_allows() -> None:
    assert len(created(decide(a_job(parallelism=2, completions=3)))) == 2
    assert len(created(decide(a_job(parallelism=5, completions=3)))) == 3


def test_completes_when_enough_pods_succeeded() -> None:
    plan = decide(a_job(), a_pod("a", "Succeeded"))
    assert condition_types(plan) == ["SuccessCriteriaMet", "Complete"]
    assert not created(plan)


def test_fails_beyond_the_backoff_limit_and_stops_what_runs() -> None:
    failed = [a_pod(f"f{i}", "Failed") for i in range(3)]
    plan = decide(a_job(parallelism=2, completions=2), *failed, a_pod("r", "Running"))
    assert condition_types(plan) == ["FailureTarget", "Failed"]
    assert [a.name for a in plan.actions if isinstance(a, Delete)] == ["r"]


def test_waits_longer_after_each_failure() -> None:
    first = decide(a_job(), a_pod("f", "Failed", ended=NOW - 4))
    assert not created(first) and first.requeue_after == pytest.approx(6)
    failed = [a_pod(f"f{i}", "Failed", ended=NOW - 4) for i in range(2)]
    assert decide(a_job(), *failed).requeue_after == pytest.approx(16)
    assert len(created(decide(a_job(), a_pod("f", "Failed", ended=NOW - 11)))) == 1


def test_indexed_pods_fill_the_free_indexes() -> None:
    found = a_job(parallelism=3, completions=4, completionMode="Indexed")
    plan = decide(found, a_pod("a", "Succeeded", index=0), a_pod("b", "Running", index=2))
    marks = [p["metadata"]["annotations"][job.INDEX] for p in created(plan)]
    assert marks == ["1", "3"]


def test_the_active_deadline_ends_it() -> None:
    started = {"startTime": rfc3339(NOW - 60)}
    plan = decide(a_job(activeDeadlineSeconds=30, status=started), a_pod("r", "Running"))
    assert "Failed" in condition_types(plan)


def test_a_suspended_job_gives_its_pods_up() -> None:
    plan = decide(a_job(suspend=True), a_pod("r", "Running"))
    assert [a.name for a in plan.actions if isinstance(a, Delete)] == ["r"]
    assert not created(plan)


def test_a_finished_job_is_deleted_after_its_time_to_live() -> None:
    ended = {
        "conditions": [
            {"type": "Complete", "status": "True", "lastTransitionTime": rfc3339(NOW - 10)}
        ]
    }
    waiting = decide(a_job(ttlSecondsAfterFinished=30, status=ended))
    assert waiting.requeue_after == pytest.approx(20)
    assert [type(a) for a in decide(a_job(ttlSecondsAfterFinished=5, status=ended)).actions] == [
        Delete
    ]


def test_a_running_job_rests_once_its_status_is_written() -> None:
    plan = decide(a_job(), a_pod("r", "Running"))
    status = next(a.obj["status"] for a in plan.actions if isinstance(a, UpdateStatus))
    assert not decide(a_job(status=status), a_pod("r", "Running"))
