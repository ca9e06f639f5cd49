"""Checks of the schema in a CustomResourceDefinition, with Kubernetes' messages.

Structure first (``structural``), then defaults, then each place of the schema: list and map types,
keywords that are not supported, rules in CEL. Pure; used by ``definitions``.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from hearth.cluster.cel import expressions
from hearth.cluster.crd import formats, lists, shaping
from hearth.cluster.crd.problems import at_index, at_key, child
from hearth.cluster.crd.rules import RuleSet, has_rules
from hearth.cluster.crd.structural import structural_errors
from hearth.cluster.crd.validation import validate_value
from hearth.cluster.model.fielderrors import FieldError, forbidden, invalid, not_supported, required

Schema = Mapping[str, Any]

_TYPES = ("array", "boolean", "integer", "number", "object", "string")
_META = ("metadata", "kind", "apiVersion")
_LIST_TYPE = "x-kubernetes-list-type"
_MAP_TYPE = "x-kubernetes-map-type"
_KEYS = "x-kubernetes-list-map-keys"
_RULES = "x-kubernetes-validations"
_REASONS = (
    "FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired",
)  # fmt: skip


def schema_errors(schema: Schema, path: str) -> list[FieldError]:
    """The errors of one version's schema."""
    if schema.get("nullable"):
        yield_first = [forbidden(child(path, "nullable"), "nullable cannot be true at the root")]
    else:
        yield_first = []
    errors = structural_errors(schema, path) or list(_default_errors(schema, path))
    places = [*_place_errors(schema, path, _Context(is_root=True))]
    rules = [] if errors or places else list(_rule_errors(schema, path, _Context(is_root=True)))
    return [*yield_first, *errors, *places, *rules]


# -- defaults ------------------------------------------------------------------------------


def _default_errors(schema: Schema, path: str) -> Iterator[FieldError]:
    default = schema.get("default")
    if default is not None:
        yield from _default_value_errors(schema, default, child(path, "default"))
    if isinstance(items := schema.get("items"), Mapping):
        yield from _default_errors(items, child(path, "items"))
    for name, sub in (schema.get("properties") or {}).items():
        yield from _default_errors(sub, at_key(child(path, "properties"), name))


def _default_value_errors(schema: Schema, default: Any, path: str) -> Iterator[FieldError]:
    pruned = copy.deepcopy(default)
    shaping.prune(pruned, schema)
    if pruned != default:
        yield invalid(path, default, "must not have unknown fields")
    errors = list(lists.embedded_errors(default, schema, path))
    errors = errors or validate_value(schema, default, prefix=path)
    if not errors and has_rules(schema):
        errors = RuleSet(schema).errors(default, path=path)
    yield from errors


# -- every place ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Context:
    """What a place inherits: whether defaults are allowed, and old values can be told apart."""

    is_root: bool = False
    no_defaults: str | None = None
    inside_meta: bool = False
    uncorrelated: str | None = None  # the first path without correlation

    def inner(self) -> _Context:
        return replace(self, is_root=False)


def _place_errors(schema: Schema, path: str, context: _Context) -> Iterator[FieldError]:
    yield from _keyword_errors(schema, path, context)
    extra = schema.get("additionalProperties")
    if extra is not None and schema.get("properties") and extra is not True:
        detail = "additionalProperties and properties are mutual exclusive"
        yield forbidden(child(path, "additionalProperties"), detail)
    for sub, field_path, inner in _children(schema, path, context):
        yield from _place_errors(sub, field_path, inner)
    yield from _nested_place_errors(schema, path, context)
    if schema.get("x-kubernetes-preserve-unknown-fields") is False:
        field_path = child(path, "x-kubernetes-preserve-unknown-fields")
        yield invalid(field_path, False, "must be true or undefined")
    yield from _map_type_errors(schema, path)
    yield from _list_type_errors(schema, path)
    yield from _list_map_errors(schema, path)
    for index, rule in enumerate(schema.get(_RULES) or ()):
        yield from _rule_form_errors(rule, at_index(child(path, _RULES), index))


