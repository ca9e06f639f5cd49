"""Do a request's JSON values fit the schema of its kind? Pure; called by request decoding.

``decode_errors`` speaks as Go's JSON decoder does when a value has the wrong type.
``unknown_fields`` finds what field validation warns about or refuses, and ``drop_unknown`` removes
what Go's decoder would silently have ignored.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from hearth.cluster.model.kind import Object, Schema
from hearth.cluster.model.roundtrip import parse_time
from hearth.cluster.model.typetable import GoType, Struct, struct, struct_of
from hearth.kube.gotext import base64_problem
from hearth.kube.quantity import parse_quantity


def decode_errors(obj: Any, schema: Schema, go_type: str) -> list[str]:
    """At most one message: what Go says of the first value that does not fit.

    ``go_type`` is the kind's name. Of a custom resource only ``metadata`` has Go types.
    """
    target = struct_of(schema)
    if not isinstance(obj, dict):
        name = f"v1.{go_type}" if target is None else f"{target.package.version}.{target.name}"
        return [f"json: cannot unmarshal {_go_kind(obj)} into Go value of type {name}"]
    if target is None:
        target, obj = struct("meta/v1", "PartialObject"), {"metadata": obj.get("metadata")}
    return list(_take_first(_struct_errors(obj, target, "")))


def _take_first(messages: Iterator[str]) -> Iterator[str]:
    for message in messages:
        yield message
        return


def _struct_errors(obj: Object, target: Struct, path: str) -> Iterator[str]:
    for key, value in obj.items():
        field = target.fields.get(key)
        if field is None or value is None or (field.type.is_string and isinstance(value, str)):
            continue
        if field.union and not isinstance(value, dict):
            continue
        field_path = f"{path}.{key}" if path else key
        yield from _value_errors(value, field.type, _Place(target.name, field_path))


class _Place:
    """Where a value sits: Go names the innermost struct and the path of field names."""

    __slots__ = ("path", "struct")

    def __init__(self, struct_name: str, path: str) -> None:
        self.struct = struct_name
        self.path = path

    def mismatch(self, value: Any, go_name: str, *, number: bool = False) -> str:
        kind = f"number {json.dumps(value)}" if number else _go_kind(value)
        return (
            f"json: cannot unmarshal {kind} into Go struct field "
            f"{self.struct}.{self.path} of type {go_name}"
        )


def _value_errors(value: Any, go_type: GoType, place: _Place) -> Iterator[str]:
    if value is None:
        return
    if go_type.struct is not None:
        if isinstance(value, dict):
            yield from _struct_errors(value, go_type.struct, place.path)
        else:
            yield place.mismatch(value, go_type.name)
    elif go_type.elem is not None:
        yield from _container_errors(value, go_type, place)
    else:
        yield from _scalar_errors(value, go_type, place)


def _container_errors(value: Any, go_type: GoType, place: _Place) -> Iterator[str]:
    elem = go_type.elem
    assert elem is not None
    if not isinstance(value, list if go_type.kind == "list" else dict):
        yield place.mismatch(value, go_type.name)
        return
    for item in value if isinstance(value, list) else value.values():
        yield from _value_errors(item, elem, place)


def _scalar_errors(value: Any, go_type: GoType, place: _Place) -> Iterator[str]:
    if go_type.is_string:
        if not isinstance(value, str):
            yield place.mismatch(value, go_type.name)
    elif go_type.kind in _INTEGERS:
        yield from _integer_errors(value, go_type, place)
    elif go_type.kind == "bool":
        if not isinstance(value, bool):
            yield place.mismatch(value, go_type.name)
    elif go_type.kind == "float64":
        if not isinstance(value, int | float) or isinstance(value, bool):
            yield place.mismatch(value, go_type.name)
    elif message := special_error(go_type.kind, value):
        yield message


def special_error(kind: str, value: Any) -> str:
    """What Go says of a value for a type that reads JSON itself: times, quantities, bytes."""
    check = _SPECIAL.get(kind)
    return check(value) if check else ""


_INTEGERS = {"int": 64, "int32": 32, "int64": 64}


def _integer_errors(value: Any, go_type: GoType, place: _Place) -> Iterator[str]:
    if isinstance(value, bool) or not isinstance(value, int | float):
        yield place.mismatch(value, go_type.name)
        return
    limit = 1 << (_INTEGERS[go_type.kind] - 1)
    if isinstance(value, float) or not -limit <= value < limit:
        yield place.mismatch(value, go_type.name, number=True)


def _go_kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object"


def _quantity_error(value: Any) -> str:
    try:
        parse_quantity(json.dumps(value) if isinstance(value, dict | list | bool) else value)
    except ValueError as error:
        return str(error)
    return ""


def _time_error(value: Any) -> str:
    if not isinstance(value, str):
        return f"json: cannot unmarshal {_go_kind(value)} into Go value of type string"
    return "" if parse_time(value) is not None else time_error(value, "2006-01-02T15:04:05Z07:00")


def _micro_time_error(value: Any) -> str:
    if not isinstance(value, str):
        return f"json: cannot unmarshal {_go_kind(value)} into Go value of type string"
    if parse_time(value) is not None:
        return ""
    return time_error(value, "2006-01-02T15:04:05.000000Z07:00")


_LAYOUT_PARTS = (("2006", 4), ("-", 1), ("01", 2), ("-", 1), ("02", 2), ("T", 1), ("15", 2),
                 (":", 1), ("04", 2), (":", 1), ("05", 2))  # fmt: skip


def time_error(text: str, layout: str) -> str:
    """As Go's ``time.Parse`` names the first part of the layout that the text does not have."""
    rest = text
    for part, width in _LAYOUT_PARTS:
        head = rest[:width]
        fits = head == part if width == 1 else len(head) == width and head.isdecimal()
        if not fits:
            return _cannot_parse(text, layout, rest=rest, part=part)
        rest = rest[width:]
    part = ".000000" if ".000000" in layout and not rest.startswith(".") else "Z07:00"
    return _cannot_parse(text, layout, rest=rest, part=part)


