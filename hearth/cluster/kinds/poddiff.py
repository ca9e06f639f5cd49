"""The difference of two pod specs as Kubernetes shows it when an update is refused. Pure.

Kubernetes prints its internal form of the spec: Go field names, every field, nothing left out.
``podspec_internal.txt`` lists those structs in their order; JSON names follow from the Go names.
"""

from __future__ import annotations

import difflib
import functools
import json
from importlib.resources import files
from typing import Any

from hearth.cluster.model import typetable
from hearth.cluster.model.kind import Object

_HOST_FIELDS = ("hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace", "hostUsers")
_ZEROS: dict[str, Any] = {
    "string": "",
    "bool": False,
    "int32": 0,
    "int64": 0,
    "IntOrString": 0,
    "Quantity": "0",
}


def spec_diff(old: Object, new: Object) -> str:
    """A unified diff with three lines of context and without a heading."""
    before, after = (_lines(spec) for spec in (old, new))
    return "".join(list(difflib.unified_diff(before, after, n=3))[2:])


def _lines(spec: Object) -> list[str]:
    text = json.dumps(internal_spec(spec), indent=1, ensure_ascii=False)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return [line + "\n" for line in text.split("\n")]


def internal_spec(spec: Object) -> Object:
    """A pod spec with the names and fields of Kubernetes' internal type."""
    context = {**(spec.get("securityContext") or {})}
    context.update({key: spec[key] for key in _HOST_FIELDS if key in spec})
    return _struct({**spec, "securityContext": context}, "PodSpec")


@functools.cache
def _fields(name: str) -> tuple[tuple[str, str, str], ...] | None:
    """Go name, JSON name and type of each field of an internal struct."""
    lines = _tables().get(name)
    if lines is None:
        return None
    fields: list[tuple[str, str, str]] = []
    for line in lines:
        go_name, go_type = line.split()
        if go_name == "inline":
            fields.extend(_fields(go_type) or ())
        else:
            fields.append((go_name, _json_name(name, go_name), go_type))
    return tuple(fields)


@functools.cache
def _tables() -> dict[str, list[str]]:
    text = files(__package__).joinpath("podspec_internal.txt").read_text(encoding="utf-8")
    blocks = (block.split("\n") for block in text.strip().split("\n\n"))
    return {name: lines for name, *lines in blocks}


def _json_name(struct: str, go_name: str) -> str:
    try:
        known = typetable.struct("core/v1", struct).fields
    except KeyError:
        known = {}
    lowered = go_name.lower()
    return next((key for key in known if key.lower() == lowered), go_name[0].lower() + go_name[1:])


def _struct(value: Object, name: str) -> Object:
    fields = _fields(name)
    if fields is None:
        return value
    return {go_name: _value(value.get(key), kind) for go_name, key, kind in fields}


def _value(value: Any, kind: str) -> Any:
    if kind.startswith("*"):
        return None if value is None else _value(value, kind[1:])
    if kind.startswith("[]"):
        return None if value is None else [_value(item, kind[2:]) for item in value]
    if kind.startswith("map["):
        return None if value is None else dict(sorted(value.items()))
    if kind in _ZEROS:
        return _ZEROS[kind] if value is None else value
    return _struct(value or {}, kind)
