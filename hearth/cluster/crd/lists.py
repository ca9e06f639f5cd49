"""Lists whose items must differ (``x-kubernetes-list-type`` set and map), and embedded resources.

Checks that a schema asks for but JSON Schema cannot say. Pure; part of a custom kind's validation.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from hearth.cluster.crd.problems import at_index, at_key, child
from hearth.cluster.model.fielderrors import FieldError, duplicate, invalid, required
from hearth.cluster.model.objectmeta import validate_object_meta
from hearth.kube.names import dns1035_label_problems

JSON = Any
Schema = Mapping[str, Any]


def list_errors(value: JSON, schema: Schema | None, path: str = "") -> Iterator[FieldError]:
    """Duplicates in lists that are sets or maps."""
    if schema is None:
        return
    if isinstance(value, dict):
        for sub_path, sub, item in _children(value, schema, path):
            yield from list_errors(item, sub, sub_path)
    elif isinstance(value, list):
        kind = schema.get("x-kubernetes-list-type")
        if kind == "set":
            for index in _repeated(value):
                yield duplicate(at_index(path, index), value[index])
        elif kind == "map":
            yield from _map_errors(value, schema.get("x-kubernetes-list-map-keys") or (), path)
        items = schema.get("items")
        for index, item in enumerate(value):
            yield from list_errors(item, items, at_index(path, index))


def _children(
    value: dict[str, JSON], schema: Schema, path: str
) -> Iterator[tuple[str, Schema, JSON]]:
    properties = schema.get("properties") or {}
    extra = schema.get("additionalProperties")
    for key in sorted(value):
        if key in properties:
            yield child(path, key), properties[key], value[key]
        elif isinstance(extra, Mapping):
            yield at_key(path, key), extra, value[key]


def _repeated(items: list[JSON]) -> list[int]:
    """Where an item appears for the second time; a third time is not told."""
    seen: dict[str, int] = {}
    repeated = []
    for index, item in enumerate(items):
        text = json.dumps(item, sort_keys=True)
        seen[text] = seen.get(text, 0) + 1
        if seen[text] == 2:
            repeated.append(index)
    return repeated


def _map_errors(items: list[JSON], keys: tuple[str, ...], path: str) -> Iterator[FieldError]:
    for index, item in enumerate(items):
        if item is not None and not isinstance(item, dict):
            detail = "must be an object for an array of list-type map"
            yield invalid(at_index(path, index), item, detail)
            return
    key_values = [{key: item[key] for key in keys if key in item} if item else {} for item in items]
    for index in _repeated(key_values):
        yield duplicate(at_index(path, index), key_values[index])


def embedded_errors(value: JSON, schema: Schema | None, path: str = "") -> Iterator[FieldError]:
    """What is wrong with resources inside the resource (``x-kubernetes-embedded-resource``)."""
    if schema is None:
        return
    if isinstance(value, dict):
        if schema.get("x-kubernetes-embedded-resource"):
            yield from _embedded(value, path)
        for sub_path, sub, item in _children(value, schema, path):
            yield from embedded_errors(item, sub, sub_path)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from embedded_errors(item, schema.get("items"), at_index(path, index))


def _embedded(value: dict[str, JSON], path: str) -> Iterator[FieldError]:
    for key in ("apiVersion", "kind"):
        field_path = child(path, key)
        if key not in value:
            yield required(field_path)
        elif not isinstance(value[key], str):
            yield invalid(field_path, value[key], "must be a string")
        elif not value[key]:
            yield invalid(field_path, "", "must not be empty")
    kind = value.get("kind")
    if isinstance(kind, str) and kind and (problems := dns1035_label_problems(kind.lower())):
        detail = "may have mixed case, but should otherwise match: " + ",".join(problems)
        yield invalid(child(path, "kind"), kind, detail)
    version = value.get("apiVersion")
    if isinstance(version, str) and version.count("/") > 1:
        detail = f"unexpected GroupVersion string: {version}"
        yield invalid(child(path, "apiVersion"), version, detail)
    metadata = value.get("metadata")
    if isinstance(metadata, dict):
        yield from _embedded_metadata(metadata, child(path, "metadata"))


def _embedded_metadata(metadata: dict[str, JSON], path: str) -> Iterator[FieldError]:
    named = {"metadata": {"name": "fakename", **metadata}}
    for error in validate_object_meta(
        named, namespaced=bool(metadata.get("namespace")), name_fn=lambda name: []
    ):
        yield FieldError(path + error.field.removeprefix("metadata"), error.reason, error.message)
