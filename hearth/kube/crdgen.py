"""CustomResourceDefinitions from models: structural schemas, printer columns, names.

``serving.api.crds`` and ``eventing.api.crds`` list their kinds as ``Crd`` and call ``main``, which
writes ``crds/*.yaml`` or, with ``--check``, says which files differ.
"""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args, get_origin

import yaml
from pydantic.fields import FieldInfo

from hearth.kube.models import Hidden, Model, Required, Schema, declared, strip

_ROOT_MEMBERS = {
    "apiVersion": {
        "type": "string",
        "description": "The group and version of this object's schema.",
    },
    "kind": {"type": "string", "description": "The kind of this object."},
    "metadata": {"type": "object"},
}
Column = tuple[str, str, str]
"""Name, type, JSON path."""
READY_COLUMNS = (
    ("Ready", "string", ".status.conditions[?(@.type=='Ready')].status"),
    ("Reason", "string", ".status.conditions[?(@.type=='Ready')].reason"),
)


@dataclass(frozen=True, slots=True)
class Version:
    """One served version: the models of ``spec`` and ``status``.

    Without a status model there is no status; ``bare_status`` has the subresource all the same.
    """

    name: str
    spec: type[Model] | None
    status: type[Model] | None = None
    columns: Sequence[Column] = ()
    wide_columns: Sequence[Column] = ()
    """Those that are shown only when somebody asks for all (``kubectl get -o wide``)."""
    required: Sequence[str] = ()
    """Which of metadata, spec and status an object has to have."""
    storage: bool = True
    description: str = ""
    bare_status: bool = False
    scale: Mapping[str, str] | None = None
    """The paths of the subresource scale, where there is one."""
    deprecation: str = ""
    """What every use of the version is warned with; nothing where it is not deprecated."""


@dataclass(frozen=True, slots=True)
class Crd:
    """What a CustomResourceDefinition is made from."""

    group: str
    kind: str
    plural: str
    versions: Sequence[Version]
    short_names: Sequence[str] = ()
    categories: Sequence[str] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    namespaced: bool = True

    @property
    def name(self) -> str:
        """The name of the definition."""
        return f"{self.plural}.{self.group}"


def crd_object(crd: Crd) -> dict[str, Any]:
    """Return the CustomResourceDefinition."""
    names: dict[str, Any] = {
        "kind": crd.kind,
        "listKind": f"{crd.kind}List",
        "plural": crd.plural,
        "singular": crd.kind.lower(),
    }
    if crd.categories:
        names["categories"] = list(crd.categories)
    if crd.short_names:
        names["shortNames"] = list(crd.short_names)
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": _metadata(crd),
        "spec": {
            "group": crd.group,
            "names": names,
            "scope": "Namespaced" if crd.namespaced else "Cluster",
            "versions": [_version(version) for version in crd.versions],
        },
    }


def _metadata(crd: Crd) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": crd.name, "labels": dict(crd.labels)}
    return metadata | ({"annotations": dict(crd.annotations)} if crd.annotations else {})


def _version(version: Version) -> dict[str, Any]:
    members: dict[str, Any] = dict(_ROOT_MEMBERS)
    if version.spec is not None:
        members["spec"] = schema_of(version.spec)
    subresources: dict[str, Any] = {}
    if version.status is not None:
        members["status"] = schema_of(version.status)
    if version.status is not None or version.bare_status:
        subresources["status"] = {}
    if version.scale:
        subresources["scale"] = dict(version.scale)
    schema: dict[str, Any] = {"type": "object", "properties": members}
    if version.description:
        schema["description"] = version.description
    if version.required:
        schema["required"] = list(version.required)
    out: dict[str, Any] = {"name": version.name, "served": True, "storage": version.storage}
    if version.deprecation:
        out |= {"deprecated": True, "deprecationWarning": version.deprecation}
    out["schema"] = {"openAPIV3Schema": schema}
    if subresources:
        out["subresources"] = subresources
    columns = [_column(each) for each in version.columns]
    columns += [_column(each) | {"priority": 1} for each in version.wide_columns]
    if columns:
        out["additionalPrinterColumns"] = columns
    return out


