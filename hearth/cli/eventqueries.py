"""``hearth event trace``, ``list``, ``dead-letters`` and ``graph``: ask and show."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hearth.cli import eventgraph
from hearth.cli.asking import Json
from hearth.cli.errors import UserError
from hearth.cli.eventadmin import BrokerProcess
from hearth.cli.eventtext import trace_text
from hearth.cli.statusparts import table

_FOLLOW_SECONDS = "20"
"""How long one question waits for the next event, before it is asked again."""
_COLUMNS = {
    "OFFSET": "position",
    "ARRIVED": "arrived",
    "ID": "id",
    "TYPE": "type",
    "SOURCE": "source",
    "BYTES": "bytes",
}
_OFF = "journeys of events are not kept: event-journeys is disabled in config-features"


def trace(broker: BrokerProcess, event_id: str, output: str) -> int:
    """Print what is known of an event; return the exit code."""
    check_output(output, "text", "json")
    told = broker.get("/trace", {"id": event_id})
    if output == "json":
        print(json.dumps(told, indent=2))
    elif told["journeys"]:
        print(trace_text(told))
    if told["journeys"]:
        return 0
    if output == "text":
        raise UserError(f"nothing is known of an event with the id {event_id!r}: {_why(told)}")
    return 1


def _why(told: Json) -> str:
    if not told["kept"]:
        return _OFF
    text = (
        "it was not accepted by any broker or channel (the sender's answer says why), or that was "
        "so long ago that its notes made way for newer ones"
    )
    return f"{text}, or it is among {told['lost']} notes that were lost" if told["lost"] else text


def list_events(
    broker: BrokerProcess, place: Mapping[str, str], *, limit: int, follow: bool, output: str
) -> int:
    """Print the newest events; with ``follow`` go on until interrupted."""
    check_output(output, "table", "json")
    told = broker.get("/events", {**place, "limit": str(limit)})
    if not follow:
        _print_list(told, place, output)
        return 0
    rows = _printer(output)
    while True:
        rows(told["events"])
        since = told["next"]
        query = {"since": since["since"], "seen": ",".join(since["seen"]), "wait": _FOLLOW_SECONDS}
        told = broker.get("/events", {**place, **query, "limit": "1000"})


def _print_list(told: Json, place: Mapping[str, str], output: str) -> None:
    if output == "json":
        print(json.dumps(told["events"], indent=2))
    elif told["events"]:
        columns = {**_COLUMNS, "STATE": "state"}
        _print_table(columns, [_row(event) for event in told["events"]])
    else:
        [(kind, name)] = place.items()
        print(f"No events are kept in the log of {kind} {name}.")


def _printer(output: str) -> Callable[[Sequence[Json]], None]:
    """Prints event after event as they come: a line each, without knowing what is to come."""

    def told(event: Json) -> str:
        if output == "json":
            return json.dumps(event)
        row = _row(event)
        return "  ".join(str(row[field]) for field in _COLUMNS.values())

    def printed(events: Sequence[Json]) -> None:
        for event in events:
            print(told(event), flush=True)

    return printed


def _row(event: Json) -> Json:
    attributes = event["attributes"]
    outcomes = Counter((event.get("outcomes") or {}).values())
    state = ", ".join(f"{count} {outcome}" for outcome, count in outcomes.items())
    return {
        "position": event["position"],
        "arrived": event["arrivedAt"],
        "id": attributes.get("id", ""),
        "type": attributes.get("type", ""),
        "source": attributes.get("source", ""),
        "bytes": event["bytes"],
        "state": state or "no match",
    }


def list_dead_letters(
    broker: BrokerProcess, place: Mapping[str, str], *, limit: int, output: str
) -> int:
    """Print events that subscribers did not take."""
    check_output(output, "table", "json")
    told = broker.get("/failures", {**place, "limit": str(limit)})
    if output == "json":
        print(json.dumps(told["failures"], indent=2))
    elif told["failures"]:
        columns = {
            "AT": "at",
            "ID": "id",
            "TYPE": "type",
            "SUBSCRIPTION": "subscription",
            "STATE": "outcome",
            "LAST ANSWER": "cause",
            "TAKEN BY": "sink",
        }
        _print_table(columns, [_failure_row(each) for each in told["failures"]])
    else:
        print("No dead letters." if told["kept"] else f"None are known: {_OFF}.")
    return 0


def _failure_row(failure: Json) -> Json:
    cause = failure["cause"]
    said = f"{cause['status'] or 'no answer'} {cause['error']}".rstrip()
    nobody = f"nobody: {failure['reason']}" if failure.get("reason") else "nobody"
    return {
        "at": cause["at"],
        "id": failure["attributes"].get("id", ""),
        "type": failure["attributes"].get("type", ""),
        "subscription": failure["subscription"],
        "outcome": failure["outcome"],
        "cause": said,
        "sink": failure["sink"] or nobody,
    }


def show_lag(broker: BrokerProcess, place: Mapping[str, str], output: str) -> int:
    """Print how far subscriptions are behind."""
    check_output(output, "table", "json")
    rows = broker.get("/lag", place)["subscriptions"]
    if output == "json":
        print(json.dumps(rows, indent=2))
    elif rows:
        columns = {"OF": "place", "SUBSCRIPTION": "subscription", "LAG": "lag", "HELD": "held"}
        known = [{**each, "lag": "?" if each["lag"] is None else each["lag"]} for each in rows]
        _print_table(columns, sorted(known, key=lambda each: (each["place"], each["subscription"])))
    else:
        print("Nobody is subscribed.")
    return 0


def show_graph(broker: BrokerProcess, since: str, output: str) -> int:
    """Print what flows where."""
    check_output(output, "table", "dot", "mermaid", "json")
    graph = broker.get("/graph", {"since": since})
    if output == "json":
        print(json.dumps(graph, indent=2))
    elif output == "dot":
        print(eventgraph.dot(graph))
    elif output == "mermaid":
        print(eventgraph.mermaid(graph))
    elif graph["edges"]:
        columns = {"FROM": "from", "": "kind", "TO": "to", f"IN {since}": "count"}
        _print_table(columns, eventgraph.rows(graph))
    else:
        print("Nothing flows: no event came, and nobody is subscribed.")
    return 0


def _print_table(columns: Mapping[str, str], rows: Sequence[Mapping[str, Any]]) -> None:
    from rich.console import Console  # the command line starts faster without

    console = Console()
    if not console.is_terminal:
        console.width = 400  # whoever reads this cuts it as they like
    console.print(table(columns, rows))


def check_output(output: str, *allowed: str) -> None:
    """Raise UserError for a form of output that there is not."""
    if output not in allowed:
        raise UserError(f"--output {output}: it is one of {', '.join(allowed)}")
