"""Which containers are in trouble, and what is said of them."""

from __future__ import annotations

from typing import Any

import pytest

from hearth.kube.clock import rfc3339
from hearth.kube.troubles import describe_container, troubled_containers

Object = dict[str, Any]
NOW = 1_800_000_000.0


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
