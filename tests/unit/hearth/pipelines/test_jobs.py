"""How a job goes on, and what its pod is made of."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hearth.kube.meta import Object
from hearth.pipelines.api import keys
from hearth.pipelines.asking import Refusal, asked_job, told_end
from hearth.pipelines.runs.jobs import step
from hearth.pipelines.runs.pods import make_job, make_secret, make_worker
from hearth.pipelines.settings import Settings
from tests.unit.hearth.pipelines.test_decide import a_run


def a_job(**more: Any) -> dict[str, Any]:
    spec = {"name": "a", "image": "i", **more.pop("spec", {})}
    return {"spec": spec, "phase": "Pending", **more}


def a_pod(phase: str, reason: str = "", **terminated: Any) -> Object:
    state = {"terminated": terminated} if terminated else {}
    status = {"phase": phase, "containerStatuses": [{"name": "job", "state": state}]}
    return {
        "metadata": {"creationTimestamp": "1970-01-01T00:00:00Z"},
        "status": status | ({"reason": reason} if reason else {}),
    }


def test_a_failure_is_tried_again_later_and_told_by_its_number() -> None:
    job = a_job(attempt=1, spec={"retries": 1})
    found = step(job, {1: a_pod("Failed", exitCode=2, message="boom")}, 0.0)
    assert (found.status["phase"], found.status["message"], found.again) == ("Pending", "boom", 1.0)
    assert step(found.status, {1: a_pod("Failed", exitCode=2)}, 0.5).again == 0.5
    later = step(found.status, {1: a_pod("Failed", exitCode=2)}, 1.5)
    assert (later.begins, later.status["attempt"]) == (2, 2)
    last = step(later.status, {2: a_pod("Failed", exitCode=3)}, 2.0)
    assert (last.status["phase"], last.status["exitCode"]) == ("Failed", 3)
    assert last.status["message"] == "exit code 3"


def test_a_pod_that_is_lost_is_no_reason_to_do_it_twice() -> None:
    found = step(a_job(attempt=1), {}, 0.0)
    assert (found.status["phase"], found.status["reason"], found.begins) == ("Failed", "PodLost", 0)
    assert step(a_job(attempt=1, spec={"retries": 1}), {}, 0.0).status["phase"] == "Pending"


def test_a_pod_that_is_not_placed_says_why_and_no_more_once_it_is() -> None:
    pod = a_pod("Pending")
    unplaced = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
    pod["status"]["conditions"] = [{**unplaced, "message": "pod has unbound claims"}]
    found = step(a_job(attempt=1), {1: pod}, 3600.0).status
    assert (found["phase"], found["message"]) == (
        "Starting",
        "Unschedulable: pod has unbound claims",
    )
    assert "message" not in step(found, {1: a_pod("Running")}, 3601.0).status


def test_a_job_that_takes_too_long() -> None:
    job = a_job(attempt=1, spec={"timeout": 5})
    found = step(job, {1: a_pod("Failed", "DeadlineExceeded")}, 0.0)
    assert found.status["phase"] == "TimedOut"
    assert found.status["message"] == "it took longer than its timeout of 5 s"


@pytest.mark.parametrize(("said", "value"), [('{"x": 1}', {"x": 1}), ("plain", "plain")])
def test_what_a_job_says_is_its_result(said: str, value: object) -> None:
    found = step(a_job(attempt=1), {1: a_pod("Succeeded", exitCode=0, message=said)}, 0.0)
    assert (found.status["result"], found.status["exitCode"]) == (value, 0)


@pytest.mark.parametrize(
    ("said", "phase", "value"),
    [
        ('{"value": [1]}', "Succeeded", [1]),
        ('{"value": null}', "Succeeded", None),
        ("", "Failed", None),
    ],
)
def test_a_function_that_left_its_value_has_returned_though_nobody_saw_it(
    said: str, phase: str, value: object
) -> None:
    end = {"exitCode": 137, "reason": "ContainerStatusUnknown", "message": said}
    pod = a_pod("Failed")
    pod["status"]["containerStatuses"][0]["state"] = {"terminated": end}
    found = step(a_job(attempt=1, spec={"function": "f"}), {1: pod}, 0.0)
    assert (found.status["phase"], found.status.get("result")) == (phase, value)
    command = step(a_job(attempt=1), {1: pod}, 0.0)
    assert command.status["phase"] == "Failed"


def with_job(**wanted: Any) -> Object:
    run = a_run(secrets=["tokens"], env={"SHARED": "1"})
    name, job, _ = asked_job(run, {"name": "a", **wanted}, 0.0)
    run["status"] = {"jobs": {name: job}}
    return run


def test_the_pod_of_a_job() -> None:
    run = with_job(
        image="alpine",
        command=["sh"],
        args=["-c", "true"],
        env={"A": "b"},
        secrets={"T": "tokens/deploy"},
        timeout=60,
        sidecars=[{"name": "db", "image": "redis", "env": {"X": "y"}}],
        resources={"limits": {"memory": "1Gi"}},
    )
    pod = make_job(run, "a", 2, Settings("http://x"))
    assert pod["metadata"]["labels"][keys.ATTEMPT_LABEL] == "2"
    spec, (container,) = pod["spec"], pod["spec"]["containers"]
    assert (spec["restartPolicy"], spec["automountServiceAccountToken"]) == ("Never", False)
    assert spec["activeDeadlineSeconds"] == 60
    assert (container["image"], container["command"], container["args"]) == (
        "alpine",
        ["sh"],
        ["-c", "true"],
    )
    env = {each["name"]: each.get("value") or each["valueFrom"] for each in container["env"]}
    assert env == {
        "SHARED": "1",
        "A": "b",
        "T": {"secretKeyRef": {"name": "tokens", "key": "deploy"}},
        "HEARTH_JOB": "a",
        "HEARTH_ATTEMPT": "2",
        "HEARTH_PIPELINE": "p",
        "HEARTH_RUN": "p-1",
    }
    (sidecar,) = spec["initContainers"]
    assert (sidecar["name"], sidecar["restartPolicy"]) == ("db", "Always")
    assert "volumes" not in spec


@pytest.mark.parametrize(("in_cluster", "mounts"), [(True, 1), (False, 0)])
def test_the_pod_of_a_function_has_script_and_event_but_no_token(
    in_cluster: bool, mounts: int
) -> None:
    run = with_job(function="build", arguments="[1]")
    pod = make_job(run, "a", 1, Settings("http://x", in_cluster=in_cluster))
    (container,) = pod["spec"]["containers"]
    assert container["command"] == ["python3", "-m", "hearth.pipelines.sdk", "function"]
    assert len(container.get("volumeMounts", [])) == mounts
    (volume,) = pod["spec"]["volumes"]
    assert [item["key"] for item in volume["secret"]["items"]] == ["script.py", "event.json"]


def test_a_function_has_what_its_job_asks_for_as_a_container_has() -> None:
    asks = {"requests": {"memory": "900Gi"}}
    pod = make_job(with_job(function="f", resources=asks), "a", 1, Settings("http://x"))
    (container,) = pod["spec"]["containers"]
    assert container["resources"] == asks
    assert container["command"][1:] == ["-m", "hearth.pipelines.sdk", "function"]


def test_whoever_the_image_runs_as_may_write_what_jobs_share_in_a_cluster() -> None:
    run = with_job(image="alpine", workspace=True)
    there, here = (
        make_job(run, "a", 1, Settings("http://x", in_cluster=each))["spec"]
        for each in (True, False)
    )
    assert there["securityContext"]["fsGroup"] and "securityContext" not in here
    assert (
        "securityContext" not in make_job(with_job(image="alpine"), "a", 1, Settings("x"))["spec"]
    )


def test_the_worker_has_a_token_of_its_run_and_none_of_an_account() -> None:
    run = a_run()
    worker = make_worker(run, 1, Settings("http://x"))
    (volume,) = worker["spec"]["volumes"]
    assert "token" in [item["key"] for item in volume["secret"]["items"]]
    assert worker["spec"]["automountServiceAccountToken"] is False
    assert "t0ken" not in json.dumps(worker)
    assert make_secret(run, "t0ken")["stringData"]["token"] == "t0ken"


@pytest.mark.parametrize(
    ("wanted", "reason", "words"),
    [
        ({"name": "A b"}, "Invalid", "its name becomes that of a pod"),
        ({"name": "x" * 41}, "Invalid", "longer than 40 letters"),
        ({"name": "a", "nonsense": 1}, "Invalid", "job 'a': nonsense: Extra inputs"),
        ({"name": "a", "retries": -1}, "Invalid", "retries: Input should be greater"),
        ({"name": "a", "secrets": {"T": "tokens"}}, "Invalid", "T='tokens' is no SECRET/KEY"),
        (
            {"name": "a", "secrets": {"T": "other/x"}},
            "UnknownSecret",
            r"asks for Secret 'other', which its pipeline does not list \(it lists tokens\)",
        ),
        ({"name": "a", "args": ["x" * 20_000]}, "JobTooLarge", "16384 are the most"),
        (None, "Invalid", "Input should be a valid dictionary"),
    ],
)
def test_what_is_not_granted(wanted: Any, reason: str, words: str) -> None:
    with pytest.raises(Refusal, match=words) as caught:
        asked_job(a_run(secrets=["tokens"]), wanted, 0.0)
    assert caught.value.reason == reason


def test_a_job_that_is_another_by_the_same_name() -> None:
    run = with_job(image="i")
    assert asked_job(run, {"name": "a", "image": "i"}, 9.0)[2] is False
    with pytest.raises(Refusal, match="asked for before and was another") as caught:
        asked_job(run, {"name": "a", "image": "other"}, 9.0)
    assert caught.value.reason == "NotDeterministic"


def test_too_many_jobs() -> None:
    run = a_run()
    jobs = {f"j{number}": a_job() for number in range(keys.MOST_JOBS)}
    run["status"] = {"jobs": jobs}
    with pytest.raises(Refusal, match="a run has at most 100 jobs"):
        asked_job(run, {"name": "a", "image": "i"}, 0.0)


def test_the_end_that_a_script_tells() -> None:
    assert told_end({"phase": "Succeeded", "summary": [1]})["summary"] == [1]
    with pytest.raises(Refusal, match="a summary is at most"):
        told_end({"phase": "Succeeded", "summary": "x" * 20_000})
    with pytest.raises(Refusal, match="phase"):
        told_end({"phase": "Running"})
