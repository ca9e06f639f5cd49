"""What ``hearth status`` makes of the states of components, services and containers."""

from __future__ import annotations

from typing import Any

import pytest

from hearth.cli.diagnosis import (
    describe_component,
    describe_container,
    describe_exit,
    describe_service,
    troubled_containers,
)
from hearth.kube.clock import rfc3339

Object = dict[str, Any]
NOW = 1_800_000_000.0


def health(**fields: Any) -> dict[str, Any]:
    return {"pid": 7, "is_ready": True, "restarts": 0, "exit_code": 0, "ended_at": 0.0,
            "last_words": "", **fields}  # fmt: skip


@pytest.mark.parametrize(
    ("given", "state", "words", "trouble"),
    [
        pytest.param(health(), "running", "", False, id="well"),
        pytest.param({}, "running", "", False, id="the-supervisor"),
        pytest.param(health(is_ready=False), "starting", "", True, id="starting"),
        pytest.param(
            health(pid=0, is_ready=False, is_wanted=False),
            "not needed yet",
            "",
            False,
            id="not needed",
        ),
        pytest.param(
            health(pid=0, is_ready=False, restarts=4, ended_at=998.0, last_words="KeyError: 'x'"),
            "down, ended 2s ago",
            "KeyError: 'x'",
            True,
            id="down",
        ),
        pytest.param(
            health(restarts=4, ended_at=990.0, exit_code=-9),
            "running, ended 10s ago",
            "killed by SIGKILL",
            True,
            id="back-for-a-moment",
        ),
        pytest.param(
            health(restarts=1, ended_at=100.0, exit_code=1), "running", "exit code 1", False,
            id="back-for-good",
        ),
    ],
)  # fmt: skip
def test_components(given: dict[str, Any], state: str, words: str, trouble: bool) -> None:
    found = describe_component(given, now=1000.0)
    assert (found["state"], found["lastWords"], found["trouble"]) == (state, words, trouble)
    assert found["restarts"] == given.get("restarts", 0)


@pytest.mark.parametrize(
    ("code", "words"),
    [(0, "exit code 0"), (-15, "killed by SIGTERM"), (-99, "killed by signal 99")],
)
def test_exits(code: int, words: str) -> None:
    assert describe_exit(code) == words


def test_services() -> None:
    conditions = [{"type": "Ready", "status": "False", "reason": "RevisionMissing"}]
    service = {
        "metadata": {"name": "web", "namespace": "shop"},
        "status": {"conditions": conditions, "url": "http://web"},
    }
    assert describe_service(service) == {
        "namespace": "shop",
        "name": "web",
        "url": "http://web",
        "ready": "False",
        "reason": "RevisionMissing",
    }
    assert describe_service({"metadata": {"name": "new"}})["ready"] == "Unknown"


# -- containers ---------------------------------------------------------------------------------


def a_pod(status: Object, *, field: str = "containerStatuses", **metadata: Any) -> Object:
    container = {"name": "main", "restartCount": 0, "state": {}, "lastState": {}, **status}
    return {
        "metadata": {"name": "web", "namespace": "default", **metadata},
        "status": {field: [container]},
    }


def waiting(reason: str, message: str = "", **fields: Any) -> Object:
    return {"state": {"waiting": {"reason": reason, "message": message}}, **fields}


def ended(seconds_ago: float, code: int = 3, message: str = "") -> Object:
    end = {"exitCode": code, "finishedAt": rfc3339(NOW - seconds_ago), "message": message}
    return {"terminated": end}


RUNNING = {"running": {"startedAt": rfc3339(NOW)}}


@pytest.mark.parametrize(
    ("pod", "is_troubled"),
    [
        pytest.param(a_pod({"state": RUNNING}), False, id="runs"),
        pytest.param(a_pod(waiting("ContainerCreating")), False, id="begins"),
        pytest.param(a_pod({"state": ended(5, 1)}), False, id="work-that-failed"),
        pytest.param(a_pod(waiting("CrashLoopBackOff")), True, id="backs-off"),
        pytest.param(
            a_pod(waiting("CrashLoopBackOff"), field="initContainerStatuses"), True, id="init"
        ),
        pytest.param(a_pod(waiting("ImagePullBackOff")), True, id="no-image"),
        pytest.param(a_pod(waiting("CreateContainerConfigError")), True, id="no-secret"),
        pytest.param(
            a_pod({"state": RUNNING, "restartCount": 2, "lastState": ended(30)}), True, id="loops"
        ),
        pytest.param(
            a_pod({"state": RUNNING, "restartCount": 2, "lastState": ended(3600)}), False,
            id="looped-once",
        ),
        pytest.param(
            a_pod({"state": RUNNING, "restartCount": 2, "lastState": ended(30, 0)}), False,
            id="ends-well",
        ),
        pytest.param(
            a_pod(waiting("CrashLoopBackOff"), deletionTimestamp="t"), False, id="goes"
        ),
        pytest.param({"metadata": {"name": "new"}}, False, id="no-status"),
    ],
)  # fmt: skip
def test_which_containers_are_in_trouble(pod: Object, is_troubled: bool) -> None:
    assert bool(list(troubled_containers([pod], NOW))) == is_troubled


@pytest.mark.parametrize(
    ("status", "state", "words"),
    [
        (
            waiting("CrashLoopBackOff", "back-off 10s", lastState=ended(5, message="no config")),
            "CrashLoopBackOff",
            "no config",
        ),
        (waiting("ErrImagePull", "not known here"), "ErrImagePull", "not known here"),
        (
            {"state": RUNNING, "lastState": ended(30, 3), "restartCount": 2},
            "Running, ended with code 3 before",
            "",
        ),
    ],
)
def test_what_is_said_of_them(status: Object, state: str, words: str) -> None:
    ((pod, container),) = troubled_containers([a_pod(status)], NOW)
    found = describe_container(pod, container)
    assert (found["state"], found["lastWords"]) == (state, words)
    assert (found["namespace"], found["pod"], found["container"]) == ("default", "web", "main")
