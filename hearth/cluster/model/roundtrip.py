"""What remains of a JSON object after Kubernetes has read it into Go types and written it again.

Every built-in kind goes through this before its defaults are set: nulls and empty optional values
vanish, values without ``omitempty`` appear, quantities and times get their canonical text. The
rule explains details such as ``lastTransitionTime: null`` that no list of cases would.
"""

from __future__ import annotations

import base64
import binascii
import functools
import re
from datetime import UTC, datetime
from typing import Any

from hearth.cluster.model.differences import is_exactly
from hearth.cluster.model.typetable import VALUE_KINDS, Field, GoType, Struct
from hearth.kube.quantity import canonical

Object = dict[str, Any]


def round_trip(obj: Object, struct: Struct, known: Object | None = None) -> None:
    """Changes ``obj`` to its canonical form; values of a wrong type are left as they are.

    What is exactly so in ``known``, an object that is stored, is canonical.
    """
    fields, known = struct.fields, known or {}
    for key in list(obj):
        field = fields.get(key)
        if field is None or (key in known and is_exactly(obj[key], known[key])):
            continue
        value = _canonical(obj[key], field.type, known.get(key))
        if _is_left_out(value, field):
            del obj[key]
        else:
            obj[key] = value
    for field in struct.written:
        if field.name not in obj:
            obj[field.name] = _zero(field.type)


def _is_left_out(value: Any, field: Field) -> bool:
    if field.always:
        return False
    go_type = field.type
    if value is None:
        return go_type.pointer or field.omitzero or go_type.kind not in VALUE_KINDS
    if go_type.pointer:
        return False
    if go_type.kind == "struct":
        return field.omitzero and not value
    return go_type.kind not in _NEVER_EMPTY and not value


_NEVER_EMPTY = frozenset({"Quantity", "IntOrString", "Any", "RawExtension", "FieldsV1"})


def _zero(go_type: GoType) -> Any:
    """Go's zero value, as JSON."""
    if go_type.pointer:
        return None
    if go_type.struct is not None:
        value: Object = {}
        round_trip(value, go_type.struct)
        return value
    if go_type.is_string:
        return ""
    return _ZEROS.get(go_type.kind)


_ZEROS = {
    "bool": False,
    "int": 0,
    "int32": 0,
    "int64": 0,
    "float64": 0,
    "Quantity": "0",
    "IntOrString": 0,
    "Duration": "0s",
}


def _canonical(value: Any, go_type: GoType, known: Any = None) -> Any:
    if value is None:
        return _of_null(go_type)
    if go_type.struct is not None:
        if isinstance(value, dict):
            round_trip(value, go_type.struct, known if isinstance(known, dict) else None)
        return value
    if go_type.elem is not None:
        return _container(value, go_type.elem)
    convert = _CONVERSIONS.get(go_type.kind)
    return convert(value) if convert is not None else value


def _of_null(go_type: GoType) -> Any:
    """``null`` in JSON leaves the zero value."""
    return None if go_type.pointer else _zero(go_type)


def _container(value: Any, elem: GoType) -> Any:
    if isinstance(value, list):
        return [_canonical(item, elem) for item in value]
    if isinstance(value, dict):
        return {key: _canonical(item, elem) for key, item in value.items()}
    return value


def _quantity(value: Any) -> Any:
    try:
        return canonical(value)
    except ValueError:
        return value


_TIMES, _USUAL_LENGTH = 512, 40
"""So many times are remembered, if they are no longer: what is written in a second has the same."""
_RFC_3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:[.,][0-9]+)?(?:Z|[+-][0-9]{2}:[0-9]{2})"
)


def parse_time(text: str) -> datetime | None:
    """An RFC 3339 time, in UTC; None when ``text`` is none."""
    return _remembered(text) if len(text) <= _USUAL_LENGTH else _read_time(text)


def _read_time(text: str) -> datetime | None:
    if not _RFC_3339.fullmatch(text):  # ISO 8601 knows weeks, and forms without separators
        return None
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


_remembered = functools.lru_cache(_TIMES)(_read_time)


def _time(value: Any) -> Any:
    moment = parse_time(value) if isinstance(value, str) else None
    return value if moment is None else _to_the_second(moment)


@functools.lru_cache(_TIMES)
def _to_the_second(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _micro_time(value: Any) -> Any:
    moment = parse_time(value) if isinstance(value, str) else None
    return value if moment is None else moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _bytes(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        decoded = base64.b64decode(value.replace("\n", "").replace("\r", ""), validate=True)
    except binascii.Error:
        return value
    return base64.b64encode(decoded).decode()


_CONVERSIONS = {
    "Quantity": _quantity,
    "Time": _time,
    "MicroTime": _micro_time,
    "bytes": _bytes,
}
