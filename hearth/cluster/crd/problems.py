"""Field paths and the field errors that only custom resources need."""

from __future__ import annotations

from typing import Any

from hearth.cluster.model.fielderrors import FieldError

NOWHERE = "<nil>"
"""How a missing path is printed; kube-apiserver does so for errors about the object as a whole."""

UNCHECKED = FieldError(
    NOWHERE,
    "FieldValueInvalid",
    "Invalid value: null: some validation rules were not checked because the object was invalid; "
    "correct the existing errors to complete validation",
)

_BLOCKING = frozenset(
    {
        "FieldValueNotSupported",
        "FieldValueRequired",
        "FieldValueTooLong",
        "FieldValueTooMany",
        "FieldValueTypeInvalid",
    }
)


def child(path: str, name: str) -> str:
    """The path of a field below a path."""
    return f"{path}.{name}" if path else name


def at_key(path: str, key: str) -> str:
    """The path of a map's value."""
    return f"{path}[{key}]"


def at_index(path: str, index: int) -> str:
    """The path of a list's item."""
    return f"{path}[{index}]"


def too_many(field: str, actual: int, limit: int) -> FieldError:
    """A list with more items than it may have."""
    items = "item" if limit == 1 else "items"
    message = f"Too many: {actual}: must have at most {limit} {items}"
    return FieldError(field, "FieldValueTooMany", message)


def too_long(field: str, limit: int) -> FieldError:
    """A text above ``limit`` bytes, or one byte."""
    unit = "byte" if limit == 1 else "bytes"
    message = f"Too long: may not be more than {limit} {unit}"
    return FieldError(field, "FieldValueTooLong", message)


def invalid_whole(field: str, detail: str) -> FieldError:
    """An invalid map or list, which is not printed itself."""
    return FieldError(field, "FieldValueInvalid", f"Invalid value: {detail}")


def are_blocking(errors: list[FieldError]) -> bool:
    """Whether rules (CEL) cannot be checked, because the object's shape is not what they expect."""
    return any(error.reason in _BLOCKING for error in errors)


def go_number(value: float) -> str:
    """A number as Go's %v prints it."""
    if isinstance(value, int):
        return str(value)
    if value == int(value) and abs(value) < 1e21:
        return str(int(value))
    mantissa, _, exponent = repr(value).partition("e")
    if not exponent:
        return mantissa
    sign = "-" if exponent.startswith("-") else "+"
    return f"{mantissa.removesuffix('.0')}e{sign}{exponent.lstrip('+-').zfill(2)}"


def type_name(value: Any) -> str:
    """The JSON type of a value."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    if isinstance(value, float):
        return "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object"
