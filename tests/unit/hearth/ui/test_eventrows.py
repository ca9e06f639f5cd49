"""The event graph and dead letters as rows."""

from __future__ import annotations

from typing import Any

import pytest

from hearth.ui.eventrows import graph_rows, letter_rows

BROKER = {"id": "broker default/default", "kind": "broker", "name": "default/default"}
SOURCE = {"id": "source /shop", "kind": "source", "name": "/shop"}


def an_edge(count: int, label: str = "order") -> dict[str, Any]:
    return {
        "from": SOURCE["id"],
        "to": BROKER["id"],
        "kind": "sends",
        "label": label,
        "count": count,
    }


def test_what_is_declared_and_what_flows_are_one_graph() -> None:
    declared = {BROKER["id"]: {**BROKER, "ready": "True", "words": ""}}
    told = {"nodes": [BROKER, SOURCE | {"failed": 2}], "edges": [an_edge(40)]}
    nodes, edges = graph_rows(declared, told, {"seconds": 10.0, "edges": [an_edge(5)]})
    assert nodes[BROKER["id"]] == {
        **BROKER,
        "ready": "True",
        "words": "",
        "failed": 0,
        "dropped": 0,
    }
    assert nodes[SOURCE["id"]] == {**SOURCE, "ready": "", "words": "", "failed": 2, "dropped": 0}
    [edge] = edges.values()
    assert edge == {"id": "source /shop > broker default/default sends order", **an_edge(40),
                    "rate": 0.5}  # fmt: skip


def test_what_has_just_begun_to_flow_is_shown_before_it_is_counted_in_the_long_run() -> None:
    recent = {"seconds": 10.0, "nodes": [BROKER, SOURCE], "edges": [an_edge(5)]}
    nodes, edges = graph_rows({}, {}, recent)
    assert (len(nodes), [(each["count"], each["rate"]) for each in edges.values()]) == (
        2,
        [(5, 0.5)],
    )


def test_without_events_there_is_what_is_declared() -> None:
    declared = {BROKER["id"]: {**BROKER, "ready": "False", "words": "why"}}
    nodes, edges = graph_rows(declared, {}, {})
    assert (list(nodes), edges) == ([BROKER["id"]], {})


def a_failure(outcome: str, **fields: Any) -> dict[str, Any]:
    cause = {"at": "2026-11-30T03:00:00.5Z", "url": "http://mail", "status": 500, "error": ""}
    return {
        "place": "broker default/default", "position": "7", "outcome": outcome, "sink": "",
        "attributes": {"id": "a", "type": "order", "source": "/shop", "extra": "x"},
        "subscription": "trigger default/mail", "cause": cause, **fields,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (a_failure("held"), "the subscriber answered 500; kept until it is redriven"),
        (a_failure("held", reason="no sink"),
         "the subscriber answered 500; kept until it is redriven: no sink"),
        (a_failure("dead letter", sink="http://letters"),
         "the subscriber answered 500; it went to http://letters"),
        (a_failure("dropped", cause={"at": "", "status": 0, "error": "refused"}),
         "the subscriber gave no answer (refused)"),
    ],
)  # fmt: skip
def test_dead_letters_in_words(failure: dict[str, Any], words: str) -> None:
    [row] = letter_rows([failure]).values()
    assert row["words"] == words
    assert row["id"] == "broker default/default 7 trigger default/mail"
    assert row["event"] == {"id": "a", "type": "order", "source": "/shop"}
