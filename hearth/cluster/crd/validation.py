"""Validation of custom resources by their schema, in kube-apiserver's words.

One walk over value and schema gives failures; ``validate_value`` turns them into field errors.
``old`` lets what an update did not touch pass (ratcheting): a tightened schema does not lock
existing objects. Pure; called by the strategy of a custom kind and for defaults in CRDs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from hearth.cluster.cel import regex
from hearth.cluster.crd import formats
from hearth.cluster.crd.problems import NOWHERE, child, go_number, too_long, too_many, type_name
from hearth.cluster.model.fielderrors import (
    FieldError,
    invalid,
    not_supported,
    required,
    type_invalid,
)

JSON = Any
Schema = Mapping[str, Any]

ABSENT: Final = object()
"""The old value of something that is new, or that cannot be told apart from its siblings."""

_META = frozenset({"apiVersion", "kind", "metadata"})


@dataclass(frozen=True, slots=True)
class _Failure:
    """One failed check: its text, where, and the field error to make of it there."""

    text: str
    path: str | None = None  # None: about the whole object
    make: Callable[[str], FieldError] | None = None

    def error(self, prefix: str) -> FieldError:
        if self.path is None or self.make is None:
            return invalid(prefix or NOWHERE, "", self.text)
        name = self.path.removeprefix(".")
        return self.make((child(prefix, name) if name else prefix) or NOWHERE)


class _Result:
    """Failures in order, without repetitions, and how many checks were passed on the way."""

    __slots__ = ("failures", "matched")

    def __init__(self, *failures: _Failure) -> None:
        self.failures: dict[str, _Failure] = {f.text: f for f in failures}
        self.matched = 0

    def merge(self, other: _Result) -> None:
        for text, failure in other.failures.items():
            self.failures.setdefault(text, failure)
        self.matched += other.matched

    def add(self, failure: _Failure | None) -> None:
        if failure is not None:
            self.failures.setdefault(failure.text, failure)


def validate_value(
    schema: Schema, value: JSON, *, prefix: str = "", old: JSON = ABSENT
) -> list[FieldError]:
    """The errors of a value; paths start with ``prefix``, as those of a status do."""
    result = _validate(schema, value, "", old)
    return [failure.error(prefix) for failure in result.failures.values()]


def _validate(schema: Schema, value: JSON, path: str, old: JSON) -> _Result:
    result = _Result()
    types = types_of(schema)
    text_format = formats.effective_format(schema.get("format") or "", types)
    if types or (text_format and value is not None):
        result.add(_type_failure(schema, value, path, (types, text_format)))
        result.matched += 1
    if value is not None:
        for part in _junctors(schema, value, path, old):
            result.merge(part)
        result.matched += 1
        result.merge(_by_kind(schema, value, path, (text_format, old)))
    if schema.get("enum"):
        result.add(_enum_failure(schema["enum"], value, path))
    result.matched += 1
    return result


def types_of(schema: Schema) -> tuple[str, ...]:
    """The JSON types a schema allows; none for any."""
    if schema.get("x-kubernetes-int-or-string"):
        return ("integer", "string")
    return (schema["type"],) if schema.get("type") else ()


def _by_kind(schema: Schema, value: JSON, path: str, more: tuple[str, JSON]) -> _Result:
    """The checks that apply to values of this JSON type only."""
    text_format, old = more
    if isinstance(value, str):
        return _string(schema, value, path, text_format)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return _Result(*_number(schema, value, path))
    if isinstance(value, list):
        return _array(schema, value, path, old)
    if isinstance(value, dict):
        return _object(schema, value, path, old)
    return _Result()


# -- types ---------------------------------------------------------------------------------


def _type_failure(
    schema: Schema, value: JSON, path: str, expected: tuple[tuple[str, ...], str]
) -> _Failure | None:
    types, text_format = expected
    if value is None:
        nullable = schema.get("nullable") or "null" in types
        return None if nullable else _wrong_type(path, ",".join(types), "null")
    actual = type_name(value)
    fits = (
        actual in types
        or (actual == "integer" and "number" in types)
        or (actual == "number" and "integer" in types and float(value).is_integer())
    )
    if isinstance(value, (str, list)):
        if text_format and not {"number", "integer"} & set(types):
            return None  # the format has its own check
    elif text_format and not fits:
        return _wrong_type(path, text_format, _go_format(value))
    return None if fits else _wrong_type(path, ",".join(types), actual)


def _go_format(value: JSON) -> str:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return ""
    return "int64" if isinstance(value, int) else "float64"


def _wrong_type(path: str, expected: str, actual: str) -> _Failure:
    text = f'{path} in body must be of type {expected}: "{actual}"'
    return _Failure(text, path, lambda field: type_invalid(field, actual, text))


# -- scalars -------------------------------------------------------------------------------


def _enum_failure(enum: list[JSON], value: JSON, path: str) -> _Failure | None:
    if any(_same(value, allowed) for allowed in enum):
        return None
    names = [v if isinstance(v, str) else json.dumps(v, separators=(",", ":")) for v in enum]
    text = f"{path} in body should be one of [{' '.join(names)}]"
    return _Failure(text, path, lambda field: not_supported(field, value, names))


def _same(one: JSON, other: JSON) -> bool:
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


def _string(schema: Schema, value: str, path: str, text_format: str) -> _Result:
    result = _Result()
    if failure := _length_or_pattern(schema, value, path):
        result.add(failure)
    if text_format and not formats.fits(text_format, value):
        text = f"{path} in body must be of type {text_format}: {_quoted(value)}"
        result.add(_Failure(text, path, lambda field: type_invalid(field, value, text)))
    result.matched += 2
    return result


def _quoted(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)


def _length_or_pattern(schema: Schema, value: str, path: str) -> _Failure | None:
    longest, shortest = schema.get("maxLength"), schema.get("minLength")
    if longest is not None and len(value) > longest:
        text = f"{path} in body should be at most {longest} chars long"
        return _Failure(text, path, lambda field: too_long(field, longest))
    if shortest is not None and len(value) < shortest:
        return _bad(path, value, f"should be at least {shortest} chars long")
    pattern = schema.get("pattern")
    if pattern and not regex.matches(pattern, value):
        return _bad(path, value, f"should match '{pattern}'")
    return None


def _bad(path: str, value: JSON, complaint: str) -> _Failure:
    text = f"{path} in body {complaint}"
    return _Failure(text, path, lambda field: invalid(field, value, text))


def _number(schema: Schema, value: float, path: str) -> Iterator[_Failure]:
    if failure := _range_failure(schema, value, path):
        yield failure
    if (factor := schema.get("multipleOf")) is not None and not _is_multiple(value, factor):
        yield _bad(path, value, f"should be a multiple of {go_number(factor)}")
    minimum, maximum = schema.get("minimum"), schema.get("maximum")
    if minimum is not None and (
        value < minimum or (value == minimum and schema.get("exclusiveMinimum"))
    ):
        than = "greater than" if schema.get("exclusiveMinimum") else "greater than or equal to"
        yield _bad(path, value, f"should be {than} {go_number(minimum)}")
    if maximum is not None and (
        value > maximum or (value == maximum and schema.get("exclusiveMaximum"))
    ):
        than = "less than" if schema.get("exclusiveMaximum") else "less than or equal to"
        yield _bad(path, value, f"should be {than} {go_number(maximum)}")


def _range_failure(schema: Schema, value: float, path: str) -> _Failure | None:
    if types_of(schema) != ("integer",):
        return None
    declared = schema.get("format")
    bits = 32 if declared == "int32" else 64
    if float(value).is_integer() and -(2 ** (bits - 1)) <= int(value) < 2 ** (bits - 1):
        return None
    known = declared in ("int32", "int64")
    expected = f"integer with format {declared}" if known else "integer (default format)"
    return _Failure(f"Checked value must be of type {expected} in {path}")


def _is_multiple(value: float, factor: float) -> bool:
    if isinstance(value, int) and float(factor).is_integer():
        return value % int(factor) == 0
    quotient = value / factor if factor >= 1 else 1 / factor * value
    return abs(quotient - round(quotient)) < 1e-9


# -- lists and objects ---------------------------------------------------------------------


def _array(schema: Schema, value: list[JSON], path: str, old: JSON) -> _Result:
    result = _Result()
    items = schema.get("items")
    if isinstance(items, Mapping):
        before = _old_items(schema, old)
        for index, item in enumerate(value):
            previous = before(item)
            if previous is ABSENT or previous != item:
                result.merge(_validate(items, item, f"{path}[{index}]", previous))
    size, min_items, max_items = len(value), schema.get("minItems"), schema.get("maxItems")
    if min_items is not None and size < min_items:
        result.add(_bad(path, size, f"should have at least {min_items} items"))
    if max_items is not None and size > max_items:
        text = f"{path} in body should have at most {max_items} items"
        result.add(_Failure(text, path, lambda field: too_many(field, size, max_items)))
    result.matched += 2
    return result


def _old_items(schema: Schema, old: JSON) -> Callable[[JSON], JSON]:
    """How to find an item's old value: by its keys, in lists that have any."""
    keys = schema.get("x-kubernetes-list-map-keys") or ()
    if not isinstance(old, list) or schema.get("x-kubernetes-list-type") != "map" or not keys:
        return lambda item: ABSENT

    def key(item: JSON) -> str:
        key_values = [item.get(name) for name in keys] if isinstance(item, dict) else None
        return json.dumps(key_values, sort_keys=True)

    by_key = {key(item): item for item in old}
    return lambda item: by_key.get(key(item), ABSENT)


