"""``x-kubernetes-validations``: rules in CEL at any place of a schema.

A ``RuleSet`` compiles the rules of a schema once and checks objects, with the old object for
transition rules. Names that are no CEL identifiers are escaped as Kubernetes does
(``x__dash__y``); values follow the schema (a ``date-time`` is a timestamp).
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from hearth.cluster.cel import expressions
from hearth.cluster.crd.problems import NOWHERE, at_index, at_key, child, invalid_whole
from hearth.cluster.model.fielderrors import FieldError, duplicate, forbidden, invalid, required
from hearth.cluster.model.roundtrip import parse_time
from hearth.kube.durations import parse_go_duration

JSON = Any
Schema = Mapping[str, Any]

_RESERVED = frozenset(
    {
        *("true", "false", "null", "in", "as", "break", "const", "continue", "else", "for"),
        *("function", "if", "import", "let", "loop", "package", "namespace", "return", "var"),
        *("void", "while"),
    }
)
_ESCAPABLE = re.compile(r"^[A-Za-z_][A-Za-z0-9_./-]*\Z")
_MAX_MESSAGE = 5 * 1024


def has_rules(schema: Schema) -> bool:
    """Whether there is a rule anywhere in the schema."""
    if schema.get("x-kubernetes-validations"):
        return True
    return any(has_rules(sub) for sub in _sub_schemas(schema))


def _sub_schemas(schema: Schema) -> Iterator[Schema]:
    yield from (schema.get("properties") or {}).values()
    for name in ("items", "additionalProperties"):
        if isinstance(sub := schema.get(name), Mapping):
            yield sub
    yield from schema.get("allOf") or ()


def escape(name: str) -> str | None:
    """A field's name in CEL; None when it has none."""
    if not _ESCAPABLE.match(name):
        return None
    if name in _RESERVED:
        return f"__{name}__"
    escaped = name.replace("__", "__underscores__").replace(".", "__dot__")
    return escaped.replace("-", "__dash__").replace("/", "__slash__")


def to_cel(value: JSON, schema: Schema, *, is_resource: bool = False) -> Any:
    """A JSON value as CEL sees it through its schema."""
    if isinstance(value, dict):
        return _object_to_cel(value, schema, is_resource=is_resource)
    if isinstance(value, list):
        items = schema.get("items")
        return [to_cel(item, items) for item in value] if isinstance(items, Mapping) else value
    if isinstance(value, str):
        return _text_to_cel(value, schema.get("format"))
    if schema.get("type") == "number" and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if schema.get("type") == "integer" and isinstance(value, float):
        return int(value)
    return value


_META: Schema = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "generateName": {"type": "string"}},
}
_TYPED: Mapping[str, Schema] = {
    "apiVersion": {"type": "string"},
    "kind": {"type": "string"},
    "metadata": _META,
}


def _object_to_cel(value: dict[str, JSON], schema: Schema, *, is_resource: bool) -> dict[str, Any]:
    properties = schema.get("properties") or {}
    if is_resource or schema.get("x-kubernetes-embedded-resource"):
        properties = {**properties, **_TYPED}
    extra = schema.get("additionalProperties")
    if not properties:
        if isinstance(extra, Mapping):
            return {key: to_cel(item, extra) for key, item in value.items()}
        return value
    out = {}
    for key, item in value.items():
        if key in properties and (name := escape(key)) is not None:
            out[name] = to_cel(item, properties[key])
    return out


def _text_to_cel(value: str, text_format: Any) -> Any:
    try:
        if text_format in ("date-time", "datetime"):
            return parse_time(value) or value
        if text_format == "date":
            return parse_time(value + "T00:00:00Z") or value
        if text_format == "duration":
            return timedelta(seconds=parse_go_duration(value))
        if text_format == "byte":
            return base64.b64decode(value)
    except (ValueError, binascii.Error):
        pass
    return value


@dataclass(frozen=True, slots=True)
class _Rule:
    """One rule with its compiled expressions, or the reason why it has none."""

    declared: Mapping[str, Any]
    expression: expressions.Expression | None
    message: expressions.Expression | None
    problem: str = ""

    @property
    def label(self) -> str:
        return str(self.declared.get("message") or self.declared["rule"]).strip()

    @property
    def is_transition(self) -> bool:
        return self.expression is not None and "oldSelf" in self.expression.variables


def _compile(declared: Mapping[str, Any]) -> _Rule:
    try:
        expression = expressions.Expression(declared["rule"])
    except expressions.CelError as error:
        return _Rule(declared, None, None, str(error))
    message = None
    if declared.get("messageExpression"):
        try:
            message = expressions.Expression(declared["messageExpression"])
        except expressions.CelError:
            message = None
    return _Rule(declared, expression, message)


