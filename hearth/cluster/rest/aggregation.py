"""What is sent on to another API server, and how discovery tells of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hearth.cluster.codec import paths
from hearth.cluster.model.aggregates import Aggregate, Aggregates
from hearth.cluster.model.user import User

Object = dict[str, Any]
_KEPT_BACK = frozenset(
    {
        "accept-encoding",
        "authorization",
        "connection",
        "content-encoding",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "origin",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""What is about the connection or for this server alone; bodies are sent on unpacked."""
_NOT_ANSWERED = frozenset({"cache-control", "content-type", "date", "server"}) | _KEPT_BACK
_OPENAPI = "/openapi/v3"


def find(aggregates: Aggregates, path: str) -> Aggregate | None:
    """The aggregate whose server answers a path; None for the paths of this server."""
    if not aggregates:
        return None
    parts = path.removeprefix(_OPENAPI).strip("/").split("/")
    if len(parts) < 3 or parts[0] != "apis":
        return None
    names = [paths.unquote_path(part) for part in parts]
    # What a server might take for a way out of its own paths is for nobody.
    if any(name in (".", "..") for name in names):
        return None
    return aggregates.get(names[1], names[2])


def sent_on(headers: Mapping[str, str], user: User) -> list[tuple[str, str]]:
    """The header fields of a question: who asks is told by them, and by nobody else."""
    given = [
        (name, value)
        for name, value in headers.items()
        if name not in _KEPT_BACK and not name.startswith("x-remote-")
    ]
    return [*given, ("accept-encoding", "identity"), *user.headers()]


def answered(headers: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """The header fields of an answer that go back to who asked."""
    return tuple(
        (name.lower(), value)
        for name, value in headers.items()
        if name.lower() not in _NOT_ANSWERED
    )


def documents(aggregates: Aggregates) -> Mapping[str, str]:
    """Where the OpenAPI documents of other servers are, by the names of their group versions."""
    return {
        each.path.removeprefix("/"): each.document for each in aggregates.all() if each.document
    }


# -- Aggregated discovery ------------------------------------------------------------------


def group_items(aggregates: Aggregates) -> Mapping[str, list[Object]]:
    """The versions of each group, as aggregated discovery lists them."""
    groups: dict[str, list[Object]] = {}
    for each in aggregates.all():
        item = {
            "version": each.version,
            "resources": _resources(each),
            "freshness": "Current" if each.is_available else "Stale",
        }
        groups.setdefault(each.group, []).append(item)
    return groups


def _resources(aggregate: Aggregate) -> list[Object]:
    listed = aggregate.resources
    return [
        _resource(each, listed, aggregate) for each in listed if "/" not in each.get("name", "/")
    ]


def _resource(
    entry: Mapping[str, Any], listed: Sequence[Mapping[str, Any]], aggregate: Aggregate
) -> Object:
    resource: Object = {
        "resource": entry["name"],
        "responseKind": _kind(entry, aggregate),
        "scope": "Namespaced" if entry.get("namespaced") else "Cluster",
        "singularResource": entry.get("singularName", ""),
        "verbs": list(entry.get("verbs") or ()),
    }
    for key in ("shortNames", "categories"):
        if entry.get(key):
            resource[key] = list(entry[key])
    subresources = [
        {
            "subresource": each["name"].partition("/")[2],
            "responseKind": _kind(each, aggregate),
            "verbs": list(each.get("verbs") or ()),
        }
        for each in listed
        if each.get("name", "").startswith(f"{entry['name']}/")
    ]
    return resource | ({"subresources": subresources} if subresources else {})


def _kind(entry: Mapping[str, Any], aggregate: Aggregate) -> Object:
    return {
        "group": entry.get("group") or aggregate.group,
        "version": entry.get("version") or aggregate.version,
        "kind": entry.get("kind", ""),
    }
