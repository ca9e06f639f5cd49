"""How many Jobs, by KEDA's strategies; which go."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearth.keda.scaling.jobs import (
    Running,
    beyond_history,
    count,
    decide_jobs,
    demand,
    job_of,
    of_other_versions,
    rollout_propagation,
)
from hearth.keda.scaling.observing import Metric, metric_of
from tests.unit.hearth.keda.scaling.builders import a_sample, a_scaledjob

OWNER = {"kind": "ScaledJob", "name": "job", "uid": "u"}


def metrics(*values: float | None, target: float = 1.0) -> list[Metric]:
    return [
        metric_of(a_sample(value, target=target, index=index)) for index, value in enumerate(values)
    ]


def created(running: int, pending: int, *values: float | None, **spec: Any) -> int:
    obj = a_scaledjob(**spec)
    return decide_jobs(obj, metrics(*values), Running(running, pending)).create


# Rows of KEDA's scale_jobs_test.go: maxScale, running, pending, most -> effective limit.
@pytest.mark.parametrize(
    ("strategy", "wish", "running", "pending", "most", "expected"),
    [
        ({}, 3, 2, 0, 5, 1),
        ({}, 2, 0, 0, 5, 2),
        ({"strategy": "accurate"}, 3, 2, 0, 5, 3),
        ({"strategy": "accurate"}, 3, 4, 2, 10, 1),
        ({"strategy": "accurate"}, 5, 4, 0, 5, 1),
        ({"strategy": "accurate"}, 3, 3, 2, 5, 1),
        ({"strategy": "eager"}, 5, 2, 1, 10, 5),
        ({"strategy": "eager"}, 10, 6, 3, 10, 1),
        (
            {
                "strategy": "custom",
                "customScalingQueueLengthDeduction": 1,
                "customScalingRunningJobPercentage": "0.5",
            },
            3, 2, 0, 5, 1,
        ),
        ({"strategy": "custom", "customScalingRunningJobPercentage": "x"}, 3, 2, 0, 5, 1),
    ],
)  # fmt: skip
def test_strategies(
    strategy: dict[str, Any], wish: int, running: int, pending: int, most: int, expected: int
) -> None:
    spec = {"scalingStrategy": strategy, "maxReplicaCount": most}
    assert created(running, pending, float(wish), **spec) == expected


def test_jobs_of_a_minimum_run_without_work() -> None:
    assert created(1, 0, 0, minReplicaCount=3) == 2
    assert created(3, 0, 0, minReplicaCount=3) == 0
    assert created(3, 0, 4, minReplicaCount=3) == 4


@pytest.mark.parametrize(
    ("how", "queue", "wish"), [("", 8, 4), ("min", 2, 1), ("avg", 5, 3), ("sum", 10, 5)]
)
def test_several_triggers(how: str, queue: int, wish: int) -> None:
    obj = a_scaledjob(scalingStrategy={"multipleScalersCalculation": how})
    asked = demand(obj, metrics(8, 2, 0, target=2))
    assert (asked.is_active, asked.queue, asked.wish) == (True, queue, wish)


def test_a_sum_stays_below_the_most() -> None:
    obj = a_scaledjob(scalingStrategy={"multipleScalersCalculation": "sum"}, maxReplicaCount=7)
    assert demand(obj, metrics(5, 6)).wish == 7


def test_failures_are_said_and_do_not_stop_the_others() -> None:
    decision = decide_jobs(a_scaledjob(), metrics(2, None), Running(0, 0))
    assert decision.create == 2
    assert (decision.said[0].status, decision.said[0].reason) == ("Unknown", "PartialTriggerError")
    failed = decide_jobs(a_scaledjob(), metrics(None), Running(0, 0))
    assert failed.create == 0
    assert (failed.said[0].status, failed.said[0].reason) == ("False", "TriggerError")
    assert (failed.said[1].status, failed.said[1].reason) == ("False", "ScalerNotActive")


def a_job(name: str, ended: str = "", at: str = "", generation: str = "1") -> dict[str, Any]:
    conditions = [{"type": ended, "status": "True"}] if ended else []
    return {
        "metadata": {
            "name": name,
            "namespace": "ns",
            "annotations": {"scaledjob.keda.sh/generation": generation},
        },
        "status": {"conditions": conditions, "completionTime": at},
    }


def test_what_runs_and_what_waits() -> None:
    pod = {"status": {"phase": "Running"}}
    jobs = [a_job("a"), a_job("b"), a_job("c", "Complete")]
    assert count(a_scaledjob(), jobs, {"a": [pod]}) == Running(2, 1)
    ready = {"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}}
    obj = a_scaledjob(scalingStrategy={"pendingPodConditions": ["Ready", "PodScheduled"]})
    assert count(obj, jobs, {"a": [pod], "b": [ready]}) == Running(2, 2)
    obj = a_scaledjob(scalingStrategy={"pendingPodConditions": ["Ready"]})
    assert count(obj, jobs, {"a": [pod], "b": [ready]}) == Running(2, 1)


def test_the_oldest_beyond_the_limits_go() -> None:
    obj = a_scaledjob(successfulJobsHistoryLimit=1, failedJobsHistoryLimit=0)
    jobs = [
        a_job("new", "Complete", "2026-01-03T00:00:00Z"),
        a_job("old", "Complete", "2026-01-01T00:00:00Z"),
        a_job("bad", "Failed"),
        a_job("runs"),
    ]
    assert beyond_history(obj, jobs) == [("ns", "old"), ("ns", "bad")]
    assert beyond_history(a_scaledjob(), jobs) == []


def test_a_rollout_ends_the_jobs_of_other_versions() -> None:
    jobs = [a_job("a"), a_job("b", generation="2")]
    assert of_other_versions(a_scaledjob(), 2, jobs) == [("ns", "a")]
    gradual = a_scaledjob(rollout={"strategy": "gradual", "propagationPolicy": "foreground"})
    assert of_other_versions(gradual, 2, jobs) == []
    assert rollout_propagation(gradual) == "Foreground"
    assert of_other_versions(a_scaledjob(rolloutStrategy="gradual"), 2, jobs) == []
    assert rollout_propagation(a_scaledjob()) == "Background"


def test_a_job_is_as_keda_makes_it() -> None:
    obj = a_scaledjob(
        labels={"team": "a", "x": "y"},
        annotations={"scaledjob.keda.sh/job-excluded-labels": "x"},
    )
    job = job_of(obj, OWNER, generation=3, version="1")
    assert job["metadata"]["generateName"] == "job-"
    assert job["metadata"]["annotations"]["scaledjob.keda.sh/generation"] == "3"
    assert job["metadata"]["labels"] == {
        "app.kubernetes.io/name": "job",
        "app.kubernetes.io/version": "1",
        "app.kubernetes.io/part-of": "job",
        "app.kubernetes.io/managed-by": "keda-operator",
        "scaledjob.keda.sh/name": "job",
        "team": "a",
    }
    template = job["spec"]["template"]
    assert template["metadata"]["labels"] == {"scaledjob.keda.sh/name": "job"}
    assert template["spec"]["restartPolicy"] == "OnFailure"
    assert "metadata" not in obj.spec.job_target_ref["template"]


@given(
    st.lists(st.none() | st.floats(0, 1e4), min_size=1, max_size=3),
    st.integers(0, 50),
    st.integers(1, 20),
    st.sampled_from(["default", "accurate", "eager"]),
)
def test_the_most_is_never_passed(
    values: list[float | None], pending: int, most: int, strategy: str
) -> None:
    for running in range(pending, most + 1):
        spec = {"maxReplicaCount": most, "scalingStrategy": {"strategy": strategy}}
        assert 0 <= created(running, pending, *values, **spec) <= most - running
