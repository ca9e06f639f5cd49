"""Is a schema structural? The rules that make pruning and defaulting of custom resources possible.

Every place has a type outside of ``allOf``/``anyOf``/``oneOf``/``not``, and what those speak of is
declared outside of them as well. Pure; used by ``schemas``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hearth.cluster.cel import regex
from hearth.cluster.crd.problems import at_index, at_key, child
from hearth.cluster.model.fielderrors import FieldError, forbidden, invalid, required

Schema = Mapping[str, Any]

ROOT, ITEM, FIELD = "root", "item", "field"

_UNTYPED = {
    ROOT: "must not be empty at the root",
    ITEM: "must not be empty for specified array items",
    FIELD: "must not be empty for specified object fields",
}
_INT_OR_STRING = [{"type": "integer"}, {"type": "string"}]
_PRESERVE = "x-kubernetes-preserve-unknown-fields"
_EMBEDDED = "x-kubernetes-embedded-resource"
_INT = "x-kubernetes-int-or-string"


def structural_errors(schema: Schema, path: str) -> list[FieldError]:
    """What keeps a schema from being structural, in the order in which Kubernetes lists it."""
    errors = [*_invariants(schema, ROOT, path), *_completeness(schema, schema, path, path)]
    return sorted(errors, key=str)


def _sub(schema: Schema, name: str) -> Schema | None:
    sub = schema.get(name)
    return sub if isinstance(sub, Mapping) else None


def _invariants(schema: Schema, level: str, path: str) -> Iterator[FieldError]:
    if schema.get("type") == "array" and _sub(schema, "items") is None:
        yield required(child(path, "items"), "must be specified")
    if (items := _sub(schema, "items")) is not None:
        yield from _invariants(items, ITEM, child(path, "items"))
    for name, sub in (schema.get("properties") or {}).items():
        yield from _invariants(sub, FIELD, at_key(child(path, "properties"), name))
    if schema.get("additionalProperties") is not None:
        field_path = child(path, "additionalProperties")
        if level == ROOT:
            yield forbidden(field_path, "must not be used at the root")
        if (extra := _sub(schema, "additionalProperties")) is not None:
            yield from _invariants(extra, FIELD, field_path)
    yield from _extension_errors(schema, path)
    yield from _value_errors(schema, level, path)
    yield from _type_errors(schema, level, path)
    yield from _meta_errors(schema, level, path)


def _extension_errors(schema: Schema, path: str) -> Iterator[FieldError]:
    if not schema.get(_INT):
        return
    for name in (_PRESERVE, _EMBEDDED):
        if schema.get(name):
            yield invalid(child(path, name), True, f"must be false if {_INT} is true")


def _type_errors(schema: Schema, level: str, path: str) -> Iterator[FieldError]:
    kind, field_path = schema.get("type") or "", child(path, "type")
    if schema.get(_EMBEDDED) and kind != "object":
        detail = f"must be object if {_EMBEDDED} is true"
        yield invalid(field_path, kind, detail) if kind else required(field_path, detail)
    elif not kind and not schema.get(_INT) and not schema.get(_PRESERVE):
        yield required(field_path, _UNTYPED[level])
    if schema.get(_EMBEDDED) and schema.get("additionalProperties") is not None:
        detail = f"must not be used if {_EMBEDDED} is set"
        yield forbidden(child(path, "additionalProperties"), detail)
    if level == ROOT and kind and kind != "object":
        yield invalid(field_path, kind, "must be object at the root")


def _meta_errors(schema: Schema, level: str, path: str) -> Iterator[FieldError]:
    properties = schema.get("properties") or {}
    is_resource = level == ROOT or bool(schema.get(_EMBEDDED))
    for name in ("kind", "apiVersion"):
        if is_resource and name in properties and properties[name].get("type") != "string":
            field_path = child(at_key(child(path, "properties"), name), "type")
            yield invalid(field_path, properties[name].get("type") or "", "must be string")
    if "metadata" in properties:
        metadata, field_path = properties["metadata"], at_key(child(path, "properties"), "metadata")
        if is_resource and metadata.get("type") != "object":
            yield invalid(child(field_path, "type"), metadata.get("type") or "", "must be object")
        if level == ROOT and not _is_plain_metadata(metadata):
            detail = "must not specify anything other than name and generateName, but metadata is "
            yield forbidden(field_path, detail + "implicitly specified")
    if schema.get(_EMBEDDED) and not schema.get(_PRESERVE) and not properties:
        detail = f"must not be empty if {_EMBEDDED} is true without {_PRESERVE}"
        yield required(child(path, "properties"), detail)


def _is_plain_metadata(metadata: Schema) -> bool:
    declared = {name for name, value in metadata.items() if value not in (None, {}, [], False, "")}
    names = set(metadata.get("properties") or {})
    return declared <= {"type", "properties", "default"} and names <= {"name", "generateName"}


# -- allOf, anyOf, oneOf, not --------------------------------------------------------------

_LISTED = ("anyOf", "allOf", "oneOf")


def _value_errors(schema: Schema, level: str, path: str) -> Iterator[FieldError]:
    first_all = (schema.get("allOf") or [{}])[0]
    yield from _junctor_errors(
        schema,
        path,
        skip_any=schema.get("anyOf") == _INT_OR_STRING,
        skip_first_all_any=first_all.get("anyOf") == _INT_OR_STRING,
    )


def _junctor_errors(
    schema: Schema, path: str, *, skip_any: bool, skip_first_all_any: bool
) -> Iterator[FieldError]:
    for junctor in _LISTED:
        if junctor == "anyOf" and skip_any:
            continue
        for index, sub in enumerate(schema.get(junctor) or ()):
            skip = junctor == "allOf" and index == 0 and skip_first_all_any
            yield from _nested_errors(sub, at_index(child(path, junctor), index), skip_any=skip)
    if (negated := _sub(schema, "not")) is not None:
        yield from _nested_errors(negated, child(path, "not"))
    if pattern := schema.get("pattern"):
        try:
            regex.check(pattern)
        except regex.PatternError as error:
            detail = f"must be a valid regular expression, but isn't: {error}"
            yield invalid(child(path, "pattern"), pattern, detail)


_FORBIDDEN_NESTED = (
    ("type", "must be empty to be structural"),
    ("additionalProperties", "must be undefined to be structural"),
    ("default", "must be undefined to be structural"),
    ("title", "must be empty to be structural"),
    ("description", "must be empty to be structural"),
    ("nullable", "must be false to be structural"),
    (_PRESERVE, "must be false to be structural"),
    (_EMBEDDED, "must be false to be structural"),
    (_INT, "must be false to be structural"),
    ("x-kubernetes-list-map-keys", "must be empty to be structural"),
    ("x-kubernetes-list-type", "must be undefined to be structural"),
    ("x-kubernetes-map-type", "must be undefined to be structural"),
    ("x-kubernetes-validations", "must be empty to be structural"),
)


def _nested_errors(schema: Schema, path: str, *, skip_any: bool = False) -> Iterator[FieldError]:
    yield from _junctor_errors(schema, path, skip_any=skip_any, skip_first_all_any=False)
    if (items := _sub(schema, "items")) is not None:
        yield from _nested_errors(items, child(path, "items"))
    properties = schema.get("properties") or {}
    for name, sub in properties.items():
        yield from _nested_errors(sub, at_key(child(path, "properties"), name))
    for name, detail in _FORBIDDEN_NESTED:
        value = schema.get(name)
        if value or (name == "default" and value is not None):
            yield forbidden(child(path, name), detail)
    if "metadata" in properties:
        field_path = at_key(child(path, "properties"), "metadata")
        yield forbidden(field_path, "must not be specified in a nested context")


def _completeness(
    values: Schema, schema: Schema | None, path: str, values_path: str
) -> Iterator[FieldError]:
    """What junctors speak of must be declared outside of them too."""
    for junctor in ("allOf", "anyOf", "oneOf"):
        for index, sub in enumerate(values.get(junctor) or ()):
            values_item = at_index(child(values_path, junctor), index)
            yield from _nested_completeness(sub, schema, path, values_item)
    if (negated := _sub(values, "not")) is not None:
        yield from _nested_completeness(negated, schema, path, child(values_path, "not"))


def _nested_completeness(
    values: Schema, schema: Schema | None, path: str, values_path: str
) -> Iterator[FieldError]:
    if schema is None:
        yield required(path, f"because it is defined in {values_path}")
        return
    yield from _completeness(values, schema, path, values_path)
    if (items := _sub(values, "items")) is not None:
        yield from _nested_completeness(
            items, _sub(schema, "items"), child(path, "items"), child(values_path, "items")
        )
    declared = schema.get("properties") or {}
    for name, sub in (values.get("properties") or {}).items():
        field_path = at_key(child(path, "properties"), name)
        yield from _nested_completeness(
            sub, declared.get(name), field_path, at_key(child(values_path, "properties"), name)
        )
