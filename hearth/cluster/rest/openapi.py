"""OpenAPI documents, version 2 and 3, of built-in and custom kinds. Pure; served at ``/openapi``.

They hold what clients read them for: the models with their extensions (``kubectl explain``,
validation and strategic merge by the client), and for each kind its PATCH operation, by whose
parameters clients see that the server validates fields and knows dry runs.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from importlib.resources import files
from typing import Any

from hearth.cluster.model.kind import Kind
from hearth.cluster.model.typetable import GO_TYPE, Field, GoType, Struct, struct_of

Document = dict[str, Any]

_SHARED = "io.k8s.apimachinery.pkg"
_NAMED = {
    "Quantity": f"{_SHARED}.api.resource.Quantity",
    "IntOrString": f"{_SHARED}.util.intstr.IntOrString",
    "Time": f"{_SHARED}.apis.meta.v1.Time",
    "MicroTime": f"{_SHARED}.apis.meta.v1.MicroTime",
    "RawExtension": f"{_SHARED}.runtime.RawExtension",
    "FieldsV1": f"{_SHARED}.apis.meta.v1.FieldsV1",
}
"""Scalars that have a model of their own."""
_TIME = {"type": "string", "format": "date-time"}
_NAMED_V2: Mapping[str, Document] = {
    "Quantity": {"type": "string"},
    "IntOrString": {"type": "string", "format": "int-or-string"},
    "Time": _TIME,
    "MicroTime": _TIME,
    "RawExtension": {"type": "object"},
    "FieldsV1": {"type": "object"},
}
_NAMED_V3: Mapping[str, Document] = {
    **_NAMED_V2,
    "Quantity": {"oneOf": [{"type": "string"}, {"type": "number"}]},
    "IntOrString": {
        "oneOf": [{"type": "integer"}, {"type": "string"}],
        "format": "int-or-string",
    },
}
_PATCH_PARAMETERS = (
    ("dryRun", "string"),
    ("fieldManager", "string"),
    ("fieldValidation", "string"),
    ("force", "boolean"),
)
_NOT_IN_V2 = frozenset({"oneOf", "anyOf", "allOf", "not", "nullable"})


@functools.cache
def descriptions() -> Mapping[str, str]:
    """What we say of types (``core/v1.Pod``) and fields (``core/v1.PodSpec.containers``)."""
    text = files(__package__).joinpath("descriptions.txt").read_text(encoding="utf-8")
    lines = (line for line in text.splitlines() if not line.startswith("#"))
    return {name: value for name, _, value in (line.partition(" = ") for line in lines)}


def swagger(kinds: Sequence[Kind], version: str) -> Document:
    """The OpenAPI version 2 document of all kinds; ``version`` is the server's."""
    models = _Models("#/definitions/", _NAMED_V2, is_v3=False)
    for kind in kinds:
        models.add_kind(kind)
    return {
        "swagger": "2.0",
        "info": {"title": "Kubernetes", "version": version},
        "paths": {path: item for kind in kinds for path, item in _paths(kind, is_v3=False)},
        "definitions": dict(sorted(models.schemas.items())),
    }


def group_version(kinds: Iterable[Kind], version: str) -> Document:
    """The OpenAPI version 3 document of the kinds of one group version."""
    listed = list(kinds)
    models = _Models("#/components/schemas/", _NAMED_V3, is_v3=True)
    for kind in listed:
        models.add_kind(kind)
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": version},
        "paths": {path: item for kind in listed for path, item in _paths(kind, is_v3=True)},
        "components": {"schemas": dict(sorted(models.schemas.items()))},
    }


def index(kinds: Iterable[Kind], version: str) -> Document:
    """Where the version 3 documents are; their hashes change when they do."""
    by_path: dict[str, list[Kind]] = {}
    for kind in kinds:
        by_path.setdefault(document_path(kind), []).append(kind)
    return {"paths": {path: _location(path, by_path[path], version) for path in sorted(by_path)}}


def document_path(kind: Kind) -> str:
    """``api/v1`` or ``apis/apps/v1``."""
    return f"apis/{kind.api_version}" if kind.group else f"api/{kind.version}"


def _location(path: str, kinds: list[Kind], version: str) -> Document:
    url = f"/openapi/v3/{path}?hash={_hash(kinds, version)}"
    return {"serverRelativeURL": url}


def _hash(kinds: list[Kind], version: str) -> str:
    """Built-in models only change with the program, custom ones with their schema."""
    digest = hashlib.sha256(version.encode())
    for kind in sorted(kinds, key=lambda kind: kind.plural):
        digest.update(f"{kind.plural} {sorted(kind.subresources)}".encode())
        if kind.custom:
            digest.update(json.dumps(_without_go(kind.schema), sort_keys=True).encode())
    return digest.hexdigest()[:32].upper()


def _without_go(schema: Any) -> Any:
    if isinstance(schema, Mapping):
        if GO_TYPE in schema:
            return schema[GO_TYPE].model_name
        return {key: _without_go(value) for key, value in schema.items()}
    return [_without_go(item) for item in schema] if isinstance(schema, list) else schema


