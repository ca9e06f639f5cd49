"""The OpenAPI version 2 document as protobuf, the only form that kubectl before 1.27 asks for.

Messages are those of ``OpenAPIv2.proto`` of the gnostic project; only the fields that occur in
our documents are written. Pure.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Mapping
from typing import Any

Document = Mapping[str, Any]

# Numbers of fields in OpenAPIv2.proto
_SCHEMA_TEXTS = {"$ref": 1, "format": 2, "title": 3, "description": 4, "pattern": 13}
_SCHEMA_NUMBERS = {
    "maxLength": 11,
    "minLength": 12,
    "maxItems": 14,
    "minItems": 15,
    "maxProperties": 17,
    "minProperties": 18,
}
_SCHEMA_DOUBLES = {"multipleOf": 6, "maximum": 7, "minimum": 9}
_SCHEMA_FLAGS = {"exclusiveMaximum": 8, "exclusiveMinimum": 10, "uniqueItems": 16}


def encode_document(document: Document) -> bytes:
    """A ``Document`` message."""
    info = document["info"]
    info_message = _text(1, info["title"]) + _text(2, info["version"])
    paths = b"".join(
        _message(2, _named(path, _path_item(item))) for path, item in document["paths"].items()
    )
    models = document["definitions"].items()
    definitions = b"".join(_message(1, _named(name, encode_schema(m))) for name, m in models)
    return (
        _text(1, document["swagger"])
        + _message(2, info_message)
        + _message(8, paths)
        + _message(9, definitions)
    )


def _path_item(item: Document) -> bytes:
    return _message(8, _operation(item["patch"]))


def _operation(operation: Document) -> bytes:
    parameters = b"".join(_message(8, _query(p)) for p in operation["parameters"])
    responses = b"".join(
        _message(1, _named(code, _message(1, _text(1, response["description"]))))
        for code, response in operation["responses"].items()
    )
    return (
        _text(5, operation["operationId"])
        + parameters
        + _message(9, responses)
        + _extensions(13, operation)
    )


def _query(parameter: Document) -> bytes:
    """ParametersItem > Parameter > NonBodyParameter > QueryParameterSubSchema."""
    schema = _text(2, "query") + _text(4, parameter["name"]) + _text(6, parameter["type"])
    return _message(1, _message(2, _message(3, schema)))


def encode_schema(schema: Document) -> bytes:
    """A ``Schema`` message."""
    parts = [_text(n, schema[key]) for key, n in _SCHEMA_TEXTS.items() if key in schema]
    parts += [_integer(n, schema[key]) for key, n in _SCHEMA_NUMBERS.items() if key in schema]
    parts += [_double(n, schema[key]) for key, n in _SCHEMA_DOUBLES.items() if key in schema]
    parts += [_integer(n, 1) for key, n in _SCHEMA_FLAGS.items() if schema.get(key)]
    if "default" in schema:
        parts.append(_message(5, _any(schema["default"])))
    parts += [_text(19, name) for name in schema.get("required") or ()]
    parts += [_message(20, _any(value)) for value in schema.get("enum") or ()]
    if (others := schema.get("additionalProperties")) is not None:
        parts.append(_message(21, _additional(others)))
    if isinstance(schema.get("type"), str):
        parts.append(_message(22, _text(1, schema["type"])))
    if isinstance(schema.get("items"), Mapping):
        parts.append(_message(23, _message(1, encode_schema(schema["items"]))))
    if properties := schema.get("properties"):
        named = (_message(1, _named(n, encode_schema(p))) for n, p in properties.items())
        parts.append(_message(25, b"".join(named)))
    parts.append(_extensions(31, schema))
    return b"".join(parts)


def _additional(others: Any) -> bytes:
    if isinstance(others, Mapping):
        return _message(1, encode_schema(others))
    return _integer(2, 1 if others else 0)


def _extensions(number: int, node: Document) -> bytes:
    keys: Iterable[str] = (key for key in node if key.startswith("x-"))
    return b"".join(_message(number, _named(key, _any(node[key]))) for key in keys)


def _any(value: Any) -> bytes:
    """An ``Any`` message carries YAML, of which JSON is a part."""
    return _text(2, json.dumps(value))


def _named(name: str, value: bytes) -> bytes:
    return _text(1, name) + _message(2, value)


def _varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _message(number: int, body: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(body)) + body


def _text(number: int, text: str) -> bytes:
    return _message(number, text.encode())


def _integer(number: int, value: int) -> bytes:
    return _varint(number << 3) + _varint(int(value))


def _double(number: int, value: float) -> bytes:
    return _varint(number << 3 | 1) + struct.pack("<d", value)
