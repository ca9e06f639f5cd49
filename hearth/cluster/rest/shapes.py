"""Tables and metadata-only objects: the forms of an answer a client may ask for. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hearth.cluster.codec.negotiate import Output
from hearth.cluster.model.kind import Kind
from hearth.cluster.model.objects import Object

TABLE, PARTIAL = "Table", "PartialObjectMetadata"
PARTIAL_LIST = f"{PARTIAL}List"


def go_type(kind: Kind, *, of_list: bool = False) -> str:
    """The Go type behind a kind, as messages name it."""
    suffix = "List" if of_list else ""
    if kind.custom:
        return f"*unstructured.Unstructured{suffix}"
    package = kind.group.partition(".")[0] or "core"
    return f"*{package}.{kind.kind}{suffix}"


def columns(kind: Kind) -> list[dict[str, Any]]:
    """The columns of a kind as a Table defines them."""
    return [
        {
            "name": column.name,
            "type": column.type,
            "format": column.format,
            "description": column.description,
            "priority": column.priority,
        }
        for column in kind.table.columns
    ]


def partial(obj: Object, api_version: str) -> Object:
    """An object's metadata alone."""
    return {"kind": PARTIAL, "apiVersion": api_version, "metadata": obj["metadata"]}


def row(kind: Kind, obj: Object, now: float, *, include: str, api_version: str) -> dict[str, Any]:
    """One row; ``include`` is None, Metadata or Object, as the client's includeObject."""
    shown: dict[str, Any] = {"cells": list(kind.table.cells(obj, now))}
    if include == "Object":
        shown["object"] = obj
    elif include != "None":
        shown["object"] = partial(obj, api_version)
    return shown


def table(
    definitions: Sequence[dict[str, Any]] | None,
    rows: Sequence[dict[str, Any]],
    list_metadata: dict[str, Any],
    *,
    output: Output,
) -> Object:
    """A ``meta.k8s.io`` Table; ``definitions`` None: they have been sent already."""
    return {
        "kind": TABLE,
        "apiVersion": output.shape_api_version,
        "metadata": list_metadata,
        "columnDefinitions": definitions,
        "rows": list(rows),
    }


def shaped(
    kind: Kind, obj: Object, output: Output, now: float, *, include: str = "Metadata"
) -> Object:
    """One object in the form asked for."""
    if output.shape == TABLE:
        version = {"resourceVersion": obj["metadata"].get("resourceVersion", "")}
        only = row(kind, obj, now, include=include, api_version=output.shape_api_version)
        return table(columns(kind), [only], version, output=output)
    if output.shape == PARTIAL:
        return partial(obj, output.shape_api_version)
    return obj
