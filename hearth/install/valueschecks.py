"""What a values file may say: its JSON schema, and the check of one against it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hearth.install.values import CONFIG, SETTINGS, InvalidValues, Values


def check(defaults: Values, values: Values) -> None:
    """Raise InvalidValues for what no setting takes, with every such value."""
    problems = list(_mismatches(schema(defaults), values, ""))
    if problems:
        raise InvalidValues("\n".join(problems))


def schema(defaults: Values) -> dict[str, Any]:
    """Return the JSON schema of a values file."""
    root = _closed_object()
    for setting in SETTINGS:
        _declare(root, setting.path, {"description": setting.about, **_nullable(setting.schema)})
    maps = {"type": ["object", "null"], "additionalProperties": _TEXT}
    for project, names in defaults[CONFIG].items():
        for title in names:
            _declare(root, (CONFIG, project, title), maps)
    return {"$schema": "http://json-schema.org/draft-07/schema#", **root}


_TEXT = {"type": ["string", "null"]}


def _nullable(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Without a value is what every setting may be: then the cluster's own default holds."""
    if "enum" in schema:
        return {"enum": [*schema["enum"], None]}
    return {**schema, "type": [schema["type"], "null"]}


def _closed_object() -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "properties": {}}


def _declare(root: dict[str, Any], path: Sequence[str], schema: Mapping[str, Any]) -> None:
    for step in path[:-1]:
        root = root["properties"].setdefault(step, _closed_object())
    root["properties"][path[-1]] = dict(schema)


_TYPES: Mapping[str, type | tuple[type, ...]] = {
    "string": str,
    "integer": int,
    "object": Mapping,
    "array": list,
    "null": type(None),
}


def _mismatches(schema: Mapping[str, Any], value: Any, where: str) -> Iterator[str]:
    if "enum" in schema:
        if value not in schema["enum"]:
            choices = ", ".join(str(choice) for choice in schema["enum"] if choice is not None)
            yield f"{where}: {value!r} is none of {choices}"
        return
    types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    if isinstance(value, bool) or not any(isinstance(value, _TYPES[each]) for each in types):
        yield f"{where or 'values'}: {value!r} is no {types[0]}"
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _member(schema, str(key), inner, f"{where}.{key}".lstrip("."))
    elif isinstance(value, int) and value < schema.get("minimum", value):
        yield f"{where}: {value} is less than {schema['minimum']}"


def _member(schema: Mapping[str, Any], key: str, value: Any, where: str) -> Iterator[str]:
    inner = schema.get("properties", {}).get(key, schema.get("additionalProperties", {}))
    if inner is False:
        yield f"{where}: there is no such setting; there are {', '.join(schema['properties'])}"
    elif inner:
        yield from _mismatches(inner, value, where)