def _object(schema: Schema, value: dict[str, JSON], path: str, old: JSON) -> _Result:
    result = _Result(*_property_count(schema, value, path))
    before = old if isinstance(old, dict) else {}
    properties = schema.get("properties") or {}
    extra = schema.get("additionalProperties")
    for key in sorted(value):
        sub = properties.get(key)
        field_path = child(path, key)
        if sub is None:
            if extra is False:
                text = f"{path}.{key} in body is a forbidden property"
                result.add(_forbidden_property(text, path, key))
            if not isinstance(extra, Mapping):
                continue
            sub, field_path = extra, f"{path}.{key}"
        previous = before.get(key, ABSENT)
        if not path and key in _META:
            previous = ABSENT
        if previous is ABSENT or previous != value[key]:
            result.merge(_validate(sub, value[key], field_path, previous))
    for key in schema.get("required") or ():
        if key not in value:
            text = f"{path}.{key} in body is required"
            result.add(_Failure(text, f"{path}.{key}", required))
    result.matched += 1
    return result


def _forbidden_property(text: str, path: str, key: str) -> _Failure:
    return _Failure(text, path, lambda field: invalid(field, key, text))


def _property_count(schema: Schema, value: dict[str, JSON], path: str) -> Iterator[_Failure]:
    size, min_properties, max_properties = (
        len(value),
        schema.get("minProperties"),
        schema.get("maxProperties"),
    )
    if min_properties is not None and size < min_properties:
        yield _bad(path, size, f"should have at least {min_properties} properties")
    if max_properties is not None and size > max_properties:
        text = f"{path} in body should have at most {max_properties} properties"
        yield _Failure(text, path, lambda field: too_many(field, size, max_properties))


