"""The base of API types: pydantic models that read and write JSON as Go structs do.

Knative's webhooks decode an object into Go structs and write it back: unknown fields vanish, empty
optional ones are left out, quantities become canonical, and a value of the wrong type is refused
in Go's words. ``decode`` and ``dump`` do the same, so that an object defaulted here reads like one
defaulted there. ``crdgen`` makes schemas of the same models, and reads the descriptions of fields
off their source: pydantic would do that for each class whenever it is imported.

How a field is written follows from its declaration, in Go's terms::

    x: Int64 | None = None      a pointer with omitempty: left out when None
    x: str = ""                 a value with omitempty: left out when empty
    x: Kept[str] = ""           without omitempty: always written
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from types import UnionType
from typing import Annotated, Any, ClassVar, TypeVar, Union, get_args, get_origin

from annotated_types import Ge, Le
from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError, model_validator
from pydantic.alias_generators import to_camel
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from hearth.kube.gourl import normalized
from hearth.kube.quantity import canonical

T = TypeVar("T")
M = TypeVar("M", bound="Model")


@dataclass(frozen=True, slots=True)
class Keep:
    """The field is written even when it is empty."""


@dataclass(frozen=True, slots=True)
class Required:
    """The field is listed as required in the schema."""


@dataclass(frozen=True, slots=True)
class Hidden:
    """The field is left out of the schema (which has to keep unknown fields)."""


@dataclass(frozen=True, slots=True, eq=False)
class Schema:
    """Members to add to the field's schema, or (``whole``) the schema instead of the derived."""

    members: Mapping[str, Any] = field(default_factory=dict)
    whole: bool = False


@dataclass(frozen=True, slots=True)
class GoType:
    """How Go names the type."""

    name: str


def _quantity(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        value = ""
    return canonical(value)


def _int_or_string(value: Any) -> Any:
    if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    raise ValueError(f"json: cannot unmarshal {json_type(value)} into Go value of type int32")


def _url(value: Any) -> Any:
    if isinstance(value, str):
        return normalized(value)
    raise ValueError(f"json: cannot unmarshal {json_type(value)} into Go value of type string")


QUANTITY_PATTERN = (
    r"^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))"
    r"(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$"
)
_INT_OR_STRING = {
    "anyOf": [{"type": "integer"}, {"type": "string"}],
    "x-kubernetes-int-or-string": True,
}
PRESERVE = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}

Kept = Annotated[T, Keep()]
Int32 = Annotated[int, Ge(-(2**31)), Le(2**31 - 1), GoType("int32"), Schema({"format": "int32"})]
Int64 = Annotated[int, Ge(-(2**63)), Le(2**63 - 1), GoType("int64"), Schema({"format": "int64"})]
Quantity = Annotated[
    str,
    BeforeValidator(_quantity),
    GoType("resource.Quantity"),
    Schema({"pattern": QUANTITY_PATTERN, **_INT_OR_STRING}, whole=True),
]
IntOrString = Annotated[
    int | str,
    BeforeValidator(_int_or_string),
    GoType("intstr.IntOrString"),
    Schema(_INT_OR_STRING, whole=True),
]
Url = Annotated[str, BeforeValidator(_url), GoType("apis.URL")]
Opaque = Annotated[dict[str, Any], Schema(PRESERVE, whole=True)]
"""An object whose members are the business of others."""


class Model(BaseModel):
    """A Go struct. ``go_type`` is its name in messages; by default ``v1.<class name>``."""

    model_config = ConfigDict(
        strict=True,
        extra="ignore",
        alias_generator=to_camel,
        populate_by_name=True,
    )
    go_type: ClassVar[str] = ""
    schema_extra: ClassVar[Mapping[str, Any]] = {}

    @model_validator(mode="before")
    @classmethod
    def _null_is_absent(cls, data: Any) -> Any:
        if isinstance(data, dict) and None in data.values():
            return {name: value for name, value in data.items() if value is not None}
        return data


class DecodeError(ValueError):
    """The JSON does not fit the type; the text is what Go's encoding/json says."""


def decode(model: type[M], value: Any, *, root: str, at: Sequence[str] = ()) -> M:
    """Return the value as a model. ``root`` and ``at`` say where it stands: Service, ("spec",)."""
    try:
        return model.model_validate({} if value is None else value)
    except ValidationError as error:
        first = min(error.errors(include_url=False), key=_document_order)
        raise DecodeError(_complaint(model, first, root=root, at=at)) from None


def unknown_field(model: type[Model], value: Any) -> str | None:
    """Return the first member the model does not know, for decoders that allow none."""
    if not isinstance(value, Mapping):
        return None
    fields = {info.alias or name: info for name, info in model.model_fields.items()}
    for name in sorted(value):
        if name not in fields:
            return str(name)
        inner = strip(declared(fields[name]))[0]
        inner_field = _unknown_inside(inner, value[name])
        if inner_field is not None:
            return inner_field
    return None


