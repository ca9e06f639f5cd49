"""Objects that need nothing done: a quick look before ``shaping`` and ``validation`` take theirs.

Most custom resources have only fields of their schema, all defaults, no null and nothing wrong. A
schema compiles, place by place as objects get there, into tests that say so; where they do not, the
slow ways decide. Pure; used by the strategy of a custom kind.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from hearth.cluster.crd.shaping import META_FIELDS
from hearth.cluster.crd.validation import validate_value

JSON = Any
Schema = Mapping[str, Any]
Test = Callable[[JSON], bool]

_SAYS_NOTHING = frozenset({"type", "description", "default", "nullable", "title", "example"})
_OF_INTEGERS = _SAYS_NOTHING | {"format"}
_OF_LISTS = _SAYS_NOTHING | {"items", "x-kubernetes-list-type", "x-kubernetes-list-map-keys"}
_OF_OBJECTS = _SAYS_NOTHING | {
    "properties",
    "additionalProperties",
    "required",
    "x-kubernetes-map-type",
    "x-kubernetes-preserve-unknown-fields",
    "x-kubernetes-validations",  # which the strategy looks at by itself
}
_INT32 = 2**31


def plain(schema: Schema, *, is_resource: bool = False) -> Test:
    """A test: whether a value stays as it is by this schema, and has no errors; False: perhaps."""
    kind, keywords = schema.get("type"), schema.keys()
    if kind == "object" and keywords <= _OF_OBJECTS:
        return _object(schema, is_resource=is_resource)
    if kind == "array" and keywords <= _OF_LISTS:
        return _array(schema)
    if kind == "string" and keywords <= _SAYS_NOTHING:
        return lambda value: isinstance(value, str)
    if kind == "boolean" and keywords <= _SAYS_NOTHING:
        return lambda value: isinstance(value, bool)
    if kind == "integer" and keywords <= _OF_INTEGERS and schema.get("format") in _FORMATS:
        return lambda value: type(value) is int and -_INT32 <= value < _INT32
    return lambda value: isinstance(value, (str, int, float)) and not validate_value(schema, value)


_FORMATS = (None, "int32", "int64")


def _array(schema: Schema) -> Test:
    items = schema.get("items")
    test = plain(items) if isinstance(items, Mapping) else _never
    return lambda value: isinstance(value, list) and all(map(test, value))


def _object(schema: Schema, *, is_resource: bool) -> Test:
    properties = schema.get("properties") or {}
    needed = set(schema.get("required") or ())
    needed |= {key for key, sub in properties.items() if sub.get("default") is not None}
    others = _of_others(schema)
    tests: dict[str, Test] = {}
    if is_resource:
        tests = {key: _meta(properties.get(key, schema)) for key in META_FIELDS}

    def test(value: JSON) -> bool:
        if not isinstance(value, dict) or not needed <= value.keys():
            return False
        for key, item in value.items():
            one = tests.get(key)
            if one is None:
                sub = properties.get(key)
                one = others if sub is None else tests.setdefault(key, plain(sub))
            if not one(item):
                return False
        return True

    return test


def _of_others(schema: Schema) -> Test:
    """What fields may be that the schema does not name."""
    extra = schema.get("additionalProperties")
    if isinstance(extra, Mapping):
        return plain(extra)
    keeps = schema.get("x-kubernetes-preserve-unknown-fields") and extra is None
    return _always if extra or keeps else _never


def _meta(schema: Schema) -> Test:
    """Of a resource's own fields nothing is pruned; a schema rarely says more than their type."""
    if schema.keys() <= _SAYS_NOTHING and schema.get("default") is None:
        kind = {"object": dict, "string": str}.get(schema.get("type", ""))
        if kind is not None:
            return lambda value: isinstance(value, kind)
    return _never


def _always(_: JSON) -> bool:
    return True


def _never(_: JSON) -> bool:
    return False
