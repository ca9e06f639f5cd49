"""Leaves out of an object the fields that a server names in a conflict of field managers. Pure.

Server-side apply answers a conflict with paths like ``.spec.containers[name="x"].image``. What
somebody else has set since is left as it is, by asking for the rest of the object again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from hearth.kube.errors import Conflict
from hearth.kube.meta import Object

_MANAGER = re.compile(r'conflict with "(?P<manager>[^"]*)"')
_SELECTOR = re.compile(r'(?P<key>\w*)=(?P<value>"(?:[^"\\]|\\.)*"|[^,\]]*),?')


@dataclass(frozen=True, slots=True)
class Held:
    """A field that another manager holds."""

    path: str
    manager: str


def held_fields(conflict: Conflict) -> list[Held]:
    """Return what a conflict is about; nothing for one that is not about field managers."""
    causes = conflict.details.get("causes") or ()
    found = [cause for cause in causes if cause.get("reason") == "FieldManagerConflict"]
    return [Held(cause["field"], _manager(str(cause.get("message", "")))) for cause in found]


def _manager(message: str) -> str:
    match = _MANAGER.search(message)
    return match["manager"] if match else "somebody else"


def without_field(obj: Object, path: str) -> Object:
    """Return a copy of the object without the field at a path; the same where it has none."""
    result = deepcopy(obj)
    _remove(result, path)
    return result


def _remove(value: Any, path: str) -> None:
    """Keys may hold dots themselves, so the longest key that fits is the one that is meant."""
    if isinstance(value, dict) and path.startswith("."):
        rest = path[1:]
        for key in sorted(value, key=len, reverse=True):
            if rest == key:
                del value[key]
                return
            if rest.startswith((f"{key}.", f"{key}[")):
                _remove(value[key], rest[len(key) :])
                return
    elif isinstance(value, list) and path.startswith("["):
        selector, rest = _selector(path)
        for item in [item for item in value if _matches(item, selector)]:
            if rest:
                _remove(item, rest)
            else:
                value.remove(item)


def _selector(path: str) -> tuple[dict[str, Any], str]:
    """The first bracket of a path, as keys with values, and what comes after it."""
    at, found = 1, dict[str, Any]()
    while match := _SELECTOR.match(path, at):
        found[match["key"]] = json.loads(match["value"])
        at = match.end()
    return found, path[at + 1 :]


def _matches(item: Any, selector: Mapping[str, Any]) -> bool:
    if "" in selector:  # of a set of plain values
        return bool(item == selector[""])
    return isinstance(item, dict) and all(item.get(k) == v for k, v in selector.items())
