"""The rules of a custom kind: pruning, defaults and validation by its schema.

``make_strategy`` compiles nothing until it is needed: rules in CEL in particular, whose library
takes memory that an API server without such rules shall not spend.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hearth.cluster.crd import lists, shaping
from hearth.cluster.crd.plain import Test, plain
from hearth.cluster.crd.problems import UNCHECKED, are_blocking
from hearth.cluster.crd.rules import RuleSet, has_rules
from hearth.cluster.crd.validation import validate_value
from hearth.cluster.model.differences import changed_part
from hearth.cluster.model.fielderrors import FieldError, go_type, invalid
from hearth.cluster.model.kind import Object, ScalePaths, Strategy
from hearth.cluster.model.objectmeta import STANDARD_FINALIZERS

Schema = Mapping[str, Any]

_MAX_INT32 = 2**31 - 1


def make_strategy(
    schema: Schema,
    *,
    group_version: str,
    kind: str,
    has_status: bool,
    scale: ScalePaths | None = None,
    selectable: Mapping[str, Callable[[Object], str]] | None = None,
    deprecation: str | None = None,
) -> Strategy:
    """The strategy of one version of a custom kind."""
    rules = _CustomRules(schema, has_status, scale)
    return Strategy(
        default=rules.default,
        default_again=rules.default_again,
        prepare=rules.prepare,
        validate=rules.errors,
        validate_update=rules.update_errors,
        validate_status=rules.status_errors,
        allow_unconditional_update=False,
        selectable_fields=dict(selectable or {}),
        warnings=functools.partial(_warnings, deprecation),
    )


@dataclass(frozen=True)
class _CustomRules:
    schema: Schema
    has_status: bool
    scale: ScalePaths | None

    @functools.cached_property
    def _rules(self) -> RuleSet | None:
        return RuleSet(self.schema, is_resource=True) if has_rules(self.schema) else None

    @functools.cached_property
    def _is_plain(self) -> Test:
        return plain(self.schema, is_resource=True)

    @functools.cached_property
    def _is_plain_status(self) -> Test:
        return plain((self.schema.get("properties") or {}).get("status") or {})

    def default(self, obj: Object, known: Object | None = None) -> None:
        if self._is_plain(obj):
            return
        shaping.prune(obj, self.schema, is_resource=True)
        shaping.drop_nulls(obj, self.schema)
        shaping.fill_defaults(obj, self.schema)

    def default_again(self, obj: Object, known: Object | None = None) -> None:
        """After a webhook: a null it put there stays, for validation to refuse."""
        shaping.prune(obj, self.schema, is_resource=True)
        shaping.fill_defaults(obj, self.schema)

    def prepare(self, new: Object, old: Object | None) -> None:
        """The status belongs to its own endpoint, where there is one."""
        if not self.has_status:
            return
        if old is not None and "status" in old:
            new["status"] = old["status"]
        else:
            new.pop("status", None)
            if "default" in (self.schema.get("properties") or {}).get("status", {}):
                # What is read back from the store has its defaults, status included.
                shaping.fill_defaults(new, self.schema)

    def errors(self, obj: Object) -> list[FieldError]:
        errors = [] if self._is_plain(obj) else validate_value(self.schema, obj)
        errors += self._scale_errors(obj, spec=True)
        errors += lists.embedded_errors(obj, self.schema)
        errors += lists.list_errors(obj, self.schema)
        return errors + self._rule_errors(obj, None, errors)

    def update_errors(self, new: Object, old: Object) -> list[FieldError]:
        errors = [] if self._is_plain(new) else validate_value(self.schema, new, old=old)
        errors += self._scale_errors(new, spec=True)
        errors += lists.embedded_errors(new, self.schema)
        errors += self._list_errors(new, old)
        return errors + self._rule_errors(new, old, errors)

    def status_errors(self, new: Object, old: Object) -> list[FieldError]:
        errors: list[FieldError] = []
        schema = (self.schema.get("properties") or {}).get("status")
        if schema is not None and "status" in new and not self._is_plain_status(new["status"]):
            before = {"old": old["status"]} if "status" in old else {}
            errors += validate_value(schema, new["status"], prefix="status", **before)
        errors += self._scale_errors(new, spec=False)
        errors += self._list_errors(new, old)
        return errors + self._rule_errors(new, old, errors)

    def _list_errors(self, new: Object, old: Object) -> list[FieldError]:
        """None where the old object had some already."""
        errors = list(lists.list_errors(changed_part(new, old), self.schema))
        return [] if errors and list(lists.list_errors(old, self.schema)) else errors

    def _rule_errors(
        self, new: Object, old: Object | None, errors: list[FieldError]
    ) -> list[FieldError]:
        if self._rules is None:
            return []
        return [UNCHECKED] if are_blocking(errors) else self._rules.errors(new, old)

    def _scale_errors(self, obj: Object, *, spec: bool) -> Iterator[FieldError]:
        if self.scale is None:
            return
        if spec:
            yield from _replica_errors(obj, self.scale.spec_replicas)
        yield from _replica_errors(obj, self.scale.status_replicas)
        if self.scale.label_selector:
            value = _at(obj, self.scale.label_selector)
            if value is not None and not isinstance(value, str):
                path = self.scale.label_selector
                detail = f"{path} accessor error: {value} is of the type {go_type(value)}, "
                yield invalid(path, "", detail + "expected string")


def _at(obj: Object, path: str) -> Any:
    value: Any = obj
    for name in path.removeprefix(".").split("."):
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value


def _replica_errors(obj: Object, path: str) -> Iterator[FieldError]:
    value = _at(obj, path)
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int):
        detail = f"{path} accessor error: {value} is of the type {go_type(value)}, expected int64"
        yield invalid(path, 0, detail)
    elif value < 0:
        yield invalid(path, value, "should be a non-negative integer")
    elif value > _MAX_INT32:
        yield invalid(path, value, f"should be less than or equal to {_MAX_INT32}")


_PREFER = 'metadata.finalizers: "{}": prefer a domain-qualified finalizer name {}to avoid {}'
_ACCIDENT = "accidental conflicts with other finalizer writers"


def _warnings(deprecation: str | None, obj: Object, old: Object | None) -> list[str]:
    """A deprecated version; of new objects, finalizers without a domain."""
    texts = [deprecation] if deprecation else []
    if old is not None:
        return texts
    for name in sorted(set(obj["metadata"].get("finalizers") or ()) - STANDARD_FINALIZERS):
        if "/" not in name:
            path = "including a path (/) " if "." in name else ""
            texts.append(_PREFER.format(name, path, _ACCIDENT))
    return texts
