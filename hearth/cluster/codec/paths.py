"""Reading request targets: which resource a path names, and what the query asks. Pure."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import unquote_to_bytes


class Target(NamedTuple):
    """What a path names. ``name`` is empty for a collection, ``namespace`` for all of them."""

    group: str
    version: str
    plural: str
    namespace: str = ""
    name: str = ""
    subresource: str = ""


def parse_target(path: str) -> Target | None:
    """The resource of a path below /api or /apis, or None where it names no resource."""
    parts = [unquote_path(part) for part in path.strip("/").split("/")]
    if parts[0] == "api" and len(parts) >= 3:
        group, version, rest = "", parts[1], parts[2:]
    elif parts[0] == "apis" and len(parts) >= 4:
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        return None
    if not all(rest):
        return None
    namespace = ""
    if rest[0] == "namespaces" and len(rest) >= 3 and not _namespace_subresource(group, rest):
        namespace, rest = rest[1], rest[2:]
    if len(rest) > 3:
        return None
    plural, name, subresource = (*rest, "", "")[:3]
    return Target(group, version, plural, namespace, name, subresource)


def _namespace_subresource(group: str, rest: list[str]) -> bool:
    """``namespaces/x/status`` is a subresource; ``namespaces/x/pods`` is content."""
    return group == "" and len(rest) == 3 and rest[2] in ("status", "finalize")


def unquote_path(text: str) -> str:
    """A part of a path without its percent signs; bytes that are no UTF-8 are replaced."""
    return unquote_to_bytes(text).decode("utf-8", "replace") if "%" in text else text


def parse_query(query: str) -> dict[str, str]:
    """The first value of each parameter; a parameter without value reads as empty."""
    values: dict[str, str] = {}
    for pair in query.split("&"):
        name, _, value = pair.partition("=")
        if name:
            values.setdefault(_unquote(name), _unquote(value))
    return values


def all_values(query: str, name: str) -> list[str]:
    """Every value of a parameter that may be repeated."""
    pairs = (pair.partition("=") for pair in query.split("&") if pair)
    return [_unquote(value) for key, _, value in pairs if _unquote(key) == name]


def _unquote(text: str) -> str:
    return unquote_path(text.replace("+", " "))


def is_true(value: str) -> bool:
    """How Kubernetes reads a boolean parameter: anything but false and 0, when it is there."""
    return value.lower() not in ("false", "0")


def flag(query: dict[str, str], name: str) -> bool:
    """Whether a boolean parameter is given and true."""
    return name in query and is_true(query[name])
