"""Field errors in Kubernetes' words, and the Status object they become."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class FieldError:
    """One complaint about one field: ``reason`` as in Status causes, ``message`` without path."""

    field: str
    reason: str
    message: str

    def __str__(self) -> str:
        return f"{self.field}: {self.message}"


_GO_TYPES: dict[type, str] = {
    str: "string",
    bool: "bool",
    int: "int64",
    float: "float64",
    dict: "map[string]interface {}",
    list: "[]interface {}",
}


def go_type(value: Any) -> str:
    """The Go type that decoded JSON has, as ``%T`` prints it."""
    return _GO_TYPES.get(type(value), "<nil>")


def go_value(value: Any) -> str:
    """A value as Kubernetes prints it in messages: strings quoted, objects as JSON."""
    if value is None:
        return "null"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def required(field: str, detail: str = "") -> FieldError:
    """A field that must be there and is not."""
    message = f"Required value: {detail}" if detail else "Required value"
    return FieldError(field, "FieldValueRequired", message)


def invalid(field: str, value: Any, detail: str) -> FieldError:
    """A field whose value breaks a rule; ``detail`` says which."""
    return FieldError(field, "FieldValueInvalid", f"Invalid value: {go_value(value)}: {detail}")


def type_invalid(field: str, value: Any, detail: str) -> FieldError:
    """A field whose value has the wrong type."""
    return FieldError(field, "FieldValueTypeInvalid", f"Invalid value: {go_value(value)}: {detail}")


def not_supported(field: str, value: Any, supported: Iterable[str]) -> FieldError:
    """A field whose value is none of those it may have."""
    names = ", ".join(go_value(s) for s in supported)
    message = f"Unsupported value: {go_value(value)}: supported values: {names}"
    return FieldError(field, "FieldValueNotSupported", message)


def forbidden(field: str, detail: str) -> FieldError:
    """A field that may not be set here."""
    return FieldError(field, "FieldValueForbidden", f"Forbidden: {detail}")


def duplicate(field: str, value: Any) -> FieldError:
    """A value that must be unique and is there twice."""
    return FieldError(field, "FieldValueDuplicate", f"Duplicate value: {go_value(value)}")


def not_found(field: str, value: Any) -> FieldError:
    """A value that must name something and does not."""
    return FieldError(field, "FieldValueNotFound", f"Not found: {go_value(value)}")


def too_long(field: str, limit: int) -> FieldError:
    """A text above ``limit`` bytes."""
    return FieldError(field, "FieldValueTooLong", f"Too long: may not be more than {limit} bytes")


def aggregate(errors: Sequence[FieldError]) -> str:
    """The text of several field errors, as ``utilerrors.Aggregate`` prints them."""
    texts = list(dict.fromkeys(str(e) for e in errors))
    return texts[0] if len(texts) == 1 else "[" + ", ".join(texts) + "]"