def _children(
    schema: Schema, path: str, context: _Context
) -> Iterator[tuple[Schema, str, _Context]]:
    inner = context.inner()
    if isinstance(extra := schema.get("additionalProperties"), Mapping):
        reason = "inside additionalProperties applying to object metadata"
        below = replace(inner, no_defaults=reason) if context.inside_meta else inner
        yield extra, child(path, "additionalProperties"), below
    is_resource = context.is_root or bool(schema.get("x-kubernetes-embedded-resource"))
    for name, sub in (schema.get("properties") or {}).items():
        below = inner
        if is_resource and name in _META:
            below = replace(below, inside_meta=True)
            if context.is_root:
                below = replace(below, no_defaults=f"in top-level {name}")
        yield sub, at_key(child(path, "properties"), name), below
    if isinstance(items := schema.get("items"), Mapping):
        below = inner
        if schema.get(_LIST_TYPE) != "map" and context.uncorrelated is None:
            below = replace(below, uncorrelated=path)
        yield items, child(path, "items"), below


def _nested_place_errors(schema: Schema, path: str, context: _Context) -> Iterator[FieldError]:
    inner = context.inner()
    for junctor in ("allOf", "oneOf", "anyOf"):
        for index, sub in enumerate(schema.get(junctor) or ()):
            yield from _place_errors(sub, at_index(child(path, junctor), index), inner)
    if isinstance(negated := schema.get("not"), Mapping):
        yield from _place_errors(negated, child(path, "not"), inner)


_UNSUPPORTED = (
    "id", "additionalItems", "patternProperties", "definitions", "dependencies", "$ref",
)  # fmt: skip


def _keyword_errors(schema: Schema, path: str, context: _Context) -> Iterator[FieldError]:
    kind = schema.get("type")
    if kind and kind not in _TYPES:
        yield not_supported(child(path, "type"), kind, _TYPES)
    if schema.get("default") is not None and context.no_defaults is not None:
        yield forbidden(child(path, "default"), f"must not be set {context.no_defaults}")
    for name in _UNSUPPORTED:
        if schema.get(name):
            yield forbidden(child(path, name), f"{name} is not supported")
    if kind == "null":
        detail = "type cannot be set to null, use nullable as an alternative"
        yield forbidden(child(path, "type"), detail)
    if isinstance(schema.get("items"), list):
        yield forbidden(child(path, "items"), "items must be a schema object and not an array")
    if context.inside_meta and schema.get("x-kubernetes-embedded-resource"):
        field_path = child(path, "x-kubernetes-embedded-resource")
        yield forbidden(field_path, "must not be used inside of resource meta")
    if schema.get("uniqueItems"):
        detail = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
        yield forbidden(child(path, "uniqueItems"), detail)


# -- list and map types --------------------------------------------------------------------


def _needs_type(schema: Schema, expected: str, extension: str, path: str) -> Iterator[FieldError]:
    kind, field_path = schema.get("type") or "", child(path, "type")
    if kind != expected:
        detail = f"must be {expected} if {extension} is specified"
        yield invalid(field_path, kind, detail) if kind else required(field_path, detail)


def _map_type_errors(schema: Schema, path: str) -> Iterator[FieldError]:
    kind = schema.get(_MAP_TYPE)
    if kind is None:
        return
    yield from _needs_type(schema, "object", _MAP_TYPE, path)
    if kind not in ("atomic", "granular"):
        yield not_supported(child(path, _MAP_TYPE), kind, ("atomic", "granular"))


