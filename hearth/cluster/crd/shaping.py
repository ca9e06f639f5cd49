"""What a schema makes of an object before it is validated: pruning, nulls and defaults.

All functions change the object given. Called by the strategy of a custom kind.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

JSON = Any
Schema = Mapping[str, Any]

META_FIELDS = frozenset({"apiVersion", "kind", "metadata"})


def prune(value: JSON, schema: Schema | None, *, is_resource: bool = False) -> None:
    """Removes fields that the schema does not know; ``is_resource`` keeps a resource's own."""
    if schema is not None and schema.get("x-kubernetes-preserve-unknown-fields"):
        _prune_below(value, schema, is_resource=is_resource)
    elif isinstance(value, dict):
        _prune_object(value, schema, is_resource=is_resource)
    elif isinstance(value, list):
        items = schema.get("items") if schema else None
        for item in value:
            prune(item, items)


def _prune_object(value: dict[str, JSON], schema: Schema | None, *, is_resource: bool) -> None:
    if schema is None:
        value.clear()
        return
    is_resource = is_resource or bool(schema.get("x-kubernetes-embedded-resource"))
    properties = schema.get("properties") or {}
    extra = schema.get("additionalProperties")
    for key in list(value):
        if is_resource and key in META_FIELDS:
            continue
        if key in properties:
            prune(value[key], properties[key])
        elif isinstance(extra, Mapping):
            prune(value[key], extra)
        elif not extra:
            del value[key]


def _prune_below(value: JSON, schema: Schema, *, is_resource: bool) -> None:
    """Keeps unknown fields here, but prunes known ones inside."""
    if isinstance(value, list):
        items = schema.get("items")
        for item in value:
            if isinstance(items, Mapping):
                _prune_below(item, items, is_resource=False)
        return
    if not isinstance(value, dict):
        return
    is_resource = is_resource or bool(schema.get("x-kubernetes-embedded-resource"))
    properties = schema.get("properties") or {}
    extra = schema.get("additionalProperties")
    for key, item in value.items():
        if is_resource and key in META_FIELDS:
            continue
        if key in properties:
            prune(item, properties[key])
        elif isinstance(extra, Mapping):
            prune(item, extra)


def drop_nulls(value: JSON, schema: Schema | None) -> None:
    """Removes nulls where the schema allows none and has no default to put there."""
    if isinstance(value, dict):
        for key in list(value):
            sub = _field_schema(schema, key)
            if value[key] is None and sub is not None and _takes_no_null(sub):
                del value[key]
            else:
                drop_nulls(value[key], sub)
    elif isinstance(value, list):
        items = schema.get("items") if schema else None
        for item in value:
            drop_nulls(item, items)


def _takes_no_null(schema: Schema) -> bool:
    return not schema.get("nullable") and schema.get("default") is None


def _field_schema(schema: Schema | None, key: str) -> Schema | None:
    if schema is None:
        return None
    declared = (schema.get("properties") or {}).get(key)
    if declared is None:
        declared = schema.get("additionalProperties")
    return declared if isinstance(declared, Mapping) else None


def fill_defaults(value: JSON, schema: Schema | None) -> None:
    """Puts defaults where fields are missing, or null without being nullable; nested as well."""
    if schema is None:
        return
    if isinstance(value, dict):
        _default_object(value, schema)
    elif isinstance(value, list):
        items = schema.get("items")
        if not isinstance(items, Mapping):
            return
        for index, item in enumerate(value):
            if item is None and not items.get("nullable"):
                value[index] = copy.deepcopy(items.get("default"))
            fill_defaults(value[index], items)


def _default_object(value: dict[str, JSON], schema: Schema) -> None:
    properties = schema.get("properties") or {}
    extra = schema.get("additionalProperties")
    for key, sub in properties.items():
        default = sub.get("default")
        if default is not None and (
            key not in value or (value[key] is None and not sub.get("nullable"))
        ):
            value[key] = copy.deepcopy(default)
    for key, item in value.items():
        if key in properties:
            fill_defaults(item, properties[key])
        elif isinstance(extra, Mapping):
            if item is None and not extra.get("nullable"):
                value[key] = copy.deepcopy(extra.get("default"))
            fill_defaults(value[key], extra)
