from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from hearth.cluster.node.pod import records
from hearth.cluster.node.pod.lifecycle import Deletion, Failure, Observed
from hearth.cluster.node.pod.records import Backoff, Record, Running, Terminated
from hearth.cluster.node.pod.spec import PodSpec
from hearth.cluster.node.pod.status import changes_at, make_status

NOW = 1_790_000_000.0
STAMP = "2026-09-21T14:13:20Z"
ASpec = Callable[..., PodSpec]


def seen(**known: Record) -> Observed:
    return Observed(known, is_prepared=True, started_at=NOW)


def running(*, ready: bool = True) -> Record:
    return Record(running=Running(NOW), is_started=True, is_ready=ready, container_id="hearth://a")


def ended(code: int) -> Record:
    return Record(ended=Terminated(code, "Error", NOW, started_at=NOW))


def condition(status: dict[str, Any], kind: str) -> dict[str, Any]:
    return next(c for c in status["conditions"] if c["type"] == kind)


def state(pod: PodSpec, record: Record, *, now: float = NOW) -> dict[str, Any]:
    found: dict[str, Any] = make_status(pod, seen(c0=record), {}, now=now)["containerStatuses"][0]
    return found


def test_a_running_pod(a_spec: ASpec) -> None:
    status = make_status(a_spec(), seen(c0=running()), {"qosClass": "BestEffort"}, now=NOW)
    assert status == {
        "qosClass": "BestEffort",
        "phase": "Running",
        "conditions": [
            {"type": kind, "status": "True", "lastProbeTime": None, "lastTransitionTime": STAMP}
            for kind in (
                "PodReadyToStartContainers",
                "Initialized",
                "Ready",
                "ContainersReady",
                "PodScheduled",
            )
        ],
        "hostIP": "127.0.0.1",
        "hostIPs": [{"ip": "127.0.0.1"}],
        "podIP": "127.0.0.1",
        "podIPs": [{"ip": "127.0.0.1"}],
        "startTime": STAMP,
        "containerStatuses": [
            {
                "name": "c0",
                "image": "app",
                "imageID": "",
                "containerID": "hearth://a",
                "lastState": {},
                "ready": True,
                "restartCount": 0,
                "started": True,
                "state": {"running": {"startedAt": STAMP}},
            }
        ],
    }


def test_before_the_first_start(a_spec: ASpec) -> None:
    status = make_status(a_spec(), Observed({}, started_at=NOW), {}, now=NOW)
    assert status["phase"] == "Pending"
    assert "podIP" not in status
    assert status["containerStatuses"][0]["state"] == {"waiting": {"reason": "ContainerCreating"}}
    assert condition(status, "PodReadyToStartContainers")["status"] == "False"


def test_waiting_behind_init_containers(a_spec: ASpec) -> None:
    status = make_status(a_spec(inits=({},)), seen(i0=running()), {}, now=NOW)
    assert status["containerStatuses"][0]["state"] == {"waiting": {"reason": "PodInitializing"}}
    assert condition(status, "Initialized")["reason"] == "ContainersNotInitialized"
    assert condition(status, "Initialized")["message"] == "containers with incomplete status: [i0]"


def test_crash_loop(a_spec: ASpec) -> None:
    record = replace(ended(3), backoff=Backoff(40.0, NOW), restarts=4)
    found = state(a_spec(), record, now=NOW + 1)
    assert found["state"] == {
        "waiting": {
            "reason": "CrashLoopBackOff",
            "message": "back-off 40s restarting failed container=c0 pod=web_default(uid-web)",
        }
    }
    assert found["lastState"]["terminated"]["exitCode"] == 3
    assert found["restartCount"] == 4


def test_an_unknown_image_is_an_error_first_and_a_backoff_then(a_spec: ASpec) -> None:
    record = records.creation_failed(records.NEW, "ErrImagePull", "not known here", now=NOW)
    assert state(a_spec(), record)["state"]["waiting"] == {
        "reason": "ErrImagePull",
        "message": "not known here",
    }
    assert changes_at(seen(c0=record), NOW) == NOW + 1
    assert state(a_spec(), record, now=NOW + 1)["state"]["waiting"] == {
        "reason": "ImagePullBackOff",
        "message": 'Back-off pulling image "app": ErrImagePull: not known here',
    }


