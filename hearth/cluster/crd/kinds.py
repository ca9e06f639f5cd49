"""From a CustomResourceDefinition to the kinds it adds to the API, one for each served version.

Called by the API server whenever a definition changes. All versions of a custom resource are
stored in one of them; between them only ``apiVersion`` differs (conversion strategy None).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from hearth.cluster.crd import jsonpath
from hearth.cluster.crd.columns import make_table
from hearth.cluster.crd.strategy import make_strategy
from hearth.cluster.crd.views import VERBS, view_of
from hearth.cluster.model.kind import Kind, Object, ScalePaths
from hearth.cluster.model.typetable import struct

Schema = Mapping[str, Any]


def kinds_of(definition: Object) -> list[Kind]:
    """The kinds of a definition; empty while its names are not accepted."""
    spec = definition["spec"]
    stored = next((v["name"] for v in spec["versions"] if v.get("storage")), "")
    return [_kind(definition, v, stored) for v in spec["versions"] if v.get("served")]


def _kind(definition: Object, version: Object, stored: str) -> Kind:
    spec = definition["spec"]
    names = (definition.get("status") or {}).get("acceptedNames") or {}
    if not names.get("kind"):
        names = spec["names"]
    schema: Schema = (version.get("schema") or {}).get("openAPIV3Schema") or _ANYTHING
    declared = version.get("subresources") or {}
    scale = _scale(declared.get("scale"))
    kind = Kind(
        group=spec["group"],
        version=version["name"],
        kind=names["kind"],
        plural=names["plural"],
        singular=names.get("singular") or names["kind"].lower(),
        namespaced=spec.get("scope") == "Namespaced",
        schema=served_schema(schema),
        table=make_table(version.get("additionalPrinterColumns") or ()),
        strategy=make_strategy(
            schema,
            group_version=f"{spec['group']}/{version['name']}",
            kind=names["kind"],
            has_status=declared.get("status") is not None,
            scale=scale,
            selectable=dict(_selectable(version)),
            deprecation=_deprecation(definition, version),
        ),
        list_kind=names.get("listKind") or names["kind"] + "List",
        short_names=tuple(names.get("shortNames") or ()),
        categories=tuple(names.get("categories") or ()),
        subresources=_subresources(declared),
        scale=scale,
        custom=True,
        storage_version=stored,
    )
    view = view_of(definition, kind.kind)
    if view is None:
        return kind
    none: frozenset[str] = frozenset()
    return replace(kind, view_of=view[0], from_storage=view[1], verbs=VERBS, subresources=none)


_ANYTHING: Schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


def _subresources(declared: Mapping[str, Any]) -> frozenset[str]:
    return frozenset(name for name in ("status", "scale") if declared.get(name) is not None)


def _scale(declared: Mapping[str, Any] | None) -> ScalePaths | None:
    if declared is None:
        return None
    return ScalePaths(
        spec_replicas=declared["specReplicasPath"],
        status_replicas=declared["statusReplicasPath"],
        label_selector=declared.get("labelSelectorPath"),
    )


def _selectable(version: Object) -> Iterator[tuple[str, Callable[[Object], str]]]:
    for declared in version.get("selectableFields") or ():
        path = jsonpath.parse(declared["jsonPath"])
        yield declared["jsonPath"].removeprefix("."), _text_at(path)


def _text_at(path: jsonpath.JSONPath) -> Callable[[Object], str]:
    def text(obj: Object) -> str:
        value = path.first(obj)
        return "" if value is None else jsonpath.text_of(value)

    return text


def _deprecation(definition: Object, version: Object) -> str | None:
    """The warning that every use of a deprecated version is answered with."""
    if not version.get("deprecated"):
        return None
    spec = definition["spec"]
    name = f"{spec['group']}/{version['name']} {spec['names']['kind']}"
    return version.get("deprecationWarning") or f"{name} is deprecated"


def served_schema(schema: Schema) -> Schema:
    """The schema with what a resource has anyway: type, and metadata as Kubernetes knows it."""
    return _as_resource(_with_embedded(schema))


def _as_resource(schema: Schema) -> Schema:
    properties = {
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        **(schema.get("properties") or {}),
        "metadata": struct("meta/v1", "ObjectMeta").schema,
    }
    return {**schema, "properties": properties}


def _with_embedded(schema: Schema) -> Schema:
    """Completes embedded resources at any depth; what holds none is shared, not copied."""
    changed: dict[str, Any] = {}
    properties = schema.get("properties") or {}
    inner = {name: _with_embedded(sub) for name, sub in properties.items()}
    if any(inner[name] is not properties[name] for name in properties):
        changed["properties"] = inner
    for name in ("items", "additionalProperties"):
        sub = schema.get(name)
        if isinstance(sub, Mapping) and (complete := _with_embedded(sub)) is not sub:
            changed[name] = complete
    complete_schema: Schema = {**schema, **changed} if changed else schema
    embedded = schema.get("x-kubernetes-embedded-resource")
    return _as_resource(complete_schema) if embedded else complete_schema
