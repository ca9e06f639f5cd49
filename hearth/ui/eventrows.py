"""Rows of the event graph and of dead letters, from what the broker tells. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hearth.ui.rows import seconds
from hearth.ui.tables import Row

Json = Mapping[str, Any]
_MOST_NODES = 500


def graph_rows(
    declared: Mapping[str, Row], told: Json, recent: Json
) -> tuple[dict[str, Row], dict[str, Row]]:
    """Return nodes and edges by their ids.

    ``declared`` are the nodes that objects of the API are; ``told`` is what flowed in the long run,
    ``recent`` within its last seconds, which give the rates, and what ``told`` is too old to know.
    """
    span = float(recent.get("seconds") or 1.0)
    nodes: dict[str, Row] = {
        node_id: {**row, "failed": 0, "dropped": 0} for node_id, row in declared.items()
    }
    for node in [*(recent.get("nodes") or ()), *(told.get("nodes") or ())][: 2 * _MOST_NODES]:
        known = nodes.get(node["id"], {"ready": "", "words": ""})
        nodes[node["id"]] = {
            **known,
            **{field: node[field] for field in ("id", "kind", "name")},
            **{field: int(node.get(field) or 0) for field in ("failed", "dropped")},
        }
    rates = {_edge_id(edge): edge["count"] / span for edge in recent.get("edges") or ()}
    edges: dict[str, Row] = {}
    for edge in [*(recent.get("edges") or ()), *(told.get("edges") or ())]:
        if edge["from"] in nodes and edge["to"] in nodes:
            edge_id = _edge_id(edge)
            fields = {field: edge[field] for field in ("from", "to", "kind", "label", "count")}
            rate = float(f"{rates.get(edge_id, 0.0):.3g}")
            edges[edge_id] = {"id": edge_id, **fields, "rate": rate}
    return nodes, edges


def _edge_id(edge: Json) -> str:
    return f"{edge['from']} > {edge['to']} {edge['kind']} {edge['label']}".rstrip()


def letter_rows(failures: list[Json]) -> dict[str, Row]:
    """Return a row for each event that a subscriber did not take."""
    return {row["id"]: row for row in map(_letter, failures)}


def _letter(failure: Json) -> Row:
    cause, attributes = failure["cause"], failure["attributes"]
    event = {field: str(attributes.get(field, "")) for field in ("id", "type", "source")}
    status, error = cause.get("status"), str(cause.get("error") or "")
    return {
        "id": f"{failure['place']} {failure['position']} {failure['subscription']}",
        "place": failure["place"],
        "position": failure["position"],
        "subscription": failure["subscription"],
        "outcome": failure["outcome"],
        "at": seconds(cause.get("at")),
        "event": event,
        "status": status or None,
        "error": error,
        "sink": failure.get("sink") or "",
        "words": _words(failure, status, error),
    }


def _words(failure: Json, status: int | None, error: str) -> str:
    answered = f"answered {status}" if status else "gave no answer"
    said = f"the subscriber {answered}{f' ({error})' if error else ''}"
    if failure["outcome"] == "held":
        reason = f": {failure['reason']}" if failure.get("reason") else ""
        return f"{said}; kept until it is redriven{reason}"
    return f"{said}; it went to {failure['sink']}" if failure.get("sink") else said
