"""Where an event is: asked of a running Hearth with the real command."""

from __future__ import annotations

import json
import os
import signal
from typing import Any

from tests.e2e.support import SAMPLES, Hearth, wait_until


def trace(hearth: Hearth, event_id: str) -> list[dict[str, Any]]:
    done = hearth.run("event", "trace", event_id, "-o", "json", check=False)
    journeys: list[dict[str, Any]] = json.loads(done.stdout)["journeys"]
    assert done.returncode == (0 if journeys else 1)
    return journeys


def outcomes(journeys: list[dict[str, Any]]) -> dict[str, str]:
    """How each event fares with those that it matched."""
    return {
        f"{journey['attributes']['id']} {leg['name']}": leg["outcome"]
        for journey in journeys
        for leg in journey["subscriptions"]
        if leg["matched"]
    }


def test_an_event_is_traced_to_its_end(hearth: Hearth) -> None:
    hearth.kubectl("apply", "-f", str(SAMPLES / "events.yaml"))
    for name in ("orders", "mailer", "refuser"):
        hearth.kubectl("wait", "--for=condition=Ready", f"trigger/{name}", "--timeout=90s")
    hearth.run("event", "send", "--type", "order.created", "--id", "traced")
    hearth.run("event", "send", "--type", "order.lost", "--id", "lost")
    whole = {
        "traced trigger default/orders": "delivered",
        "traced-reply trigger default/mailer": "delivered",
    }
    wait_until(lambda: outcomes(trace(hearth, "traced")) == whole, what="both events delivered")
    dead = {"lost trigger default/refuser": "dead letter"}
    wait_until(lambda: outcomes(trace(hearth, "lost")) == dead, what="the dead letter")
    text = hearth.run("event", "trace", "traced").stdout
    assert "trigger default/orders: delivered" in text
    assert "reply traced-reply of type order.confirmed, to the same log" in text
    assert 'filter.attributes[type]: wants "order.lost", the event has "order.created"' in text

    events = json.loads(hearth.run("event", "list", "-o", "json").stdout)
    assert {"traced", "traced-reply", "lost"} <= {each["attributes"]["id"] for each in events}
    assert "order.confirmed" in hearth.run("event", "list").stdout
    [letter] = json.loads(hearth.run("event", "dead-letters", "-o", "json").stdout)
    assert (letter["attributes"]["id"], letter["cause"]["status"]) == ("lost", 503)
    assert "lost-and-found" in letter["sink"]
    graph = json.loads(hearth.run("event", "graph", "-o", "json").stdout)
    flows = {(edge["from"], edge["kind"], edge["to"]): edge["count"] for edge in graph["edges"]}
    assert flows["trigger default/orders", "replies", "broker default/default"] >= 1
    assert hearth.run("event", "graph", "-o", "dot").stdout.startswith("digraph events {")
    assert hearth.run("event", "graph", "-o", "mermaid").stdout.startswith("flowchart LR")


def is_current(hearth: Hearth, service: str) -> bool:
    """Whether a Service is Ready as it was applied last."""
    found = hearth.get_json("ksvc", service)
    status = found.get("status") or {}
    ready = {each["type"]: each["status"] for each in status.get("conditions") or ()}.get("Ready")
    return ready == "True" and status["observedGeneration"] == found["metadata"]["generation"]


def test_events_are_replayed(hearth: Hearth) -> None:
    samples = (SAMPLES / "events.yaml").read_text()
    # What the mailer has received is in its memory, which goes with its pod.
    hearth.kubectl("apply", "-f", "-", stdin=samples.replace("window: 6s", "window: 60s"))
    wait_until(lambda: is_current(hearth, "mailer"), what="the mailer that stays awake")
    hearth.kubectl("wait", "--for=condition=Ready", "trigger/mailer", "--timeout=90s")
    hearth.run("event", "send", "--type", "order.confirmed", "--id", "replayed")
    mailed = {"replayed trigger default/mailer": "delivered"}
    wait_until(lambda: outcomes(trace(hearth, "replayed")) == mailed, what="its delivery")
    asked = ("event", "replay", "--trigger", "mailer", "--from", "replayed", "--count", "1")
    counted = hearth.run(*asked, "--dry-run").stdout
    assert "1 of 1 events match: so many would be delivered once more" in counted
    assert "1 delivered" in hearth.run(*asked).stdout
    received = json.loads(hearth.request("mailer", "/received").body)
    ids = [entry["received"]["id"] for entry in received]
    assert ids.count("replayed") == 2
    [journey] = trace(hearth, "replayed")
    [leg] = [leg for leg in journey["subscriptions"] if leg["matched"]]
    assert [bool(each["replay"]) for each in leg["attempts"]] == [False, True]
    assert "Nothing" not in hearth.run("event", "redrive", "--all").stdout


def test_journeys_outlive_the_broker_process(hearth: Hearth) -> None:
    hearth.kubectl("apply", "-f", str(SAMPLES / "events.yaml"))
    hearth.kubectl("wait", "--for=condition=Ready", "trigger/mailer", "--timeout=90s")
    hearth.run("event", "send", "--type", "order.confirmed", "--id", "outlives")
    mailed = {"outlives trigger default/mailer": "delivered"}
    wait_until(lambda: outcomes(trace(hearth, "outlives")) == mailed, what="its delivery")
    killed = hearth.pids()["broker"]
    os.kill(killed, signal.SIGKILL)

    def is_back() -> bool:
        done = hearth.run("event", "list", check=False)
        return done.returncode == 0 and hearth.pids().get("broker") not in (killed, None)

    wait_until(is_back, what="the broker process")
    # Asking has had all written that was noted before the kill.
    assert outcomes(trace(hearth, "outlives")) == mailed


def test_of_an_unknown_event_is_said_what_that_means(hearth: Hearth) -> None:
    done = hearth.run("event", "trace", "never-sent", check=False)
    assert done.returncode == 1
    assert "nothing is known of an event with the id 'never-sent'" in done.stderr
    done = hearth.run("event", "list", "--broker", "shop/none", check=False)
    assert "there is no broker shop/none here" in done.stderr
