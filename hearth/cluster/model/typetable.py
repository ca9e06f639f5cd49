"""The Go types behind the built-in kinds, read from the tables in ``types/*.txt``.

A table holds one API package: a ``package`` line (path and OpenAPI prefix), named types
(``PullPolicy = string enum=Always,Never``) and structs, one field a line:
``ports []ContainerPort map=containerPort,protocol patch=merge key=containerPort``. Flags:
``required`` (OpenAPI), ``always`` (no omitempty: written even when empty), ``omitzero``,
``atomic``/``set``/``map=KEYS`` (list and map types of server-side apply), ``patch=``/``key=``
(strategic merge), ``default=``, ``union`` (a value of another shape is kept as it is).

Packages are read and structs resolved on first use. ``Struct.schema`` is the OpenAPI dictionary
that the rest of the API server walks; types may be recursive, and so may be those dictionaries.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

GO_TYPE = "x-hearth-go-type"
"""Key of a schema dictionary under which its ``Struct`` is found; never sent to clients."""

_SCALARS: dict[str, dict[str, Any]] = {
    "string": {"type": "string"},
    "bool": {"type": "boolean"},
    "int": {"type": "integer"},
    "int32": {"type": "integer", "format": "int32"},
    "int64": {"type": "integer", "format": "int64"},
    "float64": {"type": "number", "format": "double"},
    "UID": {"type": "string"},
    "NodeName": {"type": "string"},
    "Duration": {"type": "string"},
    "bytes": {"type": "string", "format": "byte"},
    "Time": {"type": "string", "format": "date-time"},
    "MicroTime": {"type": "string", "format": "date-time"},
    "Quantity": {"x-kubernetes-int-or-string": True, "format": "quantity"},
    "IntOrString": {"x-kubernetes-int-or-string": True, "format": "int-or-string"},
    "Any": {"x-kubernetes-preserve-unknown-fields": True},
    "RawExtension": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    "FieldsV1": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
}
_GO_NAMES = {
    "UID": "types.UID",
    "NodeName": "types.NodeName",
    "bytes": "[]uint8",
    "Duration": "v1.Duration",
    "Time": "v1.Time",
    "MicroTime": "v1.MicroTime",
}
_STRINGS = frozenset({"string", "UID", "NodeName"})


@dataclass(frozen=True, slots=True)
class GoType:
    """One Go type. ``kind`` is a scalar of the tables, ``struct``, ``list`` or ``map``."""

    kind: str
    name: str  # as Go prints it: int32, v1.PullPolicy, []v1.Container
    pointer: bool = False
    elem: GoType | None = None
    struct: Struct | None = None
    enum: tuple[str, ...] = ()

    @property
    def is_string(self) -> bool:
        """Whether JSON writes it as a string without a form of its own."""
        return self.kind in _STRINGS

    def schema(self) -> dict[str, Any]:
        """The OpenAPI dictionary of a value of this type."""
        if self.struct is not None:
            return self.struct.schema
        if self.elem is not None and self.kind == "list":
            return {"type": "array", "items": self.elem.schema()}
        if self.elem is not None:
            return {"type": "object", "additionalProperties": self.elem.schema()}
        return _SCALARS[self.kind]


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a struct, by its JSON name."""

    name: str
    type: GoType
    required: bool = False
    always: bool = False
    omitzero: bool = False
    union: bool = False
    extensions: dict[str, Any] = field(default_factory=dict)

    def schema(self) -> dict[str, Any]:
        """The OpenAPI dictionary of the field: its type's, with the field's extensions."""
        base = self.type.schema()
        return {**base, **self.extensions} if self.extensions else base


class Struct:
    """One struct of one package; its fields are resolved when they are first asked for."""

    def __init__(self, package: Package, head: str, lines: list[str]) -> None:
        self.package = package
        self.name, *flags = head.split()
        self.atomic = "atomic" in flags
        self._lines = lines
        self._schema: dict[str, Any] | None = None

    @property
    def model_name(self) -> str:
        """``io.k8s.api.core.v1.Pod``: the name in OpenAPI documents."""
        return f"{self.package.prefix}.{self.name}"

    @functools.cached_property
    def fields(self) -> dict[str, Field]:
        """The fields by their JSON names, those of inlined structs included."""
        return {f.name: f for line in self._lines for f in self._parse(line)}

    @functools.cached_property
    def written(self) -> tuple[Field, ...]:
        """The fields that Go writes even when they were not given."""
        return tuple(f for f in self.fields.values() if _is_written(f))

    @property
    def schema(self) -> dict[str, Any]:
        """The OpenAPI dictionary; always the same object, so it may be recursive."""
        if self._schema is None:
            properties: dict[str, Any] = {}
            self._schema = schema = {"type": "object", "properties": properties, GO_TYPE: self}
            if required := [f.name for f in self.fields.values() if f.required]:
                schema["required"] = required
            if self.atomic:
                schema["x-kubernetes-map-type"] = "atomic"
            # Filled last: a recursive type meets its own, still unfinished, dictionary here.
            for f in self.fields.values():
                properties[f.name] = f.schema()
        return self._schema

    def _parse(self, line: str) -> Iterator[Field]:
        name, type_text, *flags = line.split()
        if name == "inline":
            inlined = self.package.type(type_text)
            assert inlined.struct is not None
            yield from inlined.struct.fields.values()
            return
        go_type = self.package.type(type_text)
        yield Field(
            name,
            go_type,
            required="required" in flags,
            always="always" in flags,
            omitzero="omitzero" in flags,
            union="union" in flags,
            extensions=_extensions(go_type, flags),
        )