def _cannot_parse(text: str, layout: str, *, rest: str, part: str) -> str:
    return (
        f"parsing time {json.dumps(text)} as {json.dumps(layout)}: "
        f"cannot parse {json.dumps(rest)} as {json.dumps(part)}"
    )


def _int_or_string_error(value: Any) -> str:
    if isinstance(value, str):
        return ""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return f"json: cannot unmarshal {_go_kind(value)} into Go value of type int32"
    if isinstance(value, float) or not -(1 << 31) <= value < 1 << 31:
        return f"json: cannot unmarshal number {json.dumps(value)} into Go value of type int32"
    return ""


def _bytes_error(value: Any) -> str:
    if not isinstance(value, str):
        return f"json: cannot unmarshal {_go_kind(value)} into Go value of type []uint8"
    return base64_problem(value)


def _duration_error(value: Any) -> str:
    if isinstance(value, str):
        return ""
    return f"json: cannot unmarshal {_go_kind(value)} into Go value of type string"


_SPECIAL: dict[str, Callable[[Any], str]] = {
    "Quantity": _quantity_error,
    "Time": _time_error,
    "MicroTime": _micro_time_error,
    "IntOrString": _int_or_string_error,
    "bytes": _bytes_error,
    "Duration": _duration_error,
}


def unknown_fields(obj: Object, schema: Schema) -> list[str]:
    """Paths (``spec.containers[0].foo``) of fields that the schema does not have."""
    unknown = list(_unknown(obj, schema, "", remove=False))
    return unknown if struct_of(schema) is not None else sorted(unknown)


def drop_unknown(obj: Object, schema: Schema) -> None:
    """Removes from ``obj`` the fields that the schema does not have."""
    for _ in _unknown(obj, schema, "", remove=True):
        pass


def _unknown(value: Any, schema: Schema, path: str, *, remove: bool) -> Iterator[str]:
    if isinstance(value, dict):
        yield from _unknown_in_object(value, schema, path, remove=remove)
    elif isinstance(value, list) and (items := schema.get("items")) is not None:
        for index, item in enumerate(value):
            yield from _unknown(item, items, f"{path}[{index}]", remove=remove)


def _unknown_in_object(value: Object, schema: Schema, path: str, *, remove: bool) -> Iterator[str]:
    properties = schema.get("properties") or {}
    others = schema.get("additionalProperties")
    keeps = _keeps_unknown(schema)
    embedded = path == "" or schema.get("x-kubernetes-embedded-resource")
    for key, item in list(value.items()):
        known = properties.get(key)
        if known is not None and not isinstance(item, (dict, list)):
            continue
        field_path = f"{path}.{key}" if path else key
        if known is not None:
            yield from _unknown(item, known, field_path, remove=remove)
        elif embedded and key in _TYPE_META:
            continue
        elif embedded and key == "metadata":
            yield from _unknown(item, _object_meta(), field_path, remove=remove)
        elif isinstance(others, dict):
            yield from _unknown(item, others, field_path, remove=remove)
        elif not keeps and others is not True:
            if remove:
                del value[key]
            yield field_path


_TYPE_META = frozenset({"apiVersion", "kind"})


def _object_meta() -> Schema:
    return struct("meta/v1", "ObjectMeta").schema


def _keeps_unknown(schema: Schema) -> bool:
    return bool(schema.get("x-kubernetes-preserve-unknown-fields"))