def _list_type_errors(schema: Schema, path: str) -> Iterator[FieldError]:
    kind, items = schema.get(_LIST_TYPE), schema.get("items")
    if kind is not None:
        problems = list(_needs_type(schema, "array", _LIST_TYPE, path))
        yield from problems
        if not problems and kind == "set" and isinstance(items, Mapping):
            yield from _set_item_errors(items, child(path, "items"))
        if kind not in ("atomic", "set", "map"):
            yield not_supported(child(path, _LIST_TYPE), kind, ("atomic", "set", "map"))
    if schema.get(_KEYS) and kind != "map":
        detail, field_path = f"must be map if {_KEYS} is non-empty", child(path, _LIST_TYPE)
        yield required(field_path, detail) if kind is None else invalid(field_path, kind, detail)
    if kind in ("set", "map") and isinstance(items, Mapping) and items.get("nullable"):
        field_path = child(child(path, "items"), "nullable")
        yield forbidden(field_path, f"cannot be nullable when {_LIST_TYPE} is {kind}")


def _set_item_errors(items: Schema, path: str) -> Iterator[FieldError]:
    detail = f"must be atomic as item of a list with {_LIST_TYPE}=set"
    if items.get("type") == "array" and items.get(_LIST_TYPE) not in (None, "atomic"):
        yield invalid(child(path, _LIST_TYPE), items.get(_LIST_TYPE), detail)
    if items.get("type") == "object" and items.get(_MAP_TYPE) != "atomic":
        yield invalid(child(path, _MAP_TYPE), items.get(_LIST_TYPE), detail)


def _list_map_errors(schema: Schema, path: str) -> Iterator[FieldError]:
    if schema.get(_LIST_TYPE) != "map":
        return
    keys, items, field_path = schema.get(_KEYS) or [], schema.get("items"), child(path, "items")
    if not keys:
        yield required(child(path, _KEYS), f"must not be empty if {_LIST_TYPE} is map")
    if items is None:
        yield required(field_path, f"must have a schema if {_LIST_TYPE} is map")
    if not isinstance(items, Mapping):
        return
    if items.get("type") != "object":
        detail = f"must be object if parent array's {_LIST_TYPE} is map"
        yield invalid(child(field_path, "type"), items.get("type") or "", detail)
        return
    yield from _list_key_errors(keys, items, path)


def _list_key_errors(keys: list[str], items: Schema, path: str) -> Iterator[FieldError]:
    properties, needed = items.get("properties") or {}, items.get("required") or ()
    for index, key in enumerate(keys):
        declared = properties.get(key)
        if key in keys[:index]:
            yield invalid(child(path, _KEYS), keys, "must not contain duplicate entries")
        if declared is None:
            yield invalid(child(path, _KEYS), keys, "entries must all be names of item properties")
            continue
        field_path = at_key(child(child(path, "items"), "properties"), key)
        if declared.get("type") in ("array", "object"):
            detail = f"must be a scalar type if parent array's {_LIST_TYPE} is map"
            yield invalid(child(field_path, "type"), items.get("type"), detail)
        if key not in needed and declared.get("default") is None:
            detail = f"this property is in {_KEYS}, so it must have a default or be a required "
            yield required(child(field_path, "default"), detail + "property")
        if declared.get("nullable"):
            detail = f"this property is in {_KEYS}, so it cannot be nullable"
            yield forbidden(child(field_path, "nullable"), detail)


# -- rules ---------------------------------------------------------------------------------


def _rule_form_errors(rule: Schema, path: str) -> Iterator[FieldError]:
    text, message = (rule.get("rule") or "").strip(), rule.get("message") or ""
    if not text:
        yield required(child(path, "rule"), "rule is not specified")
    elif message and not message.strip():
        yield invalid(child(path, "message"), message, "must be non-empty if specified")
    elif re.search(r"[\n\r]", message.strip()):
        yield invalid(child(path, "message"), message, "must not contain line breaks")
    elif re.search(r"[\n\r]", text) and not message.strip():
        detail = "message must be specified if rule contains line breaks"
        yield required(child(path, "message"), detail)
    expression = rule.get("messageExpression") or ""
    if expression and not expression.strip():
        detail = "messageExpression must be non-empty if specified"
        yield required(child(path, "messageExpression"), detail)
    reason = rule.get("reason")
    if reason is not None and reason not in _REASONS:
        yield not_supported(child(path, "reason"), reason, _REASONS)
    field = rule.get("fieldPath") or ""
    if field and not field.strip():
        yield invalid(child(path, "fieldPath"), field, "must be non-empty if specified")
    if re.search(r"[\n\r]", field):
        yield invalid(child(path, "fieldPath"), field, "must not contain line breaks")