class RuleSet:
    """The rules of a schema and of everything below it."""

    def __init__(self, schema: Schema, *, is_resource: bool = False) -> None:
        self._schema = schema
        self._is_resource = is_resource or bool(schema.get("x-kubernetes-embedded-resource"))
        self._rules = [_compile(rule) for rule in schema.get("x-kubernetes-validations") or ()]
        self._properties = {
            name: RuleSet(sub)
            for name, sub in (schema.get("properties") or {}).items()
            if has_rules(sub)
        }
        self._items = _rule_set(schema.get("items"))
        self._extra = _rule_set(schema.get("additionalProperties"))

    def errors(self, value: JSON, old: JSON = None, *, path: str = "") -> list[FieldError]:
        """The rules that a value breaks; ``old`` is None where there is nothing to compare to."""
        if value is None:
            return []
        errors = list(self._own_errors(value, old, path))
        if isinstance(value, dict):
            errors += self._field_errors(value, old if isinstance(old, dict) else {}, path)
        elif isinstance(value, list) and self._items is not None:
            before = self._old_items(old)
            for index, item in enumerate(value):
                previous = before.get(self._item_key(item))
                errors += self._items.errors(item, previous, path=at_index(path, index))
        return errors

    def _field_errors(
        self, value: dict[str, JSON], old: dict[str, JSON], path: str
    ) -> Iterator[FieldError]:
        declared = self._schema.get("properties") or {}
        for key in sorted(value):
            if key in self._properties:
                rules, field_path = self._properties[key], child(path, key)
            elif self._extra is not None and key not in declared:
                rules, field_path = self._extra, at_key(path, key)
            else:
                continue
            yield from rules.errors(value[key], old.get(key), path=field_path)

    def _old_items(self, old: JSON) -> dict[str, JSON]:
        """Old items by key: only those of keyed lists can be told apart."""
        if self._schema.get("x-kubernetes-list-type") != "map" or not isinstance(old, list):
            return {}
        return {self._item_key(item): item for item in old}

    def _item_key(self, item: JSON) -> str:
        keys = self._schema.get("x-kubernetes-list-map-keys") or ()
        key_values = [item.get(key) for key in keys] if isinstance(item, dict) else []
        return json.dumps(key_values, sort_keys=True)

    def _own_errors(self, value: JSON, old: JSON, path: str) -> Iterator[FieldError]:
        if not self._rules:
            return
        variables = {"self": to_cel(value, self._schema, is_resource=self._is_resource)}
        if old is not None:
            variables["oldSelf"] = to_cel(old, self._schema, is_resource=self._is_resource)
        for rule in self._rules:
            if rule.problem:
                yield self._failed(path, f"rule compile error: {rule.problem}")
                continue
            optional = bool(rule.declared.get("optionalOldSelf"))
            if rule.is_transition and old is None and not optional:
                continue
            if not rule.is_transition and old is not None and old == value:
                continue  # what did not change is not held against an update
            yield from self._check(rule, value, _seen(variables, optional=optional), path)

    def _check(
        self, rule: _Rule, value: JSON, variables: Mapping[str, Any], path: str
    ) -> Iterator[FieldError]:
        assert rule.expression is not None
        try:
            if rule.expression.evaluate(variables) is True:
                return
        except expressions.NoOverload as error:
            detail = "call arguments did not match a supported operator, function or macro"
            yield self._failed(path, f"'{error}': {detail} signature for rule: {rule.label}")
            return
        except expressions.CelError as error:
            yield self._failed(path, f"{error} evaluating rule: {rule.label}")
            return
        field = rule.declared.get("fieldPath") or ""
        field_path = (path + field).removeprefix(".") if field else path
        yield _broken(rule, value, _detail(rule, variables), field_path or NOWHERE)

    def _failed(self, path: str, detail: str) -> FieldError:
        return invalid(path or NOWHERE, self._schema.get("type", ""), detail)


def _rule_set(schema: Any) -> RuleSet | None:
    return RuleSet(schema) if isinstance(schema, Mapping) and has_rules(schema) else None


def _seen(variables: Mapping[str, Any], *, optional: bool) -> Mapping[str, Any]:
    if not optional:
        return variables
    present = "oldSelf" in variables
    wrapped = expressions.optional(variables.get("oldSelf"), present=present)
    return {**variables, "oldSelf": wrapped}


def _detail(rule: _Rule, variables: Mapping[str, Any]) -> str:
    if rule.message is not None:
        try:
            text = rule.message.evaluate(variables)
        except expressions.CelError:
            text = None
        if isinstance(text, str):
            text = text.strip()
            if text and "\n" not in text and len(text) <= _MAX_MESSAGE:
                return text
    declared = rule.declared.get("message")
    return str(declared).strip() if declared else f"failed rule: {rule.label}"


def _broken(rule: _Rule, value: JSON, detail: str, path: str) -> FieldError:
    reason = rule.declared.get("reason")
    if reason == "FieldValueForbidden":
        return forbidden(path, detail)
    if reason == "FieldValueRequired":
        return required(path, detail)
    is_whole = isinstance(value, (dict, list))
    if reason == "FieldValueDuplicate":
        return FieldError(path, reason, "Duplicate value") if is_whole else duplicate(path, value)
    return invalid_whole(path, detail) if is_whole else invalid(path, value, detail)
