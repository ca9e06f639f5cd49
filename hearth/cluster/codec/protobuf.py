"""Reading objects of built-in kinds from Kubernetes' protobuf form. Pure.

kubectl and other clients in Go send the objects they build themselves in it. Answers are always
JSON, which those clients take as well. Types are in ``kinds.typetable``, field names and numbers in
``protonumbers.txt``: ``package`` lines, then a message a line (``Pod 1=metadata 2=spec``);
``2=volumeSource:VolumeSource`` is a message whose fields stand in the object itself.
"""

from __future__ import annotations

import base64
import datetime
import functools
import struct as binary
from collections.abc import Callable, Iterator
from importlib.resources import files
from typing import Any, NamedTuple

import orjson

from hearth.cluster.model import typetable
from hearth.cluster.model.typetable import GoType, Struct
from hearth.kube.durations import format_go_duration

MAGIC = b"k8s\x00"
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_META_KINDS = ("DeleteOptions", "CreateOptions", "UpdateOptions", "PatchOptions", "Status")
Object = dict[str, Any]


class ProtobufError(ValueError):
    """The bytes are not what they should be."""


class _Number(NamedTuple):
    """What a field number stands for; ``inlined`` names a message that is part of the object."""

    name: str
    inlined: str = ""


def decode(body: bytes) -> Object:
    """The object in a body with Kubernetes' envelope."""
    if not body.startswith(MAGIC):
        raise ProtobufError("the body does not begin as Kubernetes' protobuf form does")
    api_version, kind, raw = _envelope(body[len(MAGIC) :])
    target = _struct(api_version, kind)
    return {"apiVersion": api_version, "kind": kind} | _message(raw, target)


def _envelope(data: bytes) -> tuple[str, str, bytes]:
    meta, raw = b"", b""
    for number, _, value in _fields(data):
        if number == 1 and isinstance(value, bytes):
            meta = value
        elif number == 2 and isinstance(value, bytes):
            raw = value
    names = {number: value for number, _, value in _fields(meta)}
    return _text(names.get(1, b"")), _text(names.get(2, b"")), raw


def _struct(api_version: str, kind: str) -> Struct:
    group, _, version = api_version.rpartition("/")
    path = f"{group.partition('.')[0] or 'core'}/{version}"
    if kind in _META_KINDS:
        path = "meta/v1"
    try:
        return typetable.struct(path, kind)
    except (KeyError, FileNotFoundError):
        raise ProtobufError(f'no kind "{kind}" is registered for version "{api_version}"') from None


@functools.cache
def _numbers() -> dict[tuple[str, str], dict[int, _Number]]:
    """Field numbers by package and message."""
    by_struct: dict[tuple[str, str], dict[int, _Number]] = {}
    package = ""
    text = files(__package__).joinpath("protonumbers.txt").read_text(encoding="utf-8")
    for line in filter(None, text.splitlines()):
        head, *fields = line.split()
        if head == "package":
            package = fields[0]
            continue
        numbers = by_struct[package, head] = {}
        for field in fields:
            number, _, name = field.partition("=")
            name, _, inlined = name.partition(":")
            numbers[int(number)] = _Number(name, inlined)
    return by_struct


def _message(data: bytes, target: Struct) -> Object:
    numbers = _numbers().get((target.package.path, target.name), {})
    obj: Object = {}
    for number, wire, value in _fields(data):
        known = numbers.get(number)
        if known is None:
            continue
        if known.inlined:
            obj |= _message(_length_delimited(value), target.package.struct(known.inlined))
            continue
        _set(obj, known.name, target.fields[known.name].type, wire, value)
    return obj


def _set(obj: Object, name: str, go_type: GoType, wire: int, value: int | bytes) -> None:
    if go_type.kind == "list":
        assert go_type.elem is not None
        if go_type.elem.kind == "list":  # a list of lists has a message around each
            raise ProtobufError(f"cannot read {name}")
        obj.setdefault(name, []).extend(_items(go_type.elem, wire, value))
    elif go_type.kind == "map":
        assert go_type.elem is not None
        key, item = _map_entry(_length_delimited(value), go_type.elem)
        obj.setdefault(name, {})[key] = item
    else:
        decoded = _value(go_type, wire, value)
        if decoded is not None:
            obj[name] = decoded