class _Models:
    """The models of some kinds, with all that they refer to."""

    def __init__(self, prefix: str, named: Mapping[str, Document], *, is_v3: bool) -> None:
        self._prefix = prefix
        self._named = named
        self._is_v3 = is_v3
        self.schemas: dict[str, Document] = {}

    def add_kind(self, kind: Kind) -> None:
        struct = struct_of(kind.schema)
        model = self._struct(struct) if struct is not None else self._custom(kind)
        gvk = {"group": kind.group, "version": kind.version, "kind": kind.kind}
        self.schemas[model_name(kind)] = {**model, "x-kubernetes-group-version-kind": [gvk]}

    def _custom(self, kind: Kind) -> Document:
        model: Document = self._cleaned(kind.schema)
        properties = dict(model.get("properties") or {})
        for key, text in _COMMON.items():
            given = properties.get(key)
            if given is not None and "description" not in given:
                properties[key] = self._described(given, text)
        return {**model, "properties": properties}

    def _cleaned(self, schema: Any) -> Any:
        """A custom schema in this version of OpenAPI."""
        if isinstance(schema, list):
            return [self._cleaned(item) for item in schema]
        if not isinstance(schema, Mapping):
            return schema
        if (struct := struct_of(schema)) is not None:
            return self._reference(struct)
        dropped = frozenset() if self._is_v3 else _NOT_IN_V2
        return {
            key: value if key in ("default", "enum") else self._cleaned(value)
            for key, value in schema.items()
            if key not in dropped
        }

    def _reference(self, struct: Struct) -> Document:
        name = struct.model_name
        if name not in self.schemas:
            self.schemas[name] = {}  # types may refer to themselves
            self.schemas[name] = self._struct(struct)
        return {"$ref": self._prefix + name}

    def _struct(self, struct: Struct) -> Document:
        name = f"{struct.package.path}.{struct.name}"
        model: Document = {"type": "object"}
        if text := descriptions().get(name):
            model["description"] = text
        model["properties"] = {f.name: self._field(name, f) for f in struct.fields.values()}
        if required := [f.name for f in struct.fields.values() if f.required]:
            model["required"] = required
        if struct.atomic:
            model["x-kubernetes-map-type"] = "atomic"
        return model

    def _field(self, struct_name: str, field: Field) -> Document:
        schema = {**self._type(field.type), **field.extensions}
        text = descriptions().get(f"{struct_name}.{field.name}") or _COMMON.get(field.name)
        return self._described(schema, text) if text else schema

    def _described(self, schema: Document, text: str) -> Document:
        """In version 3 nothing may stand beside a reference."""
        if self._is_v3 and "$ref" in schema:
            rest = {key: value for key, value in schema.items() if key != "$ref"}
            return {"description": text, "allOf": [{"$ref": schema["$ref"]}], **rest}
        return {"description": text, **schema}

    def _type(self, go_type: GoType) -> Document:
        if go_type.struct is not None:
            return self._reference(go_type.struct)
        if go_type.elem is not None:
            inner = self._type(go_type.elem)
            if go_type.kind == "list":
                return {"type": "array", "items": inner}
            return {"type": "object", "additionalProperties": inner}
        if (name := _NAMED.get(go_type.kind)) is not None:
            self.schemas.setdefault(name, dict(self._named[go_type.kind]))
            return {"$ref": self._prefix + name}
        return dict(go_type.schema())


_COMMON = {
    key.removeprefix("*."): text for key, text in descriptions().items() if key.startswith("*.")
}


def model_name(kind: Kind) -> str:
    """``io.k8s.api.core.v1.Pod``, or ``com.example.v1.Widget`` of a custom kind."""
    struct = struct_of(kind.schema)
    if struct is not None:
        return struct.model_name
    reversed_group = ".".join(reversed(kind.group.split(".")))
    return f"{reversed_group}.{kind.version}.{kind.kind}"


def _paths(kind: Kind, *, is_v3: bool) -> Iterable[tuple[str, Document]]:
    if "patch" not in kind.verbs:
        return
    place = "namespaces/{namespace}/" if kind.namespaced else ""
    path = f"/{document_path(kind)}/{place}{kind.plural}/{{name}}"
    operation = {
        "operationId": f"patch{kind.version.capitalize()}{kind.kind}",
        "x-kubernetes-action": "patch",
        "x-kubernetes-group-version-kind": {
            "group": kind.group,
            "version": kind.version,
            "kind": kind.kind,
        },
        "parameters": [_parameter(name, kind_, is_v3=is_v3) for name, kind_ in _PATCH_PARAMETERS],
        "responses": {"200": {"description": "OK"}},
    }
    yield path, {"patch": operation}


def _parameter(name: str, type_name: str, *, is_v3: bool) -> Document:
    parameter: Document = {"name": name, "in": "query"}
    if is_v3:
        parameter["schema"] = {"type": type_name}
    else:
        parameter["type"] = type_name
    return parameter