VALUE_KINDS = frozenset(
    {"struct", "Time", "MicroTime", "Duration", "Quantity", "IntOrString", "RawExtension"}
)
"""Kinds that are structs in Go."""


def _is_written(f: Field) -> bool:
    """Go's omitempty leaves out empty scalars, lists, maps and pointers, never a struct."""
    return f.always or (f.type.kind in VALUE_KINDS and not f.type.pointer and not f.omitzero)


def _extensions(go_type: GoType, flags: list[str]) -> dict[str, Any]:
    extensions: dict[str, Any] = {}
    values = dict(flag.split("=", 1) for flag in flags if "=" in flag)
    if "atomic" in flags:
        kind = "list" if go_type.kind == "list" else "map"
        extensions[f"x-kubernetes-{kind}-type"] = "atomic"
    elif "set" in flags:
        extensions["x-kubernetes-list-type"] = "set"
    elif "map" in values:
        extensions["x-kubernetes-list-type"] = "map"
        extensions["x-kubernetes-list-map-keys"] = values["map"].split(",")
    if "patch" in values:
        extensions["x-kubernetes-patch-strategy"] = values["patch"]
    if "key" in values:
        extensions["x-kubernetes-patch-merge-key"] = values["key"]
    if "default" in values:
        extensions["default"] = _default(go_type, values["default"])
    if go_type.enum:
        extensions["enum"] = list(go_type.enum)
    return extensions


def _default(go_type: GoType, text: str) -> Any:
    if go_type.kind == "bool":
        return text == "true"
    return int(text) if go_type.kind.startswith("int") else text


class Package:
    """One table: named types and structs of one API package."""

    def __init__(self, path: str, table: str) -> None:
        """``table`` is the text of the table, ``path`` what other tables call it."""
        self.path = path
        blocks = table.strip().split("\n\n")
        self.prefix = blocks[0].split()[2]
        self.version = path.rpartition("/")[2]
        self._named: dict[str, str] = {}
        self._structs: dict[str, Struct] = {}
        for block in blocks[1:]:
            self._read(block.splitlines())
        self.type = functools.cache(self._type)

    def _read(self, lines: list[str]) -> None:
        if " = " not in lines[0]:
            struct = Struct(self, lines[0], lines[1:])
            self._structs[struct.name] = struct
            return
        for line in lines:
            name, _, text = line.partition(" = ")
            self._named[name] = text

    def struct(self, name: str) -> Struct:
        """The struct of this name; KeyError where the table has none."""
        return self._structs[name]

    def _type(self, text: str) -> GoType:
        """The type that a table writes as ``text``."""
        if text.startswith("*"):
            target = self.type(text[1:])
            return GoType(
                target.kind,
                target.name,
                pointer=True,
                elem=target.elem,
                struct=target.struct,
                enum=target.enum,
            )
        if text.startswith("[]"):
            elem = self.type(text[2:])
            return GoType("list", f"[]{elem.name}", elem=elem)
        if text.startswith("map["):
            key, _, value = text[4:].partition("]")
            elem = self.type(value)
            return GoType("map", f"map[{self.type(key).name}]{elem.name}", elem=elem)
        if text in _SCALARS:
            return GoType(text, _GO_NAMES.get(text, text))
        if "/" in text:
            path, _, name = text.rpartition(".")
            return package(path).type(name)
        return self._own(text)

    def _own(self, name: str) -> GoType:
        go_name = f"{self.version}.{name}"
        if name in self._structs:
            return GoType("struct", go_name, struct=self._structs[name])
        text, *flags = self._named[name].split()
        target = self.type(text)
        enum = tuple(flags[0].removeprefix("enum=").split(",")) if flags else ()
        elem, struct = target.elem, target.struct
        return GoType(target.kind, go_name, elem=elem, struct=struct, enum=enum)


@functools.cache
def package(path: str) -> Package:
    """The table of an API package of Kubernetes: ``core/v1``, ``meta/v1``, ..."""
    table = files(__package__).joinpath("types", path.replace("/", "_") + ".txt")
    return Package(path, table.read_text(encoding="utf-8"))


def struct(path: str, name: str) -> Struct:
    """The struct of this name in a package of Kubernetes (``core/v1``, ``Pod``)."""
    return package(path).struct(name)


def struct_of(schema: Any) -> Struct | None:
    """The Go struct behind a schema dictionary; None for the schema of a custom kind."""
    struct = schema.get(GO_TYPE)
    return struct if isinstance(struct, Struct) else None