def _items(elem: GoType, wire: int, value: int | bytes) -> Iterator[Any]:
    if isinstance(value, bytes) and elem.kind in ("int", "int32", "int64"):
        index = 0
        while index < len(value):  # packed
            number, index = _varint(value, index)
            yield _signed(number)
        return
    yield _value(elem, wire, value)


def _map_entry(data: bytes, elem: GoType) -> tuple[str, Any]:
    key, item = "", None
    for number, wire, value in _fields(data):
        if number == 1:
            key = _text(value)
        elif elem.kind == "list":
            item = [_text(inner) for _, _, inner in _fields(_length_delimited(value))]
        else:
            item = _value(elem, wire, value)
    return key, ("" if item is None and elem.is_string else item)


def _value(go_type: GoType, wire: int, value: int | bytes) -> Any:
    if go_type.struct is not None:
        return _message(_length_delimited(value), go_type.struct)
    if go_type.is_string:
        return _text(value)
    if isinstance(value, int):
        return bool(value) if go_type.kind == "bool" else _signed(value)
    if wire == _FIXED64:
        return binary.unpack("<d", value)[0]
    return _SPECIAL.get(go_type.kind, _text)(value)


def _text(value: int | bytes) -> str:
    try:
        return _length_delimited(value).decode()
    except UnicodeDecodeError:
        raise ProtobufError("invalid UTF-8 in a text") from None


def _length_delimited(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise ProtobufError("a number where a text or message should be")
    return value


def _signed(number: int) -> int:
    return number - (1 << 64) if number >= 1 << 63 else number


def _first(data: bytes) -> bytes:
    """The bytes of a message that wraps one text."""
    return next(
        (_length_delimited(value) for number, _, value in _fields(data) if number == 1), b""
    )


def _integers(data: bytes) -> dict[int, int]:
    return {n: _signed(value) for n, _, value in _fields(data) if isinstance(value, int)}


def _time(data: bytes) -> str | None:
    """No bytes at all are the time that is not set."""
    return _moment(data, "%Y-%m-%dT%H:%M:%SZ")


def _micro_time(data: bytes) -> str | None:
    return _moment(data, "%Y-%m-%dT%H:%M:%S.%fZ")


def _moment(data: bytes, form: str) -> str | None:
    if not data:
        return None
    integers = _integers(data)
    moment = datetime.datetime.fromtimestamp(integers.get(1, 0), tz=datetime.UTC)
    return moment.replace(microsecond=integers.get(2, 0) // 1000).strftime(form)


def _duration(data: bytes) -> str:
    return format_go_duration(_integers(data).get(1, 0) / 1e9)


def _int_or_string(data: bytes) -> int | str:
    fields = {number: value for number, _, value in _fields(data)}
    if fields.get(1):
        return _text(fields.get(3, b""))
    number = fields.get(2, 0)
    return _signed(number) if isinstance(number, int) else 0


def _json(data: bytes) -> Any:
    raw = _first(data)
    try:
        return orjson.loads(raw) if raw else None
    except orjson.JSONDecodeError:
        raise ProtobufError("an embedded object is not JSON") from None


def _quantity(data: bytes) -> str:
    return _text(_first(data))


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


_SPECIAL: dict[str, Callable[[bytes], Any]] = {
    "bytes": _base64,
    "Time": _time,
    "MicroTime": _micro_time,
    "Duration": _duration,
    "Quantity": _quantity,
    "IntOrString": _int_or_string,
    "RawExtension": _json,
    "FieldsV1": _json,
}


# -- the wire format -----------------------------------------------------------------------


def _fields(data: bytes) -> Iterator[tuple[int, int, int | bytes]]:
    """Number, wire type and value of each field."""
    index = 0
    while index < len(data):
        key, index = _varint(data, index)
        number, wire = key >> 3, key & 7
        if wire == _VARINT:
            value: int | bytes
            value, index = _varint(data, index)
        elif wire == _BYTES:
            length, index = _varint(data, index)
            value, index = data[index : index + length], index + length
        elif wire in (_FIXED64, _FIXED32):
            length = 8 if wire == _FIXED64 else 4
            value, index = data[index : index + length], index + length
        else:
            raise ProtobufError(f"unknown wire type {wire}")
        if index > len(data):
            raise ProtobufError("the message is cut off")
        yield number, wire, value


def _varint(data: bytes, index: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        if index >= len(data) or shift > 63:
            raise ProtobufError("the message is cut off")
        byte = data[index]
        index += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, index
        shift += 7
