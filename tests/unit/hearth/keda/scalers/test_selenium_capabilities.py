"""How many nodes of a Selenium Grid are needed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearth.keda.scalers.selenium_capabilities import (
    DOWNLOADS,
    Wanted,
    capabilities_of,
    nodes_needed,
    platform,
)

CHROME = {"browserName": "chrome", "platformName": "linux"}
WANTED = Wanted("chrome", platform="linux", session_browser="chrome")


def node(slots: int = 1, sessions: int = 0, status: str = "UP", **stereotype: Any) -> Any:
    offered = {**CHROME, **stereotype}
    return {
        "id": "n",
        "status": status,
        "maxSession": slots,
        "sessionCount": sessions,
        "stereotypes": json.dumps([{"slots": slots, "stereotype": offered}]),
        "sessions": [{"slot": {"stereotype": json.dumps(offered)}}] * sessions,
    }


def grid(*nodes: Any, queue: int = 0, **request: Any) -> Any:
    requests = [json.dumps({**CHROME, **request})] * queue
    return {"nodesInfo": {"nodes": list(nodes)}, "sessionsInfo": {"sessionQueueRequests": requests}}


@pytest.mark.parametrize(
    ("found", "node_sessions", "needed"),
    [
        (grid(), 1, 0),
        (grid(queue=3), 1, 3),
        (grid(queue=3), 2, 2),
        (grid(node(), queue=1), 1, 0),
        (grid(node(sessions=1), queue=1), 1, 2),
        (grid(node(slots=3, sessions=1), queue=3), 1, 2),
        (grid(node(status="DRAINING"), queue=1), 1, 1),
        (grid(node(browserName="firefox"), queue=1), 1, 1),
        (grid(queue=2, browserName="firefox"), 1, 0),
    ],
)
def test_requests_go_to_nodes_with_room_and_then_to_new_ones(found, node_sessions, needed):
    assert nodes_needed(found, WANTED, node_sessions) == needed


@pytest.mark.parametrize(
    ("wanted", "request_", "matches"),
    [
        (Wanted("chrome"), {"browserName": "Chrome"}, True),
        (Wanted("chrome"), {"browserName": "chrome", "platformName": "linux"}, False),
        (Wanted("chrome", platform="Windows 10"), {**CHROME, "platformName": "win11"}, True),
        (Wanted("chrome", platform="windows"), {**CHROME, "platformName": "win11"}, False),
        (Wanted("chrome", "91.0"), {"browserName": "chrome", "browserVersion": "91"}, True),
        (Wanted("chrome", "91.0"), {"browserName": "chrome"}, False),
        (Wanted("chrome"), {"browserName": "chrome", "browserVersion": "91"}, False),
        (Wanted("chrome"), {"browserName": "chrome", DOWNLOADS: True}, False),
        (
            Wanted("chrome", capabilities=capabilities_of("", True)),
            {"browserName": "chrome", DOWNLOADS: True},
            True,
        ),
        (
            Wanted("chrome", capabilities=capabilities_of('{"a": 1, "goog:b": 2}', False)),
            {"browserName": "chrome", "a": 1},
            True,
        ),
        (
            Wanted("chrome", capabilities=capabilities_of('{"a": 1}', False)),
            {"browserName": "chrome"},
            False,
        ),
        (Wanted("msedge"), {"browserName": 7}, False),
    ],
)
def test_which_requests_are_for_a_trigger(wanted, request_, matches):
    assert wanted.is_asked_by(request_) is matches


def test_nodes_may_call_a_browser_by_another_name():
    wanted = Wanted("msedge", session_browser="MicrosoftEdge")
    assert wanted.is_offered_by({"browserName": "microsoftedge"})
    assert not wanted.is_asked_by({"browserName": "microsoftedge"})


def test_what_is_broken_hurts_itself_only():
    found = grid(node(), queue=2)
    found["sessionsInfo"]["sessionQueueRequests"] += ["no json", "[]", None]
    found["nodesInfo"]["nodes"].append({**node(), "stereotypes": "no json"})
    assert nodes_needed(found, WANTED, 1) == 1


@pytest.mark.parametrize("name", ["Any", ""])
def test_no_platform_is_any(name):
    assert platform(name) == "any"


@given(st.integers(0, 20), st.integers(1, 5), st.lists(st.integers(0, 4), max_size=5))
def test_new_nodes_are_just_enough_for_what_no_node_takes(queue, node_sessions, slots):
    nodes = [node(slots=count) for count in slots]
    left = max(queue - sum(slots), 0)
    assert nodes_needed(grid(*nodes, queue=queue), WANTED, node_sessions) == -(
        -left // node_sessions
    )