def _rule_errors(schema: Schema, path: str, context: _Context) -> Iterator[FieldError]:
    for sub, field_path, inner in _children(schema, path, context):
        yield from _rule_errors(sub, field_path, inner)
    for index, rule in enumerate(schema.get(_RULES) or ()):
        field_path = at_index(child(path, _RULES), index)
        field = rule.get("fieldPath")
        if field and field_schema(schema, field) is None:
            yield invalid(child(field_path, "fieldPath"), field, "must be a valid path")
        yield from _expression_errors(rule, field_path, context)


def _expression_errors(rule: Schema, path: str, context: _Context) -> Iterator[FieldError]:
    try:
        expression = expressions.Expression(rule["rule"])
    except expressions.CelError as error:
        yield invalid(child(path, "rule"), _as_go(rule), str(error))
        return
    if unknown := expression.variables - {"self", "oldSelf"}:
        name = min(unknown)
        detail = f"compilation failed: undeclared reference to '{name}' (in container '')"
        yield invalid(child(path, "rule"), _as_go(rule), detail)
    if text := rule.get("messageExpression"):
        try:
            expressions.Expression(text)
        except expressions.CelError as error:
            detail = f"messageExpression {error}"
            yield invalid(child(path, "messageExpression"), _as_go(rule), detail)
    if "oldSelf" not in expression.variables:
        if rule.get("optionalOldSelf") is not None:
            detail = "may not be set if oldSelf is not used in rule"
            yield invalid(child(path, "optionalOldSelf"), rule["optionalOldSelf"], detail)
    elif context.uncorrelated is not None:
        detail = "oldSelf cannot be used on the uncorrelatable portion of the schema within "
        yield invalid(child(path, "rule"), rule["rule"], detail + context.uncorrelated)


def _as_go(rule: Schema) -> dict[str, Any]:
    """A rule as Kubernetes prints it in errors."""
    return {
        "Rule": rule.get("rule", ""),
        "Message": rule.get("message", ""),
        "MessageExpression": rule.get("messageExpression", ""),
        "Reason": rule.get("reason"),
        "FieldPath": rule.get("fieldPath", ""),
        "OptionalOldSelf": rule.get("optionalOldSelf"),
    }


def unknown_formats(schema: Schema) -> Iterator[str]:
    """Formats that are not checked, at any depth."""
    declared = schema.get("format")
    if declared and not formats.effective_format(declared, (schema.get("type") or "",)):
        yield declared
    for junctor in ("allOf", "anyOf", "oneOf"):
        for sub in schema.get(junctor) or ():
            yield from unknown_formats(sub)
    for name in ("items", "additionalProperties", "not"):
        if isinstance(inner := schema.get(name), Mapping):
            yield from unknown_formats(inner)
    for sub in (schema.get("properties") or {}).values():
        yield from unknown_formats(sub)


_STEP = re.compile(r"\.([^.\[\]]+)|\['((?:[^'\\]|\\.)*)'\]")


def field_schema(schema: Schema, path: str) -> Schema | None:
    """The schema at a path of names (``.spec.size``, ``.map['key']``); None without one."""
    index = 0
    while index < len(path):
        match = _STEP.match(path, index)
        if not match:
            return None
        index = match.end()
        name = match[1] if match[1] is not None else match[2]
        if schema.get("properties"):
            inner = schema["properties"].get(name)
        else:
            inner = schema.get("additionalProperties")
        if not isinstance(inner, Mapping):
            return None
        schema = inner
    return schema if index else None