@pytest.mark.parametrize(
    "reason", ["CreateContainerConfigError", "CreateContainerError", "ErrImageNeverPull"]
)
def test_other_complaints_stay_as_they_are(a_spec: ASpec, reason: str) -> None:
    record = records.creation_failed(records.NEW, reason, "why", now=NOW)
    found = state(a_spec(), record, now=NOW + 60)["state"]["waiting"]
    assert found == {"reason": reason, "message": "why"}


def test_a_program_that_cannot_be_started(a_spec: ASpec) -> None:
    record = records.start_failed(records.NEW, "no such file", now=NOW, container_id="")
    waiting = state(a_spec(), record)["state"]["waiting"]
    assert waiting == {"reason": "RunContainerError", "message": "no such file"}
    never = state(a_spec(restartPolicy="Never"), record)["state"]["terminated"]
    assert (never["exitCode"], never["reason"]) == (128, "StartError")


def test_the_end_of_a_job(a_spec: ASpec) -> None:
    how = Terminated(
        0, "Completed", NOW + 5, started_at=NOW, message="done", container_id="hearth://a"
    )
    status = make_status(a_spec(restartPolicy="Never"), seen(c0=Record(ended=how)), {}, now=NOW + 5)
    assert status["phase"] == "Succeeded"
    assert condition(status, "Ready")["reason"] == "PodCompleted"
    assert condition(status, "Initialized")["reason"] == "PodCompleted"
    assert status["containerStatuses"][0]["state"]["terminated"] == {
        "exitCode": 0,
        "reason": "Completed",
        "message": "done",
        "startedAt": STAMP,
        "finishedAt": "2026-09-21T14:13:25Z",
        "containerID": "hearth://a",
    }


def test_a_failed_pod_says_why(a_spec: ASpec) -> None:
    observed = replace(seen(c0=ended(143)), failure=Failure("DeadlineExceeded", "too long"))
    status = make_status(a_spec(), observed, {}, now=NOW)
    assert (status["phase"], status["reason"], status["message"]) == (
        "Failed",
        "DeadlineExceeded",
        "too long",
    )
    assert condition(status, "Ready")["reason"] == "PodFailed"


def test_an_unready_container(a_spec: ASpec) -> None:
    status = make_status(a_spec({}, {}), seen(c0=running(ready=False), c1=running()), {}, now=NOW)
    assert condition(status, "Ready")["status"] == "False"
    assert condition(status, "ContainersReady")["message"] == (
        "containers with unready status: [c0]"
    )


def test_transition_times_change_with_the_status_only(a_spec: ASpec) -> None:
    first = make_status(a_spec(), seen(c0=running(ready=False)), {}, now=NOW)
    second = make_status(a_spec(), seen(c0=running()), first, now=NOW + 10)
    assert condition(second, "Ready")["lastTransitionTime"] == "2026-09-21T14:13:30Z"
    assert condition(second, "PodScheduled")["lastTransitionTime"] == STAMP


def test_the_same_world_gives_the_same_status(a_spec: ASpec) -> None:
    observed = seen(c0=running())
    first = make_status(a_spec(), observed, {}, now=NOW)
    assert make_status(a_spec(), observed, first, now=NOW + 100) == first


def test_readiness_gates(a_spec: ASpec) -> None:
    pod = a_spec(readinessGates=[{"conditionType": "example.com/open"}])
    status = make_status(pod, seen(c0=running()), {}, now=NOW)
    assert condition(status, "Ready")["reason"] == "ReadinessGatesNotReady"
    gate = {"type": "example.com/open", "status": "True", "lastTransitionTime": STAMP}
    status = make_status(pod, seen(c0=running()), {"conditions": [gate]}, now=NOW)
    assert condition(status, "Ready")["status"] == "True"
    assert gate in status["conditions"]


def test_a_deleted_pod_shows_how_its_containers_ended(a_spec: ASpec) -> None:
    observed = replace(seen(c0=ended(143)), deletion=Deletion(NOW))
    status = make_status(a_spec(), observed, {}, now=NOW)
    assert status["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 143