def _unknown_inside(annotation: Any, value: Any) -> str | None:
    if isinstance(annotation, type) and issubclass(annotation, Model):
        return unknown_field(annotation, value)
    if get_origin(annotation) is list and isinstance(value, list):
        inner = strip(get_args(annotation)[0])[0]
        return next((f for one in value if (f := _unknown_inside(inner, one)) is not None), None)
    return None


def _document_order(error: ErrorDetails) -> list[str]:
    """Go stops at the first error, and what the API server sends is sorted by key."""
    return [f"{part:09}" if isinstance(part, int) else part for part in error["loc"]]


def _complaint(model: type[Model], error: ErrorDetails, *, root: str, at: Sequence[str]) -> str:
    if error["type"] == "value_error":
        return str(error["ctx"]["error"])
    # A JSON pointer with points for slashes, so a slash in a key is escaped.
    location = [*at, *(str(p).replace("~", "~0").replace("/", "~1") for p in error["loc"])]
    value = error["input"]
    given = json_type(value)
    go_type = _go_type_at(model, error["loc"])
    if given == "number" and go_type.startswith("int"):
        given = f"number {value}"
    return (
        f"json: cannot unmarshal {given} into Go struct field "
        f"{root}.{'.'.join(location)} of type {go_type}"
    )


def json_type(value: Any) -> str:
    """Return the JSON type of a value, in encoding/json's words."""
    names: tuple[tuple[type | tuple[type, ...], str], ...] = (
        (bool, "bool"),
        (str, "string"),
        ((int, float), "number"),
        (Mapping, "object"),
        (Sequence, "array"),
    )
    return next((name for kind, name in names if isinstance(value, kind)), "null")


def _go_type_at(model: type[Model], location: Sequence[str | int]) -> str:
    current: Any = model
    for part in location:
        current = _member(strip(current)[0], part)
    return go_type(current)


def _member(of: Any, part: str | int) -> Any:
    if isinstance(of, type) and issubclass(of, Model):
        for name, info in of.model_fields.items():
            if part in (name, info.alias):
                return declared(info)
    arguments = get_args(of)
    return arguments[-1] if arguments else Any


def declared(info: FieldInfo) -> Any:
    """Return a field's type with its markers, as written in the class."""
    if not info.metadata:
        return info.annotation
    return Annotated.__class_getitem__((info.annotation, *info.metadata))  # type: ignore[attr-defined]


def strip(annotation: Any) -> tuple[Any, tuple[Any, ...], bool]:
    """Return the bare type, its markers (Annotated), and whether None is allowed."""
    markers: tuple[Any, ...] = ()
    optional = False
    while True:
        origin = get_origin(annotation)
        if origin is Annotated:
            annotation, *more = get_args(annotation)
            markers = (*more, *markers)
        elif origin in (Union, UnionType):
            members = [a for a in get_args(annotation) if a is not type(None)]
            if len(members) == len(get_args(annotation)) or len(members) > 1:
                return annotation, markers, optional
            annotation, optional = members[0], True
        else:
            return annotation, markers, optional


def go_type(annotation: Any) -> str:
    """Return the name that the type has in Go."""
    bare, markers, _ = strip(annotation)
    for marker in reversed(markers):
        if isinstance(marker, GoType):
            return marker.name
    if isinstance(bare, type) and issubclass(bare, Model):
        return bare.go_type or f"v1.{bare.__name__}"
    if get_origin(bare) is list:
        return f"[]{go_type(get_args(bare)[0])}"
    if get_origin(bare) is dict:
        return f"map[string]{go_type(get_args(bare)[1])}"
    return {str: "string", bool: "bool", int: "int", float: "float64"}.get(bare, "interface {}")


_POINTER, _VALUE, _KEPT = range(3)


@cache
def _writing(model: type[Model]) -> tuple[tuple[str, str, int], ...]:
    """Attribute, JSON name and manner of writing of each field."""
    rows = []
    for name, info in model.model_fields.items():
        kept = any(isinstance(marker, Keep) for marker in info.metadata)
        manner = _KEPT if kept else _POINTER if info.default is None else _VALUE
        rows.append((name, info.alias or name, manner))
    return tuple(rows)


def dump(model: Model) -> dict[str, Any]:
    """Return the model as JSON values, empty members left out as their declarations say."""
    values = model.__dict__
    out: dict[str, Any] = {}
    for name, alias, manner in _writing(type(model)):
        value = values[name]
        if manner == _VALUE:
            if not value:
                continue
        elif value is None and manner == _POINTER:
            continue
        out[alias] = _dump(value)
    return out


def _dump(value: Any) -> Any:
    if isinstance(value, Model):
        return dump(value)
    if isinstance(value, list):
        return [_dump(item) for item in value]
    if isinstance(value, dict):
        return {key: _dump(item) for key, item in value.items()}
    return value