# -- junctors ------------------------------------------------------------------------------


def _junctors(schema: Schema, value: JSON, path: str, old: JSON) -> Iterator[_Result]:
    if any_of := schema.get("anyOf"):
        yield _any_of([_validate(sub, value, path, old) for sub in any_of], path)
    if one_of := schema.get("oneOf"):
        yield _one_of([_validate(sub, value, path, old) for sub in one_of], path)
    if all_of := schema.get("allOf"):
        yield _all_of([_validate(sub, value, path, old) for sub in all_of], path)
    negated = schema.get("not")
    if negated is not None and not _validate(negated, value, path, ABSENT).failures:
        yield _Result(_Failure(f'"{path}" must not validate the schema (not)'))


def _best(results: list[_Result]) -> _Result:
    """The one of several failed alternatives that came furthest."""
    return max(results, key=lambda result: result.matched)


def _any_of(results: list[_Result], path: str) -> _Result:
    for result in results:
        if not result.failures:
            return result
    merged = _Result(_Failure(f'"{path}" must validate at least one schema (anyOf)'))
    merged.merge(_best(results))
    return merged


def _one_of(results: list[_Result], path: str) -> _Result:
    valid = [result for result in results if not result.failures]
    if len(valid) == 1:
        return valid[0]
    outcome = f"Found {len(valid)} valid alternatives" if valid else "Found none valid"
    text = f'"{path}" must validate one and only one schema (oneOf). {outcome}'
    merged = _Result(_Failure(text))
    if not valid:
        merged.merge(_best(results))
    return merged


def _all_of(results: list[_Result], path: str) -> _Result:
    merged = _Result()
    for result in results:
        merged.merge(result)
    valid = sum(not result.failures for result in results)
    if valid != len(results):
        none = "" if valid else ". None validated"
        merged.add(_Failure(f'"{path}" must validate all the schemas (allOf){none}'))
    return merged
