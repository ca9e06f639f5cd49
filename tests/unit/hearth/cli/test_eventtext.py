"""Journeys and graphs as text."""

from __future__ import annotations

from typing import Any

import pytest

from hearth.cli import eventgraph
from hearth.cli.eventtext import trace_text

ARRIVED = "2026-11-29T07:00:00.000000Z"


def attempt(**changes: Any) -> dict[str, Any]:
    made = {
        "at": "2026-11-29T07:00:00.250000Z",
        "hop": "subscriber",
        "number": 1,
        "url": "http://mailer/",
        "status": 200,
        "error": "",
        "seconds": 0.0123,
        "follows": "done",
        "retryAt": None,
        "replay": "",
    }
    return made | changes


def leg(name: str = "trigger ns/mailer", **changes: Any) -> dict[str, Any]:
    made = {"name": name, "matched": True, "outcome": "delivered", "attempts": [], "replies": []}
    return made | changes


def journey(*legs: dict[str, Any], **changes: Any) -> dict[str, Any]:
    made = {
        "place": "broker ns/shop",
        "position": "7",
        "arrivedAt": ARRIVED,
        "attributes": {"id": "1", "source": "/s", "type": "t"},
        "subscriptions": list(legs),
        "notTold": 0,
    }
    return made | changes


def lines(*journeys: dict[str, Any], lost: int = 0) -> list[str]:
    return trace_text({"journeys": list(journeys), "lost": lost, "kept": True}).splitlines()


def test_an_event_that_was_delivered() -> None:
    assert lines(journey(leg(attempts=[attempt()]))) == [
        "event 1 of type t from /s",
        "  broker ns/shop, offset 7, 2026-11-29T07:00:00.000000Z",
        "  trigger ns/mailer: delivered",
        "        +0.250 s  attempt 1: 200 after 12.3 ms from http://mailer/",
    ]


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        (
            {"status": 0, "error": "refused", "follows": "retry",
             "retryAt": "2026-11-29T07:00:01.500000Z"},
            "attempt 1: no answer after 12.3 ms from http://mailer/ (refused); again +1.500 s",
        ),
        (
            {"status": 400, "url": "", "follows": "dead letter"},
            "attempt 1: 400 after 12.3 ms; given up; on to the dead letter sink",
        ),
        ({"status": 404, "url": "", "follows": "dropped"},
         "attempt 1: 404 after 12.3 ms; given up"),
        ({"hop": "dead letter", "number": 2},
         "dead letter attempt 2: 200 after 12.3 ms from http://mailer/"),
        ({"follows": "reply", "replay": "r-1"},
         "attempt 1: 200 after 12.3 ms from http://mailer/; answered with an event [replay r-1]"),
        ({"status": 0, "follows": "expired", "error": "it was to be delivered by noon"},
         "not sent (it was to be delivered by noon)"),
        ({"status": 0, "follows": "waiting", "error": "its deliverytime has not come",
          "retryAt": "2026-11-29T08:00:00.000000Z"},
         "not sent (its deliverytime has not come); at 2026-11-29T08:00:00.000000Z"),
        ({"status": 0, "follows": "at once", "error": "deliverytime 'soon' is no time (RFC 3339)"},
         "delivered at once (deliverytime 'soon' is no time (RFC 3339))"),
        ({"follows": "something new"},
         "attempt 1: 200 after 12.3 ms from http://mailer/; something new"),
    ],
)  # fmt: skip
def test_what_followed_an_attempt(changes: dict[str, Any], text: str) -> None:
    assert lines(journey(leg(attempts=[attempt(**changes)])))[3].split("s  ", 1)[1] == text


def test_a_reply_is_told_with_both_events() -> None:
    reply = {"at": ARRIVED, "id": "r", "source": "/m", "type": "sent", "url": "", "replay": ""}
    answer = {"id": "r", "source": "/m", "type": "sent"}
    told = lines(journey(leg(replies=[reply])), journey(attributes=answer, position="8"))
    assert "        +0.000 s  reply r of type sent, to the same log" in "\n".join(told)
    assert "  the answer of trigger ns/mailer to event 1" in told
    assert "  nobody is subscribed" in told


