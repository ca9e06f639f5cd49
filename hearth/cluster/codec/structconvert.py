"""Values as Go sees them: how it prints them, and why they do not fit its structs. Pure.

Called for strategic merge patches: Kubernetes turns their result into a struct without going
through JSON, and complains in words of its own. Follows ``k8s.io/apimachinery/pkg/runtime``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from hearth.cluster.codec.typecheck import special_error
from hearth.cluster.model.kind import Schema
from hearth.cluster.model.typetable import GoType, Struct, struct_of


def go_text(value: Any) -> str:
    """A decoded JSON value as Go's ``%v`` prints it."""
    match value:
        case None:
            return "<nil>"
        case bool():
            return "true" if value else "false"
        case str():
            return value
        case dict():
            return "map[" + " ".join(f"{k}:{go_text(value[k])}" for k in sorted(value)) + "]"
        case list():
            return "[" + " ".join(go_text(item) for item in value) + "]"
    return json.dumps(value)


def conversion_error(obj: Any, schema: Schema) -> str:
    """Why an object is none of this schema's struct; empty where it is one."""
    target = struct_of(schema)
    if target is None:
        return ""
    return next(_struct_errors(obj, target), "")


def _struct_errors(obj: Any, target: Struct) -> Iterator[str]:
    if not isinstance(obj, dict):
        yield f"cannot restore struct from: {_kind(obj)}"
        return
    for key, field in target.fields.items():
        if obj.get(key) is not None:
            yield from _value_errors(obj[key], field.type)


def _value_errors(value: Any, go_type: GoType) -> Iterator[str]:
    if value is None:
        return
    if go_type.struct is not None:
        yield from _struct_errors(value, go_type.struct)
    elif go_type.elem is not None:
        is_list = go_type.kind == "list"
        if not isinstance(value, list if is_list else dict):
            yield f"cannot restore {'slice' if is_list else 'map'} from {_kind(value)}"
            return
        for item in value if isinstance(value, list) else value.values():
            yield from _value_errors(item, go_type.elem)
    else:
        yield from _scalar_errors(value, go_type)


_KINDS = {bool: "bool", int: "int64", float: "float64", str: "string", list: "slice", dict: "map"}
_INTEGERS = ("int", "int32", "int64")


def _kind(value: Any) -> str:
    return _KINDS.get(type(value), "ptr")


_TAKEN = {
    "string": ("string",),
    "bool": ("bool",),
    "float64": ("int64", "float64"),
    **dict.fromkeys(_INTEGERS, ("int64", "float64")),
}


def _scalar_errors(value: Any, go_type: GoType) -> Iterator[str]:
    kind = "string" if go_type.is_string else go_type.kind
    given, taken = _kind(value), _TAKEN.get(kind)
    if taken is None:
        message = special_error(kind, value)
        if message:
            yield message
    elif (kind == "string" and given == "int64") or (
        kind in _INTEGERS and given == "float64" and value != int(value)
    ):
        yield f"cannot convert {given} to {go_type.name}"
    elif given not in taken:
        yield f"unrecognized type: {kind}"