def _column(column: Column) -> dict[str, Any]:
    name, kind, path = column
    return {"name": name, "type": kind, "jsonPath": path}


def schema_of(annotation: Any) -> dict[str, Any]:
    """Return the structural schema of a type: a model, list, map or scalar, with its markers."""
    bare, markers, _ = strip(annotation)
    schema: dict[str, Any] = {}
    extras = [marker for marker in markers if isinstance(marker, Schema)]
    if not any(extra.whole for extra in extras):
        schema = _derived(bare)
    for extra in extras:
        schema |= extra.members
    return schema


def _derived(bare: Any) -> dict[str, Any]:
    if isinstance(bare, type) and issubclass(bare, Model):
        return _object(bare)
    match get_origin(bare) or bare:
        case kind if kind is list:
            return {"type": "array", "items": schema_of(get_args(bare)[0])}
        case kind if kind is dict:
            value = schema_of(get_args(bare)[1])
            return {"type": "object", "additionalProperties": value}
        case kind if kind in _SCALARS:
            return {"type": _SCALARS[kind]}
    return {"x-kubernetes-preserve-unknown-fields": True}


_SCALARS = {str: "string", bool: "boolean", int: "integer", float: "number"}


def _object(model: type[Model]) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    required: list[str] = []
    for name, info in model.model_fields.items():
        if any(isinstance(marker, Hidden) for marker in info.metadata):
            continue
        alias = info.alias or name
        properties[alias] = _property(info, _description(model, name))
        if any(isinstance(marker, Required) for marker in info.metadata):
            required.append(alias)
    schema: dict[str, Any] = {"type": "object", "properties": dict(sorted(properties.items()))}
    if required:
        schema["required"] = sorted(required)
    return {**schema, **model.schema_extra}


def _property(info: FieldInfo, description: str) -> dict[str, Any]:
    schema = schema_of(declared(info))
    return {"description": description, **schema} if description else schema


def _description(model: type[Model], field: str) -> str:
    """Return the docstring of a field, from the class that declares it."""
    for base in model.__mro__:
        if field in inspect.get_annotations(base):
            return _docstrings(base.__module__).get((base.__name__, field), "")
    return ""


@cache
def _docstrings(module: str) -> dict[tuple[str, str], str]:
    """The docstrings of a module's fields, by class and field: texts that follow a declaration."""
    found: dict[tuple[str, str], str] = {}
    tree = ast.parse(inspect.getsource(sys.modules[module]))
    for node in ast.walk(tree):
        if not isinstance(node, ast.ClassDef):
            continue
        for declaration, text in pairwise(node.body):
            match declaration, text:
                case (
                    ast.AnnAssign(target=ast.Name(id=field)),
                    ast.Expr(value=ast.Constant(value=str(docstring))),
                ):
                    found[node.name, field] = " ".join(docstring.split())
    return found


class _Dumper(yaml.SafeDumper):
    """YAML without anchors, so that a file can be read on its own lines."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def to_yaml(crd: Crd) -> str:
    """Return the definition as the file in ``crds/`` has it."""
    return yaml.dump(
        crd_object(crd), Dumper=_Dumper, sort_keys=False, width=100, allow_unicode=True
    )


def files(crds: Iterable[Crd]) -> dict[str, str]:
    """File name -> text, one file per kind: ``serving.knative.dev_services.yaml``."""
    return {f"{crd.group}_{crd.plural}.yaml": to_yaml(crd) for crd in crds}


def main(crds: Iterable[Crd], arguments: Sequence[str]) -> int:
    """``FOLDER [--check]``: writes the files, or names those that are not up to date."""
    folder, stale = Path(arguments[0]), []
    for name, text in files(crds).items():
        path = folder / name
        if path.is_file() and path.read_text() == text:
            continue
        stale.append(name)
        if "--check" not in arguments:
            path.write_text(text)
    if "--check" in arguments and stale:
        sys.stderr.write(f"not up to date, run make crds: {', '.join(stale)}\n")
        return 1
    return 0
