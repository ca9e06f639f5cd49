"""Why a pod of an adapter does not run."""

from __future__ import annotations

import json
from typing import Any

import pytest

from eventing.kinds.lastwords import last_words


def pod(*, made: str = "2026-01-01T00:00:00Z", **status: Any) -> Any:
    told = {"containerStatuses": [status]} if status else {}
    return {"metadata": {"name": "p", "creationTimestamp": made}, "status": told}


def ended(message: str, code: int = 78) -> dict[str, Any]:
    return {"terminated": {"exitCode": code, "message": message}}


LINES = "a line\n" + json.dumps({"level": "error", "message": "there is no queue"}) + "\n"
WAITING = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}}
NO_SECRET = {"reason": "CreateContainerConfigError", "message": 'secret "keys" not found'}


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ({}, ""),
        ({"ready": True, "state": {"running": {}}, "lastState": ended(LINES)}, ""),
        ({"state": {"running": {}}}, ""),
        ({"state": {"running": {}}, "lastState": ended(LINES)}, "there is no queue"),
        ({"state": ended(LINES)}, "there is no queue"),
        ({"state": WAITING, "lastState": ended("plain words\n")}, "plain words"),
        ({"state": ended("", 0)}, ""),
        ({"state": WAITING}, "CrashLoopBackOff: back-off 10s"),
        ({"state": {"waiting": {"reason": "ContainerCreating", "message": "x"}}}, ""),
        (
            {"state": {"waiting": NO_SECRET}},
            'CreateContainerConfigError: secret "keys" not found',
        ),
    ],
)
def test_the_words_of_a_container(status: dict[str, Any], words: str) -> None:
    assert last_words([pod(**status)]) == words


def test_those_of_the_newest_pod_count() -> None:
    old = pod(made="2026-01-01T00:00:00Z", state=ended("old"))
    new = pod(made="2026-01-01T00:00:09Z", state=ended("new"))
    assert last_words([old, new]) == last_words([new, old]) == "new"
    assert last_words([]) == ""
