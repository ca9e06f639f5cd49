"""What ``hearth status`` makes of the states of components, services and containers."""

from __future__ import annotations

from typing import Any

import pytest

from hearth.cli.diagnosis import (
    describe_component,
    describe_exit,
    describe_service,
)

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