def test_an_answer_stands_behind_its_attempt_and_before_its_own() -> None:
    def at(milliseconds: int, **more: Any) -> dict[str, Any]:
        return {"at": f"2026-11-29T07:00:00.{milliseconds:03d}000Z", "replay": "", **more}

    reply = {"id": "r", "source": "/m", "type": "sent", "url": "http://next/"}
    attempts = [
        attempt(**at(10, follows="reply")),
        attempt(**at(12, hop="reply", url="http://next/")),
        attempt(**at(90, follows="reply", replay="x")),
        attempt(**at(95, hop="reply", url="http://next/", replay="x")),
    ]
    replies = [reply | at(9), reply | at(89, replay="x"), reply | at(99, replay="lost")]
    told = [
        line.split("s  ")[1] for line in lines(journey(leg(attempts=attempts, replies=replies)))[3:]
    ]
    assert [line.split(":")[0].split(" of ")[0] for line in told] == [
        "attempt 1",
        "reply r",
        "reply attempt 1",
        "attempt 1",
        "reply r",
        "reply attempt 1",
        "reply r",
    ]


def test_why_an_event_does_not_match() -> None:
    missed = {"name": "trigger ns/x", "matched": False, "clause": "filters[0].exact[type]",
              "reason": 'wants "a", the event has "t"'}  # fmt: skip
    unexplained = {**missed, "clause": "", "reason": "was not there yet"}
    assert lines(journey(missed, unexplained, notTold=4), lost=3)[2:] == [
        "  trigger ns/x: does not match",
        '    filters[0].exact[type]: wants "a", the event has "t"',
        "  trigger ns/x: does not match",
        "    was not there yet",
        "  and 4 more that it does not match",
        "",
        "3 notes about events were lost since the broker started.",
    ]


# -- graphs ----------------------------------------------------------------------------------------

GRAPH = {
    "nodes": [
        {"id": "source /s", "kind": "source", "name": '/s "x" <#>'},
        {"id": "broker ns/b", "kind": "broker", "name": "ns/b"},
        {"id": "trigger ns/t", "kind": "trigger", "name": "ns/t", "failed": 3},
        {"id": "sink http://l/", "kind": "sink", "name": "http://l/"},
    ],
    "edges": [
        {"from": "source /s", "to": "broker ns/b", "kind": "sends", "label": "a", "count": 2},
        {"from": "broker ns/b", "to": "trigger ns/t", "kind": "matches", "label": "", "count": 1},
        {"from": "trigger ns/t", "to": "sink http://l/", "kind": "dead letter", "label": "",
         "count": 1},
        {"from": "trigger ns/t", "to": "broker ns/b", "kind": "replies", "label": "r", "count": 1},
    ],
}  # fmt: skip


def test_a_graph_for_graphviz() -> None:
    assert eventgraph.dot(GRAPH).splitlines() == [
        "digraph events {",
        "  rankdir=LR;",
        "  node [fontname=sans];",
        '  "source /s" [label="source\\n/s \\"x\\" <#>", shape=ellipse];',
        '  "broker ns/b" [label="broker\\nns/b", shape=box3d];',
        '  "trigger ns/t" [label="trigger\\nns/t\\n3 attempts failed", shape=diamond];',
        '  "sink http://l/" [label="sink\\nhttp://l/", shape=box];',
        '  "source /s" -> "broker ns/b" [label="a\\n2"];',
        '  "broker ns/b" -> "trigger ns/t" [label="matches\\n1"];',
        '  "trigger ns/t" -> "sink http://l/" [label="dead letter\\n1", style=dashed];',
        '  "trigger ns/t" -> "broker ns/b" [label="replies r\\n1"];',
        "}",
    ]


def test_a_graph_for_mermaid() -> None:
    assert eventgraph.mermaid(GRAPH).splitlines() == [
        "flowchart LR",
        '  n0(["source<br>/s #quot;x#quot; #lt;#35;#gt;"])',
        '  n1[["broker<br>ns/b"]]',
        '  n2{{"trigger<br>ns/t<br>3 attempts failed"}}',
        '  n3["sink<br>http://l/"]',
        '  n0 -->|"a<br>2"| n1',
        '  n1 -->|"matches<br>1"| n2',
        '  n2 -.->|"dead letter<br>1"| n3',
        '  n2 -->|"replies r<br>1"| n1',
    ]


def test_a_graph_as_rows() -> None:
    assert [tuple(row.values()) for row in eventgraph.rows(GRAPH)][0::3] == [
        ('source /s "x" <#>', "sends a", "broker ns/b", 2),
        ("trigger ns/t", "replies r", "broker ns/b", 1),
    ]
